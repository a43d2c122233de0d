"""Passwords: compared whole, hard to guess, cheap to refuse, and never more at once than there is memory for."""

import threading

import bcrypt
import pytest
from pwdlib.hashers.argon2 import Argon2Hasher

from nudgepay.access import passwords
from nudgepay.access.passwords import (
    PasswordRefused,
    TooManyAtOnce,
    ensure_password,
    hash_for_settings,
    hash_password,
    is_outdated,
    is_password,
)

PASSWORD = "a long enough password"
LONG = "correct horse battery staple " * 3


@pytest.mark.usefixtures("quick_hashes")
@pytest.mark.parametrize(
    "one", [LONG, "ä" * 3 + LONG, "nul\x00 in the middle of it", "\U0001f40e horse, staple, battery"]
)
def test_a_password_is_compared_whole(one: str) -> None:
    hashed = hash_password(one)
    assert is_password(one, hashed)
    for other in (one + "x", one[:-1], one[:-1] + "y", one.replace("\x00", ""), one[:72].ljust(len(one), "z")):
        assert is_password(other, hashed) is (other == one), other


@pytest.mark.usefixtures("quick_hashes")
def test_a_bcrypt_hash_of_the_settings_is_accepted_and_due_for_another_kind() -> None:
    hashed = hash_for_settings(PASSWORD)
    assert hashed.startswith("$2b$")
    assert is_password(PASSWORD, hashed)
    assert is_outdated(hashed)
    for other in (PASSWORD + "x", PASSWORD + "\x00", "x" * 100):
        assert not is_password(other, hashed)
    cut = bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4)).decode()
    assert not is_password("x" * 73, cut)
    with pytest.raises(PasswordRefused, match="72 bytes"):
        hash_for_settings(LONG)
    assert not is_outdated(passwords.rehash(PASSWORD))
    assert is_outdated(Argon2Hasher(time_cost=2, memory_cost=64, parallelism=1).hash(PASSWORD))


def test_a_new_hash_is_argon2id_with_64_mebibytes() -> None:
    assert hash_password(PASSWORD).startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_nobody_has_no_password() -> None:
    for hashed in (None, "", "!", "plain"):
        assert not is_password("nobody has this password", hashed)
        assert not is_password("", hashed)


@pytest.mark.parametrize(
    ("password", "code", "advice"),
    [
        ("short", "short", ()),
        ("x" * 1025, "long", ()),
        ("ä" * 513, "long", ()),
        ("password1234", "weak", ("ThisIsACommonPassword", "words")),
        ("aaaaaaaaaaaaaaaa", "weak", ("RepeatsLikeAaaAreEasyToGuess", "words")),
        ("qwertyuiop[]", "weak", ("StraightRowsOfKeysAreEasyToGuess", "words")),
        ("atelier-nord-2026", "weak", ("known", "words")),
        ("olga.lindner!!", "weak", ("known", "words")),
    ],
)
def test_an_unfit_password_is_refused_with_what_would_help(password: str, code: str, advice: tuple[str, ...]) -> None:
    with pytest.raises(PasswordRefused) as refused:
        ensure_password(password, known=["olga.lindner@desk.example", "Atelier Nord"])
    assert (refused.value.code, refused.value.advice) == (code, advice)
    assert len(password) < 6 or password not in str(refused.value)


def test_no_more_passwords_are_compared_at_once_than_there_is_memory_for(monkeypatch: pytest.MonkeyPatch) -> None:
    inside, most, refused, gate = 0, 0, 0, threading.Lock()
    go_on = threading.Event()

    class Counted(Argon2Hasher):
        def verify(self, password: str | bytes, hash: str | bytes) -> bool:
            nonlocal inside, most
            with gate:
                inside += 1
                most = max(most, inside)
            go_on.wait(20)
            with gate:
                inside -= 1
            return super().verify(password, hash)

    monkeypatch.setattr(passwords, "HASHER", Counted(time_cost=1, memory_cost=64, parallelism=1))

    def sign_in() -> None:
        nonlocal refused
        try:
            is_password(PASSWORD, None)
        except TooManyAtOnce:
            with gate:
                refused += 1

    people = [threading.Thread(target=sign_in) for _ in range(40)]
    for one in people:
        one.start()
    for one in people:
        one.join(0.05)
    go_on.set()
    for one in people:
        one.join()
    assert (most, refused) == (passwords.AT_ONCE, 40 - passwords.AT_ONCE - passwords.WAITING)
    assert not is_password(PASSWORD, None)
