"""Every periodic job on one page, one run of each in one place, and the worker that hosts them.

Owns no table: Procrastinate keeps its own in the schema `procrastinate`, and carries no truth: losing or
doubling each of its rows costs latency only. May be called by: web, cli.
"""
