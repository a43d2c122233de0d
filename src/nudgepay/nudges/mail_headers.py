"""Header fields from people's data: checked, encoded and folded, so that no value can leave its field. Pure.

Fields follow RFC 5322, encoded words RFC 2047. The checks are our own, before any encoder sees the value.
"""

import re
from base64 import b64encode
from functools import lru_cache

from nudgepay.errors import UsageError
from nudgepay.gateways.mail import BadAddress, ensure_address

LONGEST_TEXT = 400
"""Characters that a name or a subject may have."""

_BREAKING = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_ENCODED_WORD = re.compile(r"=\?[^?]*\?[bBqQ]\?[^?]*\?=")
_PLAIN = re.compile(r"[\x20-\x7e]*")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/^_`{|}~-]+)*")
_URL = re.compile(r"https?://[A-Za-z0-9.\[\]:-]+/[A-Za-z0-9/._~%+=&?-]*")
_LINE = 76
_ENCODED_BYTES = 39


class LetterError(UsageError):
    """The letter cannot be written as it was asked for; nothing was written. Names the part, never its value."""


def ensure_text(field: str, value: str) -> str:
    """`value`, if it can stand in a header; raises LetterError for whatever could end one or hide in one.

    Refuses control characters, every kind of line end, direction overrides and ready-made encoded words.
    """
    if _BREAKING.search(value):
        raise LetterError(f"{field}: holds a line break, control or direction character; remove it")
    if _ENCODED_WORD.search(value):
        raise LetterError(f"{field}: holds an encoded word of RFC 2047; write it as plain text")
    if len(value) > LONGEST_TEXT:
        raise LetterError(f"{field}: is longer than {LONGEST_TEXT} characters; shorten it")
    return value


@lru_cache(maxsize=1024)
def ensure_url(field: str, value: str) -> str:
    """`value`, if it is a plain http(s) URL of our own making; raises LetterError."""
    if len(value) > LONGEST_TEXT or not _URL.fullmatch(value):
        raise LetterError(f"{field}: is no plain http(s) address; correct BASE_URL")
    return value


@lru_cache(maxsize=4096)
def addr_spec(field: str, email: str) -> str:
    """The one plain address in `email`, its domain as A-labels; raises LetterError for anything else."""
    try:
        return ensure_address(email)
    except BadAddress as error:
        raise LetterError(f"{field}: {error}") from error


@lru_cache(maxsize=4096)
def mailbox_field(field: str, name: str, email: str) -> str:
    """`Name <addr-spec>`, ready for the wire; raises LetterError. Without a name the bare address."""
    address = addr_spec(field, email)
    shown = ensure_text(field, name).strip()
    if not shown:
        return address
    return f"{_phrase(shown)}{_before(address, shown)}<{address}>"


def _phrase(name: str) -> str:
    if not _PLAIN.fullmatch(name) or len(name) > _LINE - 10:
        return _encoded_words(name)
    if _ATOMS.fullmatch(name):
        return name
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _before(address: str, name: str) -> str:
    return " " if len(name) + len(address) < _LINE - 20 and _PLAIN.fullmatch(name) else "\r\n "


@lru_cache(maxsize=1024)
def text_field(field: str, value: str) -> str:
    """Unstructured text, encoded where it is not ASCII and folded; raises LetterError."""
    ensure_text(field, value)
    if not _PLAIN.fullmatch(value) or max(map(len, value.split(" "))) > _LINE - 12:
        return _encoded_words(value)
    return folded(value, first=len(field) + 2)


def folded(value: str, *, first: int) -> str:
    """`value` broken before words, so that lines stay short; `first` characters stand on its first line already."""
    out: list[str] = []
    used = first
    for word in value.split(" "):
        if out and word and used + 1 + len(word) > _LINE:
            out.append("\r\n " + word)
            used = 1 + len(word)
        else:
            out.append(" " + word if out else word)
            used += 1 + len(word)
    return "".join(out)


def _encoded_words(value: str) -> str:
    """RFC 2047: words of at most 75 characters, each of whole UTF-8 characters, one a line."""
    chunks = [b""]
    for sign in value:
        raw = sign.encode()
        if len(chunks[-1]) + len(raw) > _ENCODED_BYTES:
            chunks.append(b"")
        chunks[-1] += raw
    return "\r\n ".join(f"=?utf-8?b?{b64encode(chunk).decode('ascii')}?=" for chunk in chunks)
