"""Pictures of figures as inline SVG: positions only; colours are the stylesheet's, words the template's. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 600, 160
TOP, BOTTOM = 8, 4
GAP = 0.3
"""Share of a bar's place that stays empty."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of a group, in units of the picture."""

    x: float
    y: float
    width: float
    height: float
    series: int


def ceiling(values: Sequence[float | None]) -> float:
    """The largest value, never zero: what the picture's height stands for."""
    return max((value for value in values if value is not None), default=0) or 1.0


def lines(values: Sequence[float | None], top: float) -> list[str]:
    """The points of each unbroken stretch of values, for `polyline`; a value that cannot be told is a gap."""
    step = WIDTH / max(1, len(values) - 1)
    stretches: list[list[str]] = [[]]
    for index, value in enumerate(values):
        if value is None:
            stretches.append([])
        else:
            stretches[-1].append(f"{index * step:.1f},{_y(value, top):.1f}")
    return [" ".join(points) for points in stretches if points]


def bars(groups: Sequence[Sequence[float]], top: float) -> list[Bar]:
    """The bars of each group side by side."""
    found = []
    place = WIDTH / max(1, len(groups))
    for index, group in enumerate(groups):
        width = place * (1 - GAP) / max(1, len(group))
        for series, value in enumerate(group):
            y = _y(max(0.0, value), top)
            x = index * place + place * GAP / 2 + series * width
            found.append(Bar(round(x, 1), round(y, 1), round(width, 1), round(HEIGHT - BOTTOM - y, 1), series))
    return found


def _y(value: float, top: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / top
