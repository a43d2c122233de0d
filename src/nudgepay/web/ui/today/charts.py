"""Geometry of the small charts: numbers in, coordinates out. Templates draw them, styles colour them."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH = 120
HEIGHT = 28
LEAST = 1.2
"""Of a hundred: what is there at all can be seen."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One rectangle: from where, how wide, how high."""

    x: float
    width: float
    height: float = 0


def stacked(amounts: Sequence[int]) -> list[Piece]:
    """Parts of a hundred, side by side, in proportion to the amounts; none for an amount of nothing."""
    widths = [max(float(amount) / (sum(amounts) or 1) * 100, LEAST) if amount > 0 else 0.0 for amount in amounts]
    scale = 100 / (sum(widths) or 1)
    pieces, x = [], 0.0
    for width in widths:
        pieces.append(Piece(round(x, 2), round(width * scale, 2)))
        x += width * scale
    return pieces


def line(values: Sequence[int]) -> str:
    """The points of a line through the values, from left to right, the largest at the top."""
    most, step = max([*values, 1]), WIDTH / max(len(values) - 1, 1)
    return " ".join(
        f"{place * step:.1f},{HEIGHT - 2 - value / most * (HEIGHT - 4):.1f}" for place, value in enumerate(values)
    )


def area(values: Sequence[int]) -> str:
    """The points of the surface below that line."""
    return f"0,{HEIGHT} {line(values)} {WIDTH},{HEIGHT}"


def bars(values: Sequence[int]) -> list[Piece]:
    """A bar for each value, the largest the whole height."""
    most, step = max([*values, 1]), WIDTH / max(len(values), 1)
    return [
        Piece(round(place * step, 2), round(step * 0.7, 2), round(max(value / most * HEIGHT, 1.0), 1) if value else 0)
        for place, value in enumerate(values)
    ]
