"""Every periodic job on one page, and the worker that runs them.

Owns no table (Procrastinate keeps its own in the schema `procrastinate`). May be called by: web, cli.
"""
