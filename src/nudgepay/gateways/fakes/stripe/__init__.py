"""A protocol-true stand-in for Stripe's API on loopback: for the demo, drills and tests.

Follows docs.stripe.com/api (version 2026-10-28) for the objects that NudgePay uses, with a part of their fields.
It is a stand-in of ours and has never been compared with Stripe's own servers; the official SDK and localstripe
judge what they can (tests/verified).
"""

from nudgepay.gateways.fakes.stripe.server import FakeStripe

__all__ = ["FakeStripe"]
