"""How one text became another, word by word, as pieces for a page. Pure."""

import difflib
import re
from dataclasses import dataclass
from typing import Literal

_WORDS = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\n|[^\S\n]+|\w+|[^\w\s]", re.DOTALL)


SHORTEST_KEPT = 12
"""Characters; fewer between two changes are no landmark but a coincidence."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text that stayed, went or came."""

    kind: Literal["same", "gone", "new"]
    text: str


def compare(old: str, new: str) -> list[Piece]:
    """The pieces in order; what went stands before what came in its place."""
    before, after = _WORDS.findall(old), _WORDS.findall(new)
    matches = difflib.SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks()
    pieces: list[Piece] = []
    a = b = 0
    for match in matches:
        kept = "".join(before[match.a : match.a + match.size])
        is_edge = match.a == a == 0 or match.a + match.size == len(before)
        if len(kept.strip()) < SHORTEST_KEPT and not is_edge:
            continue
        pieces += _changed("".join(before[a : match.a]), "".join(after[b : match.b]))
        pieces += [Piece("same", kept)] if kept else []
        a, b = match.a + match.size, match.b + match.size
    return pieces


def _changed(gone: str, new: str) -> list[Piece]:
    return [piece for piece in (Piece("gone", gone), Piece("new", new)) if piece.text]
