"""ISO 20022 camt.053, all versions by local name: read in a stream that keeps nothing but the fields it wants.

Only booked (`BOOK`) credits become lines; an entry that `RvslInd` or a return reason marks is kept as a reversal. An
entry of several transactions becomes one line each when their amounts add up to it, or else stays one line.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser, ParseError

from nudgepay.invoices.importing.faults import RowFault, Unreadable
from nudgepay.invoices.importing.reading import MAX_BYTES, MAX_ROWS
from nudgepay.payments.statements.camt_entries import Fields, account_of, lines_of, period_of
from nudgepay.payments.statements.lines import MAX_TEXT, ReadStatement

MAX_DEPTH = 40
"""The deepest path of the schema has 15 elements."""
CHUNK = 65_536
ROOT = "Document/BkToCstmrStmt/Stmt"
ENTRY = f"{ROOT}/Ntry"
DETAILS = f"{ENTRY}/NtryDtls/TxDtls"
OTHERS = {
    "BkToCstmrAcctRpt": "camt.052, which tells of money that is not final; ask the bank for camt.053",
    "BkToCstmrDbtCdtNtfctn": "camt.054, which tells of single bookings; ask the bank for camt.053",
}
STATEMENT_FIELDS = {"Acct/Id/IBAN", "Acct/Id/Othr/Id", "FrToDt/FrDtTm", "FrToDt/ToDtTm"}
ENTRY_FIELDS = {
    *("Amt", "CdtDbtInd", "RvslInd", "Sts", "Sts/Cd", "Sts/Prtry", "AcctSvcrRef", "AddtlNtryInf"),
    *("BookgDt/Dt", "BookgDt/DtTm", "ValDt/Dt", "ValDt/DtTm"),
}
DETAIL_FIELDS = {
    *("Refs/AcctSvcrRef", "Refs/EndToEndId", "Amt", "AmtDtls/TxAmt/Amt", "CdtDbtInd", "AddtlTxInf", "RtrInf"),
    *(f"RltdPties/{who}/Nm" for who in ("Dbtr", "Cdtr", "UltmtDbtr", "UltmtCdtr")),
    *(f"RltdPties/{who}/Pty/Nm" for who in ("Dbtr", "Cdtr", "UltmtDbtr", "UltmtCdtr")),
    *("RmtInf/Ustrd", "RmtInf/Strd/CdtrRefInf/Ref", "RmtInf/Strd/RfrdDocInf/Nb"),
}
SCOPES = ((DETAILS, DETAIL_FIELDS), (ENTRY, ENTRY_FIELDS), (ROOT, STATEMENT_FIELDS))
WANTED = {f"{scope}/{name}": (scope, name) for scope, names in SCOPES for name in names}


def peek_camt053(raw: bytes) -> None:
    """Look at the beginning only; raises Unreadable for what is no camt.053 from its first words on."""
    if len(raw) <= CHUNK:
        read_camt053(raw)
        return
    _ensure_size(raw)
    reader = _Reader()
    with _refusals():
        DefusedXMLParser(target=reader, forbid_dtd=True).feed(raw[:CHUNK])


def read_camt053(raw: bytes) -> list[ReadStatement]:
    """The statements of a file, one for each account; raises Unreadable.

    `line` of a fault counts entries, except where the file is no XML: there it is the line of the text.
    """
    _ensure_size(raw)
    reader = _Reader()
    parser = DefusedXMLParser(target=reader, forbid_dtd=True)
    with _refusals():
        for start in range(0, len(raw), CHUNK):
            parser.feed(raw[start : start + CHUNK])
        parser.close()
    if not reader.statements:
        raise _refused(1, "no_statement", "holds no statement of the form camt.053")
    return reader.statements


def _ensure_size(raw: bytes) -> None:
    if len(raw) > MAX_BYTES:
        raise _refused(1, "too_large", f"the file is larger than {MAX_BYTES // 2**20} MB; ask for shorter periods")


@contextmanager
def _refusals() -> Iterator[None]:
    """What the parser will not read is said of the file."""
    try:
        yield
    except DefusedXmlException as error:
        message = "holds a document type or entity declaration, which no bank writes; it was not read"
        raise _refused(1, "forbidden_xml", message) from error
    except ParseError as error:
        line = getattr(error, "position", (1, 0))[0]
        raise _refused(line, "xml", "is no well-formed XML from here on; fetch the file again") from error
    except (LookupError, ValueError) as error:
        raise _refused(1, "encoding", "names an encoding that it is not written in; fetch the file again") from error


def _refused(line: int, code: str, message: str) -> Unreadable:
    return Unreadable(RowFault(line, "", code, message))


class _Reader:
    """The parser's target: knows where it is, and keeps the wanted fields of one entry at a time."""

    def __init__(self) -> None:
        self.statements: list[ReadStatement] = []
        self._path: list[str] = []
        self._text: list[str] | None = None
        self._length = 0
        self._currency = ""
        self._fields: dict[str, Fields] = {}
        self._details: list[Fields] = []
        self._entries = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition("}")[2]
        self._path.append(name)
        self._ensure_bounded()
        where = "/".join(self._path)
        if where in {ROOT, ENTRY, DETAILS}:
            self._fields[where] = Fields()
        if where in WANTED:
            self._text, self._currency = [], attributes.get("Ccy", "")
            if name == "RtrInf":
                self._fields[DETAILS].add("RtrInf", "true", "")

    def _ensure_bounded(self) -> None:
        if len(self._path) > MAX_DEPTH:
            raise _refused(self._entries + 1, "too_deep", f"is nested deeper than {MAX_DEPTH} elements")
        if len(self._path) == 2 and self._path != ROOT.split("/")[:2]:
            found = OTHERS.get(self._path[1], "no camt.053 statement")
            raise _refused(1, "other_message", f"is {found}")

    def data(self, text: str) -> None:
        if self._text is None:
            return
        self._text.append(text)
        self._length += len(text)
        if self._length > MAX_TEXT:
            what = self._path[-1]
            raise _refused(self._entries + 1, "too_long", f"{what} is longer than {MAX_TEXT} characters")

    def end(self, tag: str) -> None:
        where = "/".join(self._path)
        self._path.pop()
        if where in WANTED and self._text is not None:
            scope, name = WANTED[where]
            self._keep(scope, name, "".join(self._text))
        self._text, self._length = None, 0
        if where == DETAILS:
            self._details.append(self._fields[DETAILS])
            if len(self._details) > MAX_ROWS:
                self._too_many()
        elif where == ENTRY:
            self._end_entry()
        elif where == ROOT:
            statement = self._statement()
            statement.account = account_of(self._fields[ROOT])
            statement.period_from, statement.period_to = period_of(self._fields[ROOT])
            self.statements.append(statement)
            self._current = None

    def _keep(self, scope: str, name: str, text: str) -> None:
        if text.strip() and not self._fields[scope].add(name, text.strip(), self._currency):
            raise _refused(self._entries + 1, "too_long", f"{name}: more than {MAX_TEXT} characters in one entry")

    _current: ReadStatement | None = None

    def _statement(self) -> ReadStatement:
        if self._current is None:
            self._current = ReadStatement("camt.053")
        return self._current

    def _end_entry(self) -> None:
        self._entries += 1
        statement = self._statement()
        lines_of(self._fields[ENTRY], self._details, statement, entry_number=self._entries)
        self._details = []
        if sum(len(one.lines) for one in (*self.statements, statement)) > MAX_ROWS:
            self._too_many()

    def _too_many(self) -> None:
        raise _refused(self._entries + 1, "too_many_rows", f"more than {MAX_ROWS} lines; ask for shorter periods")

    def close(self) -> Any:
        return None
