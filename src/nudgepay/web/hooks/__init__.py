"""Inbound calls from machines: stored or refused at once, applied later."""
