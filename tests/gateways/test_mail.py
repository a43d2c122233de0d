"""One mailbox or a refusal."""

import pytest

from nudgepay.gateways.mail import BadAddress, BadEnvelope, ensure_address, ensure_message_id, shortened


@pytest.mark.parametrize(
    ("given", "clean"),
    [
        ("ada@example.com", "ada@example.com"),
        ("Ada.Byron+nudge@Example.COM", "Ada.Byron+nudge@example.com"),
        ("info@münchen.example", "info@xn--mnchen-3ya.example"),
        ("billing@localhost.localdomain", "billing@localhost.localdomain"),
    ],
)
def test_an_address_keeps_its_mailbox_and_gets_an_ascii_domain(given: str, clean: str) -> None:
    assert ensure_address(given) == clean


@pytest.mark.parametrize(
    "given",
    [
        "",
        "ada",
        "a@x.example,b@y.example",
        '"Ada" <a@x.example>',
        "<a@x.example>",
        "a@x.example\n",
        "a@x.example\r\nRCPT TO:<b@y.example>",
        "a@x.example\x00",
        "a\u2028@x.example",
        "a@[127.0.0.1]",
        "a b@x.example",
        "ä@x.example",
        "a@" + "x" * 300 + ".example",
        "a@x..example",
    ],
)
def test_an_address_that_is_not_one_plain_mailbox_is_refused(given: str) -> None:
    with pytest.raises(BadAddress) as caught:
        ensure_address(given)
    assert not given or given not in str(caught.value)


@pytest.mark.parametrize("given", ["<a@b>", "<np.../../etc.1@x>", "<np.1.0@x>", "np.x.1@y", ""])
def test_a_message_id_that_is_not_ours_never_becomes_a_file_name(given: str) -> None:
    with pytest.raises(BadEnvelope):
        ensure_message_id(given)


def test_a_reply_is_made_printable_and_short() -> None:
    assert shortened("250 ok\r\nBcc: x\x00") == "250 ok  Bcc: x "
    assert len(shortened("x" * 10_000)) == 500
