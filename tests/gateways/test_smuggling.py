"""No text of a letter becomes a second letter, at a strict receiver or at a lenient one (A39)."""

import re
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples import examples
from gateways.test_smtp import envelope, yes
from nudgepay.gateways.fakes.smtp_sink import SmtpSink
from nudgepay.gateways.smtp import SmtpTransport
from nudgepay.gateways.smtp_client import Relay
from nudgepay.gateways.smtp_dialogue import on_the_wire

ENDS = (b"\r\n", b"\n", b"\r", b"\n\r", b"\r\r\n", b"\r\0\n", b"\x0b", b"\x0c", b"\x85", b"\xe2\x80\xa8")
SECOND = b"MAIL FROM:<boss@evil.example>\r\nRCPT TO:<victim@evil.example>\r\nDATA\r\nFrom: boss@evil.example\r\n\r\npay\r\n"
VARIANTS = [before + b"." + after for before, after in product(ENDS, ENDS)]
LENIENT = re.compile(rb"(?:\r\n|\n|\r)\.(?:\r\n|\n|\r)")
"""Where receivers that took bare line ends for line ends saw a message end (CVE-2023-51764 and its kin)."""


def ends_seen(stream: bytes, *, lenient: bool) -> list[int]:
    """Offsets behind each end of a message, as a receiver of either kind reads the stream after DATA."""
    pattern = LENIENT if lenient else re.compile(rb"\r\n\.\r\n")
    return [found.end() for found in pattern.finditer(b"\r\n" + stream)]


@pytest.mark.parametrize("end", VARIANTS, ids=repr)
def test_a_receiver_of_either_kind_sees_one_end_and_it_is_the_last(end: bytes) -> None:
    stream = on_the_wire(b"Subject: x\r\n\r\nhello" + end + SECOND + end)
    for lenient in (False, True):
        assert ends_seen(stream, lenient=lenient) == [len(stream) + 2]


@examples(300)
@given(st.lists(st.sampled_from([b"\r", b"\n", b".", b"a", b"\0", b"MAIL FROM:<x@y>"]), max_size=40).map(b"".join))
def test_no_mixture_of_dots_and_line_ends_looks_like_an_end(body: bytes) -> None:
    stream = on_the_wire(body)
    for lenient in (False, True):
        assert ends_seen(stream, lenient=lenient) == [len(stream) + 2]
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", stream), "no bare line end leaves"


@pytest.mark.parametrize("size", [1024, 8192, 65_536])
def test_line_ends_across_the_borders_of_chunks_smuggle_nothing(tmp_path: Path, size: int) -> None:
    """A sequence that lies across a border of reads or segments is still one sequence."""
    with SmtpSink(tmp_path / "journal.jsonl") as sink:
        transport = SmtpTransport(
            Relay(sink.host, sink.port, helo="atelier.example", security="none", step_timeout=2.0, total=5.0),
            pool_size=1,
            password=lambda: None,
        )
        letters = []
        for shift, end in product(range(-6, 3), (b"\r\n.\r\n", b"\n.\n", b"\r.\r", b"\n.\r\n")):
            head = len(envelope(body=b"").mime)
            letters.append(envelope(body=b"x" * (size - head + shift) + end + SECOND))
            transport.deliver(letters[-1], may_begin=yes)
        transport.close()
        kept = sink.kept()
        verbs = sink.verbs()
    assert len(kept) == len(letters)
    assert {tuple(one["recipients"]) for one in kept} == {("ada@client.example",)}
    assert verbs.count("MAIL") == verbs.count("RCPT") == verbs.count("DATA") == len(letters)
    assert all(one["content"].count("evil.example") == 3 for one in kept)
