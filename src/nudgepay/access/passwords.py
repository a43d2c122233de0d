"""Passwords of operators, as argon2id hashes; bcrypt ones, which settings bring, are read until replaced."""

import re
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache

import bcrypt
from pwdlib.hashers.argon2 import Argon2Hasher

from nudgepay.access.strength import weakness
from nudgepay.errors import OperationalError, UsageError

SHORTEST = 12
LONGEST_BYTES = 1024
HASHER = Argon2Hasher()
"""64 MiB, three passes, four lanes."""
AT_ONCE = 4
WAITING = 12
"""So many hashes are computed at once, and so many more may wait: memory has a bound, and so has the queue."""
COST = 12
BCRYPT = re.compile(r"\$2[aby]\$\d{2}\$[./A-Za-z0-9]{53}")
BCRYPT_BYTES = 72
NOBODYS = "$2b$12$J8bICnqFB4Lw1jROxInz6OB/2iyz1cFrJC/JIc/VVgoXr4n63jYsS"  # of a random value that was thrown away
"""Compared when there is no such operator, so that the answer takes as long."""
_working = threading.BoundedSemaphore(AT_ONCE)
_admitted = threading.BoundedSemaphore(AT_ONCE + WAITING)


class PasswordRefused(UsageError):
    """Unfit as a password. `code` says why, `advice` what would help, as codes of `strength`."""

    def __init__(self, code: str, reason: str, advice: tuple[str, ...] = ()) -> None:
        """`reason` is the whole sentence for people."""
        self.code = code
        self.advice = advice
        super().__init__(f"the password {reason}")


class TooManyAtOnce(OperationalError):
    """More passwords are being compared than this process has memory for."""


def ensure_password(password: str, *, known: Iterable[str] = ()) -> str:
    """The password, if it may be an operator's; raises PasswordRefused.

    `known` is what an attacker would try first: the person's address, the business's name.
    """
    if len(password) < SHORTEST:
        raise PasswordRefused("short", f"is shorter than {SHORTEST} characters: choose a longer one")
    if len(password.encode()) > LONGEST_BYTES:
        raise PasswordRefused("long", f"is longer than {LONGEST_BYTES} bytes: choose a shorter one")
    found = weakness(password, known=known)
    if found is not None:
        raise PasswordRefused("weak", f"is too easy to guess: {found.sentence}", found.codes)
    return password


def hash_password(password: str, *, known: Iterable[str] = ()) -> str:
    """A salted hash; raises PasswordRefused for an unfit password."""
    ensure_password(password, known=known)
    with _a_turn():
        return HASHER.hash(password)


def hash_for_settings(password: str) -> str:
    """A bcrypt hash for ADMIN_PASSWORD_HASH; raises PasswordRefused for one that bcrypt would cut."""
    if not _fits_bcrypt(password):
        raise PasswordRefused("long", f"is longer than {BCRYPT_BYTES} bytes, or holds a NUL: choose a shorter one")
    return bcrypt.hashpw(ensure_password(password).encode(), bcrypt.gensalt(COST)).decode()


def is_password(password: str, hashed: str | None, *, as_long_as_bcrypt: bool = False) -> bool:
    """True when it is the one. Takes as long for no hash as for a wrong password.

    `as_long_as_bcrypt`: somebody's hash is bcrypt still, so everybody's answer takes the time of both kinds.
    """
    is_old = hashed is not None and BCRYPT.fullmatch(hashed) is not None
    is_new = hashed is not None and Argon2Hasher.identify(hashed)
    with _a_turn():
        matches_new = HASHER.verify(password, hashed if hashed is not None and is_new else _nobodys(HASHER))
        matches_old = (is_old or as_long_as_bcrypt) and _matches_bcrypt(password, hashed if is_old else None)
    return (is_new and matches_new) or (is_old and matches_old)


def is_outdated(hashed: str) -> bool:
    """True when the password should be hashed anew as soon as it is known."""
    return not Argon2Hasher.identify(hashed) or HASHER.check_needs_rehash(hashed)


def rehash(password: str) -> str:
    """The hash of a password that is one already, however weak."""
    with _a_turn():
        return HASHER.hash(password)


def _matches_bcrypt(password: str, hashed: str | None) -> bool:
    fits = _fits_bcrypt(password)
    return bcrypt.checkpw(password.encode() if fits else b"", (hashed or NOBODYS).encode()) and fits


def _fits_bcrypt(password: str) -> bool:
    return len(password.encode()) <= BCRYPT_BYTES and "\x00" not in password


@lru_cache(maxsize=4)
def _nobodys(hasher: Argon2Hasher) -> str:
    return hasher.hash("nobody has this password")


@contextmanager
def _a_turn() -> Iterator[None]:
    if not _admitted.acquire(blocking=False):
        raise TooManyAtOnce("too many people sign in at this moment: try again in some seconds")
    try:
        with _working:
            yield
    finally:
        _admitted.release()
