"""Secrets by reference: `env://NAME` and files; cloud providers and rotation join this room.

Owns no table yet. May be called by: runtime, cli.
"""
