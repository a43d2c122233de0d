"""How well the money comes in: month by month, by step, by client. Reads the books; never decides.

May be called by automation and the web. Owns `month_ends`, `step_outcomes`, `promise_outcomes`, `payment_behaviour`.
"""
