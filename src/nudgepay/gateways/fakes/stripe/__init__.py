"""A protocol-true stand-in for Stripe's API on loopback: for the demo, drills and tests.

Follows docs.stripe.com/api as of its 2025 versions for the objects that NudgePay uses. It is a stand-in of ours
and has never been compared with Stripe's own servers; the official SDK and localstripe judge what they can.
"""

from nudgepay.gateways.fakes.stripe.server import FakeStripe

__all__ = ["FakeStripe"]
