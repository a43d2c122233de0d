"""The keys of checkpoints: Ed25519, one that signs, any number that only verify."""

import base64
import hashlib
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from nudgepay.config.policy import AUDIT_KEYS
from nudgepay.errors import UsageError

SETTING = "AUDIT_SIGNING_KEY"
PUBLIC = "public:"
SEED_BYTES = 32


class BadSigningKey(UsageError):
    """AUDIT_SIGNING_KEY holds something that is no Ed25519 key."""


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """The first private key signs; all keys verify, by their ids."""

    signer: Ed25519PrivateKey | None = None
    known: dict[str, Ed25519PublicKey] = field(default_factory=dict)

    @property
    def signer_id(self) -> str | None:
        """The id of the key that signs; None without one."""
        return None if self.signer is None else key_id(self.signer.public_key())

    def is_genuine(self, message: bytes, *, by: str, signature: bytes) -> bool:
        """True when the key with this id made the signature. Raises KeyError for a key that is not known."""
        try:
            self.known[by].verify(signature, message)
        except InvalidSignature:
            return False
        return True


def keys_from(setting: str | None) -> SigningKeys:
    """AUDIT_SIGNING_KEY: seeds in base64, PEM blocks, and `public:BASE64` of retired keys, the newest first."""
    signer: Ed25519PrivateKey | None = None
    known: dict[str, Ed25519PublicKey] = {}
    for part in AUDIT_KEYS.findall(setting or ""):
        key = _key(part)
        public = key.public_key() if isinstance(key, Ed25519PrivateKey) else key
        known[key_id(public)] = public
        if signer is None and isinstance(key, Ed25519PrivateKey):
            signer = key
    return SigningKeys(signer, known)


def key_id(key: Ed25519PublicKey) -> str:
    """The fingerprint by which a checkpoint names its key."""
    return hashlib.sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()[:32]


def _key(part: str) -> Ed25519PrivateKey | Ed25519PublicKey:
    try:
        if part.startswith("-----BEGIN"):
            return _from_pem(part.encode())
        if part.startswith(PUBLIC):
            return Ed25519PublicKey.from_public_bytes(_bytes(part.removeprefix(PUBLIC)))
        return Ed25519PrivateKey.from_private_bytes(_bytes(part))
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise _bad() from None


def _from_pem(block: bytes) -> Ed25519PrivateKey | Ed25519PublicKey:
    is_public = block.startswith(b"-----BEGIN PUBLIC")
    found: object = load_pem_public_key(block) if is_public else load_pem_private_key(block, password=None)
    if not isinstance(found, Ed25519PrivateKey | Ed25519PublicKey):
        raise TypeError
    return found


def _bad() -> BadSigningKey:
    return BadSigningKey(
        f"{SETTING}: holds what is no Ed25519 key; make one with `openssl rand -base64 32`, or give a PEM block"
    )


def _bytes(encoded: str) -> bytes:
    plain = encoded.replace("-", "+").replace("_", "/").rstrip("=")
    found = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    if len(found) != SEED_BYTES:
        raise ValueError("a key has 32 bytes")
    return found
