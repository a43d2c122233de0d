"""The keys under which secrets of programs are hashed: one in use, others still accepted while it replaces them."""

import hashlib
import hmac
from dataclasses import dataclass

WITHOUT = b"nudgepay: no pepper is set"
"""Where SERVICE_TOKEN_PEPPER is empty, as in development: the secret's own 256 bits are what protects it."""


@dataclass(frozen=True, slots=True)
class Pepper:
    """`id` names the key and tells nothing of it; it is stored beside what the key hashed."""

    id: str
    key: bytes

    def hash(self, secret: str) -> bytes:
        """HMAC-SHA256."""
        return hmac.new(self.key, secret.encode(), hashlib.sha256).digest()

    def matches(self, secret: str, hashed: bytes) -> bool:
        """The comparison takes as long for any wrong secret."""
        return hmac.compare_digest(self.hash(secret), hashed)


def peppers_of(setting: str | None) -> tuple[Pepper, ...]:
    """SERVICE_TOKEN_PEPPER: the first hashes, the others, after a comma, still verify. Never empty."""
    keys = [part.strip().encode() for part in (setting or "").split(",") if part.strip()]
    return tuple(_pepper(key) for key in keys) or (Pepper("none", WITHOUT),)


def _pepper(key: bytes) -> Pepper:
    return Pepper(hmac.new(key, b"nudgepay pepper id", hashlib.sha256).hexdigest()[:16], key)
