"""Who may do what: operators, their sessions, roles and permissions.

May be called by the web and the command line. Owns `operators`, `sessions` and `saved_views`.
"""
