"""Before a workbook is opened: is it one, and does its directory promise less than would fill the machine?"""

import zipfile
from typing import BinaryIO

from nudgepay.invoices.importing.faults import RowFault, Unreadable

MAX_UNPACKED = 100 * 1024 * 1024
MAX_SHARED_STRINGS = 32 * 1024 * 1024
MAX_RATIO = 200
MAX_MEMBERS = 1_000
_SMALL = 1024 * 1024
_COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")


def is_workbook(head: bytes) -> bool:
    """True for the first bytes of an archive or of an old or encrypted workbook."""
    return head.startswith((b"PK\x03\x04", b"PK\x05\x06", _COMPOUND))


def ensure_harmless(stream: BinaryIO) -> None:
    """Judge the archive by its directory alone, and leave the stream at its start. Raises Unreadable.

    The sizes in the directory bind: no more than them is ever unpacked from a member.
    """
    if stream.read(8) == _COMPOUND:
        _refuse_compound(stream.read())
    stream.seek(0)
    try:
        with zipfile.ZipFile(stream) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
        raise refusal("not_xlsx", "is no readable .xlsx workbook; save it again as .xlsx or CSV") from error
    _judge(members)
    stream.seek(0)


def refusal(code: str, message: str) -> Unreadable:
    """A fault of the whole workbook."""
    return Unreadable(RowFault(1, "", code, f"the file {message}"))


def _refuse_compound(rest: bytes) -> None:
    if _ENCRYPTED in rest:
        raise refusal("encrypted", "is protected with a password; remove it in the spreadsheet program")
    raise refusal("old_excel", "is in the old .xls format; save it as .xlsx or CSV")


def _judge(members: list[zipfile.ZipInfo]) -> None:
    if len(members) > MAX_MEMBERS:
        raise refusal("too_large", f"has more than {MAX_MEMBERS} parts; save the one sheet as CSV")
    if any(member.flag_bits & 0x1 for member in members):
        raise refusal("encrypted", "is protected with a password; remove it in the spreadsheet program")
    if not any(member.filename == "[Content_Types].xml" for member in members):
        raise refusal("not_xlsx", "is an archive but no .xlsx workbook; save it as .xlsx or CSV")
    if sum(member.file_size for member in members) > MAX_UNPACKED:
        raise refusal("too_large", f"would unpack to more than {MAX_UNPACKED // 2**20} MB; save the one sheet as CSV")
    for member in members:
        if member.file_size > _SMALL and member.file_size > MAX_RATIO * max(member.compress_size, 1):
            raise refusal("zip_bomb", f"would unpack to more than {MAX_RATIO} times its size; save it as CSV")
        if member.filename.endswith("sharedStrings.xml") and member.file_size > MAX_SHARED_STRINGS:
            raise refusal("too_large", f"holds more than {MAX_SHARED_STRINGS // 2**20} MB of text; save it as CSV")
