"""The sender doctor before a real name server: what is missing, wrong, weak, and what could not be looked up."""

import base64
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from nudgepay.config import Settings
from nudgepay.gateways.dns import Dns
from nudgepay.gateways.fakes.dns import FakeDns
from nudgepay.readiness.sender import sender_findings

DOMAIN = "atelier.example"
SPF = (DOMAIN, "TXT")
MX = (DOMAIN, "MX")
DMARC = (f"_dmarc.{DOMAIN}", "TXT")
DKIM = (f"np1._domainkey.{DOMAIN}", "TXT")
GOOD = {
    SPF: ('"some other record"', '"v=spf1 include:relay.example -all"'),
    ("relay.example", "TXT"): ('"v=spf1 ip4:192.0.2.0/24 -all"',),
    DMARC: ('"v=DMARC1; p=quarantine"',),
    MX: ("10 mail.atelier.example.",),
}


def key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def published(private: rsa.RSAPrivateKey, more: str = "") -> tuple[str, ...]:
    der = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    text = f"v=DKIM1; k=rsa; {more}p={base64.b64encode(der).decode()}"
    return (" ".join(f'"{text[start : start + 200]}"' for start in range(0, len(text), 200)),)


def signing(settings: Settings, private: rsa.RSAPrivateKey, directory: Path, **changes: object) -> Settings:
    path = directory / "dkim.pem"
    path.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()))
    given = {"dkim_domain": DOMAIN, "dkim_selector": "np1", "dkim_key_file": path} | changes
    return settings.model_copy(update=given)


def doctor(settings: Settings, zone: dict, **faults: frozenset[str]) -> dict[str, tuple[str, str]]:
    with FakeDns(zone, **faults) as server:
        found = {one.name: one for one in sender_findings(settings, Dns([server.address], lifetime=1))}
        assert all(one.cure for one in found.values() if one.verdict != "ok"), "every trouble has its cure"
        return {name: (one.verdict, one.found) for name, one in found.items()}


def test_a_sender_that_is_set_up_is_ok(settings: Settings, tmp_path: Path) -> None:
    private = key()
    found = doctor(signing(settings, private, tmp_path), GOOD | {DKIM: published(private)})
    assert {name: verdict for name, (verdict, _) in found.items()} == {
        "sender.spf": "ok",
        "sender.dkim": "ok",
        "sender.dmarc": "ok",
        "sender.way_back": "ok",
    }
    assert "1 of 10 lookups" in found["sender.spf"][1]


@pytest.mark.parametrize(
    ("records", "verdict", "said"),
    [
        ((), "failed", "no SPF record"),
        (('"v=spf1 -all"', '"v=spf1 mx -all"'), "failed", "2 SPF records"),
        (('"v=spf1 +all"',), "failed", "lets everybody"),
        (('"v=spf1 mx ?all"',), "warning", "forbids nobody"),
        (('"v=spf1 mx"',), "warning", "forbids nobody"),
        (('"v=spf1 mx ~all"',), "ok", "1 of 10"),
        (('"v=spf10 -all"',), "failed", "no SPF record"),
        (('"v=spf1 include:nobody.example -all"',), "failed", "leads to no SPF record"),
        (('"v=spf1 ' + " ".join(f"a:h{n}.example" for n in range(11)) + ' -all"',), "failed", "11 lookups"),
        (('"v=spf1 include:loop.example -all"',), "ok", "2 of 10"),
    ],
)
def test_spf_is_judged_as_receivers_do(settings: Settings, records: tuple[str, ...], verdict: str, said: str) -> None:
    zone = GOOD | {SPF: records, ("loop.example", "TXT"): ('"v=spf1 include:atelier.example -all"',)}
    found = doctor(settings, zone)["sender.spf"]
    assert found[0] == verdict
    assert said in found[1]


@pytest.mark.parametrize("fault", ["silent", "failing"])
def test_what_could_not_be_looked_up_is_never_good(settings: Settings, tmp_path: Path, fault: str) -> None:
    private = key()
    names = frozenset({DOMAIN, DMARC[0], DKIM[0]})
    found = doctor(signing(settings, private, tmp_path), GOOD | {DKIM: published(private)}, **{fault: names})
    assert {verdict for verdict, _ in found.values()} == {"not_checked"}


def test_an_include_that_nobody_answers_for_is_not_good_either(settings: Settings) -> None:
    assert doctor(settings, GOOD, failing=frozenset({"relay.example"}))["sender.spf"][0] == "not_checked"


def test_a_key_that_differs_is_revoked_weak_or_on_trial_is_found(settings: Settings, tmp_path: Path) -> None:
    private = key()
    own = signing(settings, private, tmp_path)

    def judged(records: tuple[str, ...] | None) -> tuple[str, str]:
        zone = GOOD if records is None else GOOD | {DKIM: records}
        return doctor(own, zone)["sender.dkim"]

    assert judged(None)[0] == "failed"
    assert "not the one" in judged(published(key()))[1]
    assert "revoked" in judged(('"v=DKIM1; k=rsa; p="',))[1]
    assert "holds no key" in judged(('"v=DKIM1; k=rsa; p=####"',))[1]
    assert judged(published(private, "t=y; ")) == (
        "warning",
        "np1._domainkey.atelier.example says that it is only tested",
    )
    small = key(1024)
    assert doctor(signing(settings, small, tmp_path), GOOD | {DKIM: published(small)})["sender.dkim"][0] == "warning"


def test_unsigned_letters_are_said_to_be_unchecked(settings: Settings) -> None:
    assert doctor(settings, GOOD)["sender.dkim"][0] == "not_checked"


@pytest.mark.parametrize(
    ("zone", "verdict"),
    [
        ({DMARC: ()}, "failed"),
        ({DMARC: ('"v=DMARC1; p=none"',)}, "warning"),
        ({DMARC: ('"v=DMARC1; p=reject"',)}, "ok"),
        ({DMARC: ('"v=DMARC1"',)}, "failed"),
        ({DMARC: ('"v=DMARC1; p=none"', '"v=DMARC1; p=reject"')}, "failed"),
    ],
)
def test_dmarc_is_judged(settings: Settings, zone: dict, verdict: str) -> None:
    assert doctor(settings, GOOD | zone)["sender.dmarc"][0] == verdict


def test_a_subdomain_takes_the_policy_from_above(settings: Settings) -> None:
    own = settings.model_copy(update={"from_email": "billing@mail.atelier.example"})
    zone = GOOD | {DMARC: ('"v=DMARC1; p=none; sp=reject"',), ("mail.atelier.example", "MX"): ("10 m.example.",)}
    assert doctor(own, zone)["sender.dmarc"] == (
        "ok",
        "_dmarc.atelier.example asks receivers to reject what is not ours",
    )


def test_a_signature_of_another_domain_fails_strict_alignment(settings: Settings, tmp_path: Path) -> None:
    own = signing(settings, key(), tmp_path).model_copy(update={"from_email": "billing@mail.atelier.example"})
    zone = GOOD | {DMARC: ('"v=DMARC1; p=reject; adkim=s"',)}
    assert doctor(own, zone)["sender.dmarc"][0] == "failed"


@pytest.mark.parametrize(
    ("zone", "verdict"),
    [
        ({MX: ()}, "failed"),
        ({MX: ("0 .",)}, "failed"),
        ({MX: (), (DOMAIN, "A"): ("192.0.2.1",)}, "ok"),
    ],
)
def test_bounces_need_a_way_back(settings: Settings, zone: dict, verdict: str) -> None:
    assert doctor(settings, GOOD | zone)["sender.way_back"][0] == verdict
