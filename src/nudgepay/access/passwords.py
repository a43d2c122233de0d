"""Passwords of operators, as bcrypt hashes."""

import bcrypt

from nudgepay.errors import UsageError

SHORTEST = 12
LONGEST_BYTES = 72
"""bcrypt reads no further; a longer password is refused, never cut."""
COST = 12
NOBODYS = "$2b$12$J8bICnqFB4Lw1jROxInz6OB/2iyz1cFrJC/JIc/VVgoXr4n63jYsS"  # of a random value that was thrown away
"""Compared when there is no such operator, so that the answer takes as long."""


def ensure_password(password: str) -> str:
    """The password, if it may be an operator's; raises UsageError."""
    if len(password) < SHORTEST:
        raise UsageError(f"the password is shorter than {SHORTEST} characters: choose a longer one")
    if not _can_be_read_whole(password):
        raise UsageError(f"the password is longer than {LONGEST_BYTES} bytes: choose a shorter one")
    return password


def hash_password(password: str) -> str:
    """A salted hash; raises UsageError for an unfit password."""
    return bcrypt.hashpw(ensure_password(password).encode(), bcrypt.gensalt(COST)).decode()


def is_password(password: str, hashed: str | None) -> bool:
    """True when it is the one. Takes as long for no hash as for a wrong password."""
    readable = _can_be_read_whole(password)
    matches = bcrypt.checkpw(password.encode() if readable else b"", (hashed or NOBODYS).encode())
    return matches and readable and hashed is not None


def _can_be_read_whole(password: str) -> bool:
    return len(password.encode()) <= LONGEST_BYTES and "\x00" not in password
