"""Open invoices and a bank line to a proposal: pure, the same for the same input, and nothing is ever booked by it.

`sure` needs the numbers named, the currency equal, and the amount equal to what is open on them together. A part,
too much, or names and amounts alone are `likely` or a `guess`; between equals nothing is chosen.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from nudgepay.payments.statements.lines import ReadLine
from nudgepay.payments.statements.named import Hit, NumberIndex
from nudgepay.payments.statements.naming import SIMILAR, plain_name, similarity
from nudgepay.payments.statements.proposals import (
    GUESS,
    LIKELY,
    SURE,
    Amount,
    OpenInvoice,
    Option,
    Part,
    Proposal,
    confidence_of,
)
from nudgepay.sentences import Said, said

MOST_ALIKE = 20
"""With more invoices of exactly this amount, only those of a client of this name are looked at."""
SHOWN = 5
_NAMED, _NAMED_WEAKLY, _NAME = 15, 10, 10
_EXACT = said("the amount is what is open")
_NO_NUMBER = said("no number is named")
_SAME_NAME = said("the payer has the client's name")


class Books:
    """Open invoices, indexed once: by number, by amount, and by client; and the numbers of those that are closed."""

    def __init__(self, invoices: Iterable[OpenInvoice], closed: Mapping[str, str] | None = None) -> None:
        """`closed` is number to status of invoices on which nothing is open."""
        self.open = NumberIndex[OpenInvoice]()
        self.closed = NumberIndex[Said]()
        self.by_amount: dict[tuple[str, int], list[OpenInvoice]] = defaultdict(list)
        self.by_amount_and_name: dict[tuple[str, int, str], list[OpenInvoice]] = defaultdict(list)
        self.by_name: dict[tuple[str, str], dict[int, list[OpenInvoice]]] = defaultdict(lambda: defaultdict(list))
        for invoice in sorted(invoices, key=lambda one: (one.due_on, one.id)):
            name = plain_name(invoice.client_name)
            self.open.add(invoice.number, invoice)
            self.by_amount[invoice.currency, invoice.remaining].append(invoice)
            self.by_amount_and_name[invoice.currency, invoice.remaining, name].append(invoice)
            self.by_name[invoice.currency, name][invoice.client_id].append(invoice)
        for number, status in (closed or {}).items():
            self.closed.add(number, _closed(number, status))


def propose(line: ReadLine, books: Books) -> Proposal:
    """The best ways to book the line, and the one that is preselected, if one is better than all others."""
    if line.is_reversal or line.amount <= 0:
        return Proposal("none", notes=(said("it takes money back: no payment; look at what it undoes"),))
    texts = (line.purpose, line.reference)
    named = books.open.find(texts)
    notes = sorted(_closed_named(texts, books))
    notes += [
        said(
            "%(number)s is named, but it is in %(currency)s and the money in %(other)s",
            number=invoice.number,
            currency=invoice.currency,
            other=line.currency,
        )
        for hit in named
        for invoice in hit.found
        if invoice.currency != line.currency
    ]
    options = _named_options(line, named, books)
    if not options:
        options = _unnamed_options(line, books)
    ranked = sorted(options, key=lambda one: (-one.score, one.parts[0].invoice_id))
    if not ranked:
        return Proposal("none", notes=(*notes, said("no open invoice has its number, amount or payer")))
    return _chosen(ranked, notes)


def _closed(number: str, status: str) -> Said:
    if status == "void":
        return said("%(number)s (void) is named, but nothing is open on it", number=number)
    return said("%(number)s (paid) is named, but nothing is open on it", number=number)


def _chosen(ranked: Sequence[Option], notes: list[Said]) -> Proposal:
    best = ranked[0]
    equals = [one for one in ranked if one.score == best.score]
    if len(equals) > 1:
        notes = [*notes, said("%(count)s ways are equally good", count=len(equals))]
        return Proposal(confidence_of(min(best.score, SURE - 1)), None, tuple(equals[:SHOWN]), tuple(notes))
    if notes:
        return Proposal(confidence_of(min(best.score, LIKELY - 1)), None, tuple(ranked[:SHOWN]), tuple(notes))
    return Proposal(confidence_of(best.score), best, tuple(ranked[:SHOWN]), ())


def _closed_named(texts: Sequence[str], books: Books) -> set[Said]:
    return {told for hit in books.closed.find(texts) if hit.is_strong for told in hit.found}


def _named_options(line: ReadLine, named: Sequence[Hit[OpenInvoice]], books: Books) -> list[Option]:
    """One option for each client whose numbers are named; a form that several numbers share is an option each."""
    certain: dict[int, list[OpenInvoice]] = {}
    doubtful: list[OpenInvoice] = []
    strong = all(hit.is_strong for hit in named)
    payable = [[one for one in hit.found if one.currency == line.currency] for hit in named]
    for found in sorted(payable, key=len):
        if len(found) == 1:
            certain.setdefault(found[0].client_id, []).extend(found)
        elif not any(invoice in certain.get(invoice.client_id, ()) for invoice in found):
            doubtful.extend(invoice for invoice in found if invoice not in doubtful)
    options = [_named(line, invoices, strong, len(certain) == 1 and not doubtful) for invoices in certain.values()]
    for invoice in doubtful:
        options.append(_named(line, [*certain.get(invoice.client_id, ()), invoice], strong, False))
    return options


def _named(line: ReadLine, invoices: list[OpenInvoice], strong: bool, alone: bool) -> Option:
    invoices = sorted(invoices, key=lambda one: (one.due_on, one.id))
    numbers = ", ".join(one.number for one in invoices)
    total = sum(one.remaining for one in invoices)
    reasons = [said("names %(numbers)s", numbers=numbers)]
    score = LIKELY + (_NAMED if strong else _NAMED_WEAKLY)
    if total == line.amount:
        reasons.append(_EXACT)
        score = SURE if strong and alone else score + 10
    else:
        reasons.append(_difference(line, total))
        score -= _NAMED
    if not strong:
        reasons.append(said("the number is so short that it may mean something else"))
    if _alike(line, invoices[0]) >= SIMILAR:
        reasons.append(_SAME_NAME)
        score = min(score + 4, SURE if score == SURE else SURE - 1)
    return _option(line, invoices, score, reasons)


def _difference(line: ReadLine, total: int) -> Said:
    gap = Amount(abs(total - line.amount), line.currency)
    if line.amount < total:
        return said("a part: %(gap)s less than is open", gap=gap)
    return said("too much: %(gap)s more than is open", gap=gap)


def _unnamed_options(line: ReadLine, books: Books) -> list[Option]:
    """By exact amount; or all that a client of the payer's name owes; or that client's oldest, in part."""
    payer = plain_name(line.counterparty)
    same = books.by_amount.get((line.currency, line.amount), [])
    if len(same) > MOST_ALIKE:
        same = books.by_amount_and_name.get((line.currency, line.amount, payer), [])[: MOST_ALIKE + 1]
    options = [_by_amount(line, invoice) for invoice in same]
    if any(option.score >= LIKELY for option in options):
        return options
    for invoices in books.by_name.get((line.currency, payer), {}).values() if payer else ():
        total = sum(one.remaining for one in invoices)
        if total == line.amount and len(invoices) > 1:
            reasons = [said("the amount is all that this client owes"), _SAME_NAME]
            options.append(_option(line, invoices, LIKELY + _NAME, reasons))
        elif not options:
            reasons = [_SAME_NAME, _NO_NUMBER, _difference(line, total)]
            options.append(_option(line, invoices, GUESS, reasons))
    return options


def _by_amount(line: ReadLine, invoice: OpenInvoice) -> Option:
    alike = _alike(line, invoice)
    reasons = [_EXACT, _NO_NUMBER]
    if alike >= SIMILAR:
        reasons.append(_SAME_NAME if alike == 1 else said("the payer's name is like the client's"))
        return _option(line, [invoice], LIKELY + round(_NAME * alike), reasons)
    return _option(line, [invoice], GUESS + round(_NAME * alike), [*reasons, said("the payer has another name")])


def _alike(line: ReadLine, invoice: OpenInvoice) -> float:
    return similarity(plain_name(line.counterparty), plain_name(invoice.client_name))


def _option(line: ReadLine, invoices: Sequence[OpenInvoice], score: int, reasons: Sequence[Said]) -> Option:
    """The line's money over these invoices in their order, never more than is open on each."""
    left = line.amount
    parts = []
    for invoice in invoices:
        if not left:
            break
        part = min(left, invoice.remaining)
        left -= part
        parts.append(Part(invoice.id, invoice.number, part))
    first = invoices[0]
    is_part = line.amount < sum(invoice.remaining for invoice in invoices)
    return Option(first.client_id, first.client_name, tuple(parts), score, tuple(reasons), left, is_part)
