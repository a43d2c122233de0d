"""A bank line as a page shows it: what it may be, how sure that is and why, and whether one press can book it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from nudgepay.payments.models import BankLine
from nudgepay.payments.statements.booking import certain_lines
from nudgepay.payments.statements.proposals import Option
from nudgepay.payments.statements.queries import Listed
from nudgepay.web.ui.page import Page
from nudgepay.web.ui.statements.parts import written
from nudgepay.web.ui.statements.words import in_words
from nudgepay.web.ui.words import N_

CERTAIN, DECIDE, NOTHING = "certain", "decide", "nothing"
KINDS: dict[str, tuple[str, str, str]] = {
    "certain": (CERTAIN, "ok", N_("Certain")),
    "taken": (DECIDE, "warn", N_("An earlier line pays the same invoice")),
    "twin": (DECIDE, "warn", N_("Perhaps booked already")),
    "over": (DECIDE, "warn", N_("More than is open")),
    "part": (DECIDE, "info", N_("A part")),
    "several": (DECIDE, "warn", N_("Several ways fit")),
    "likely": (DECIDE, "info", N_("Likely")),
    "guess": (DECIDE, "", N_("A guess")),
    "none": (NOTHING, "", N_("No invoice fits")),
    "reversal": (NOTHING, "bad", N_("Takes money back")),
}
"""What a line may be: its group on the page, the colour of its mark, and the mark."""
GROUPS = {CERTAIN: N_("Certain"), DECIDE: N_("To decide"), NOTHING: N_("No invoice fits")}
QUICK = frozenset({"certain", "part", "likely"})
"""Kinds that one press books as proposed; everything else is looked at first."""


@dataclass(frozen=True, slots=True)
class Row:
    """A waiting line. `quick` are the parts that one press books, empty where a look is needed."""

    listed: Listed
    kind: str
    options: tuple[Option, ...]
    reasons: tuple[str, ...]
    quick: str = ""

    @property
    def line(self) -> BankLine:
        """What the bank says."""
        return self.listed.line

    @property
    def group(self) -> str:
        """Under which heading it stands."""
        return KINDS[self.kind][0]

    @property
    def tone(self) -> str:
        """The colour of its mark."""
        return KINDS[self.kind][1]

    @property
    def label(self) -> str:
        """Its mark."""
        return KINDS[self.kind][2]


def rows_of(page: Page, found: Iterable[Listed]) -> list[Row]:
    """The lines with the certain ones first, then those to decide, then those that nothing fits."""
    seen = list(found)
    certain = {one.line.id for one in certain_lines(seen)}
    rows = [row_of(page, one, is_certain=one.line.id in certain) for one in seen]
    order = list(GROUPS)
    return sorted(rows, key=lambda row: order.index(row.group))


def row_of(page: Page, listed: Listed, *, is_certain: bool) -> Row:
    """One of them."""
    kind = _kind(listed, is_certain=is_certain)
    proposal = listed.proposal
    options = (proposal.chosen,) if proposal.chosen is not None else proposal.options
    told = (*(proposal.chosen.reasons if proposal.chosen is not None else ()), *proposal.notes)
    quick = ""
    if kind in QUICK and proposal.chosen is not None:
        quick = written((part.invoice_id, part.amount) for part in proposal.chosen.parts)
    return Row(listed, kind, options, tuple(in_words(page, one) for one in told), quick)


def _kind(listed: Listed, *, is_certain: bool) -> str:
    proposal = listed.proposal
    if listed.line.kind == "reversal":
        return "reversal"
    if not proposal.options:
        return "none"
    if listed.twins:
        return "twin"
    if proposal.chosen is None:
        return "several"
    if proposal.confidence == "sure":
        return "certain" if is_certain else "taken"
    return _unsure(proposal.chosen, guess=proposal.confidence == "guess")


def _unsure(chosen: Option, *, guess: bool) -> str:
    if chosen.left:
        return "over"
    if guess:
        return "guess"
    return "part" if chosen.is_part else "likely"


def sums_of(lines: Sequence[BankLine]) -> list[tuple[str, int]]:
    """What they come to, by currency."""
    found: dict[str, int] = {}
    for line in lines:
        found[line.currency] = found.get(line.currency, 0) + line.amount
    return sorted(found.items())
