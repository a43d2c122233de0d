"""The sender doctor: does DNS let the world believe that our letters are ours? SPF, DKIM, DMARC, and a way back.

Rules: RFC 7208 (SPF), RFC 6376 and RFC 8301 (DKIM), RFC 7489 (DMARC). What could not be looked up is `not_checked`.
"""

import base64
import re
from collections.abc import Iterator

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
    load_pem_private_key,
)

from nudgepay.config import Settings
from nudgepay.gateways.dns import Answer, Dns
from nudgepay.gateways.mail import BadAddress, ensure_address
from nudgepay.readiness.findings import Finding
from nudgepay.sentences import said

MOST_LOOKUPS = 10
"""DNS questions that a receiver asks at most for one SPF record (RFC 7208 4.6.4)."""
_ASKING = re.compile(r"^[+?~-]?(include|exists|a|mx|ptr)(?:[:/]|$)|^(redirect)=", re.IGNORECASE)
_TARGET = re.compile(r"^[+?~-]?include:(\S+)$|^redirect=(\S+)$", re.IGNORECASE)
AGAIN = said("Run it again where DNS can be reached, or name servers in DNS_SERVERS")


def sender_findings(settings: Settings, dns: Dns) -> Iterator[Finding]:
    """Everything that DNS says about FROM_EMAIL, one finding for each question."""
    try:
        domain = ensure_address(settings.from_email).rpartition("@")[2]
    except BadAddress:
        yield Finding(
            "sender.address", "failed", said("FROM_EMAIL is no address"), said("Set FROM_EMAIL to one plain address")
        )
        return
    yield _spf(domain, dns)
    yield _dkim(settings, dns)
    yield _dmarc(settings, domain, dns)
    yield _way_back(settings, domain, dns)


def _unreadable(name: str, place: str, answer: Answer) -> Finding:
    return Finding(
        name, "not_checked", said("%(place)s could not be looked up (%(why)s)", place=place, why=answer.why), AGAIN
    )


def _spf(domain: str, dns: Dns) -> Finding:
    name = "sender.spf"
    answer = dns.txt(domain)
    if answer.status == "unreadable":
        return _unreadable(name, domain, answer)
    records = _spf_records(answer)
    if not records:
        cure = said("Publish a TXT record at %(domain)s such as: v=spf1 include:YOUR-RELAY -all", domain=domain)
        return Finding(name, "failed", said("%(domain)s has no SPF record", domain=domain), cure)
    if len(records) > 1:
        return Finding(
            name,
            "failed",
            said("%(domain)s has %(count)s SPF records: receivers ignore all", domain=domain, count=len(records)),
            said("Keep one"),
        )
    asked, trouble = _lookups(records[0], dns, {domain})
    if trouble is not None:
        return trouble
    if asked > MOST_LOOKUPS:
        found = said(
            "the SPF record needs %(asked)s lookups, receivers stop after %(most_lookups)s",
            asked=asked,
            most_lookups=MOST_LOOKUPS,
        )
        return Finding(name, "failed", found, said("Remove includes that send no mail for you"))
    return _judge_end(records[0], asked)


def _spf_records(answer: Answer) -> list[str]:
    return [record for record in answer.records if record.lower() == "v=spf1" or record.lower().startswith("v=spf1 ")]


def _judge_end(record: str, asked: int) -> Finding:
    terms = record.lower().split()
    found = said(
        "%(record)s (%(asked)s of %(most_lookups)s lookups)", record=record, asked=asked, most_lookups=MOST_LOOKUPS
    )
    if terms[-1] in {"-all", "~all"} or any(term.startswith("redirect=") for term in terms):
        return Finding("sender.spf", "ok", found)
    if terms[-1] in {"all", "+all"}:
        return Finding(
            "sender.spf",
            "failed",
            said("%(record)s lets everybody send in your name", record=record),
            said("End it with -all"),
        )
    return Finding(
        "sender.spf",
        "warning",
        said("%(record)s forbids nobody to send in your name", record=record),
        said("End it with -all"),
    )


def _lookups(record: str, dns: Dns, seen: set[str]) -> tuple[int, Finding | None]:
    """How many questions the record makes a receiver ask, those of its includes too; or what is wrong with one."""
    asked = 0
    for term in record.split()[1:]:
        if not _ASKING.match(term):
            continue
        asked += 1
        target = _TARGET.match(term)
        place = target and (target[1] or target[2]).rstrip(".").lower()
        if not place or place in seen or "%" in place or asked > MOST_LOOKUPS:
            continue
        answer = dns.txt(place)
        if answer.status == "unreadable":
            return asked, _unreadable("sender.spf", place, answer)
        inner = _spf_records(answer)
        if len(inner) != 1:
            cure = said("Correct or remove it: receivers treat the whole record as broken")
            return asked, Finding("sender.spf", "failed", said("%(term)s leads to no SPF record", term=term), cure)
        more, trouble = _lookups(inner[0], dns, seen | {place})
        if trouble is not None:
            return asked, trouble
        asked += more
    return asked, None


def _dkim(settings: Settings, dns: Dns) -> Finding:
    name = "sender.dkim"
    if settings.dkim_domain is None or settings.dkim_selector is None or settings.dkim_key_file is None:
        cure = said(
            "Make sure that your relay signs for your domain, or set DKIM_DOMAIN, DKIM_SELECTOR and DKIM_KEY_FILE"
        )
        return Finding(name, "not_checked", said("letters leave unsigned; the relay may sign them"), cure)
    place = f"{settings.dkim_selector}._domainkey.{settings.dkim_domain}"
    try:
        private = load_pem_private_key(settings.dkim_key_file.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm):
        return Finding(
            name, "failed", said("DKIM_KEY_FILE cannot be read"), said("Name a PEM file of an RSA private key")
        )
    if not isinstance(private, RSAPrivateKey):
        return Finding(
            name, "failed", said("DKIM_KEY_FILE is no RSA key"), said("Make one with: openssl genrsa 2048")
        )
    own = private.public_key()
    answer = dns.txt(place)
    if answer.status == "unreadable":
        return _unreadable(name, place, answer)
    der = base64.b64encode(own.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
    publish = said("Publish a TXT record at %(place)s: v=DKIM1; k=rsa; p=%(der)s", place=place, der=der)
    if answer.status == "absent":
        return Finding(name, "failed", said("there is no key at %(place)s", place=place), publish)
    tags = _tags("".join(answer.records))
    return _judge_key(tags, own, place, publish)


def _judge_key(tags: dict[str, str], own: RSAPublicKey, place: str, publish: str) -> Finding:
    if not tags.get("p"):
        return Finding("sender.dkim", "failed", said("the key at %(place)s is revoked", place=place), publish)
    try:
        theirs = load_der_public_key(base64.b64decode(tags["p"], validate=True))
    except (ValueError, UnsupportedAlgorithm):
        return Finding("sender.dkim", "failed", said("the record at %(place)s holds no key", place=place), publish)
    if not isinstance(theirs, RSAPublicKey) or theirs.public_numbers() != own.public_numbers():
        return Finding(
            "sender.dkim",
            "failed",
            said("the key at %(place)s is not the one that letters are signed with", place=place),
            publish,
        )
    if own.key_size < 1024:
        cure = said("Make one of 2048 bits: openssl genrsa 2048")
        return Finding(
            "sender.dkim",
            "failed",
            said("the key has %(key_size)s bits: receivers refuse it", key_size=own.key_size),
            cure,
        )
    if "y" in tags.get("t", "").split(":"):
        return Finding(
            "sender.dkim",
            "warning",
            said("%(place)s says that it is only tested", place=place),
            said("Remove t=y from the record"),
        )
    if own.key_size < 2048:
        return Finding(
            "sender.dkim",
            "warning",
            said("the key has %(key_size)s bits", key_size=own.key_size),
            said("Make one of 2048 bits"),
        )
    return Finding(
        "sender.dkim",
        "ok",
        said("letters are signed with the key at %(place)s (%(key_size)s bits)", place=place, key_size=own.key_size),
    )


def _dmarc(settings: Settings, domain: str, dns: Dns) -> Finding:
    name = "sender.dmarc"
    place, answer = _dmarc_record(domain, dns)
    if answer.status == "unreadable":
        return _unreadable(name, place, answer)
    if answer.status == "absent":
        cure = said(
            "Publish a TXT record at _dmarc.%(domain)s: v=DMARC1; p=none; rua=mailto:%(from_email)s",
            domain=domain,
            from_email=settings.from_email,
        )
        return Finding(
            name,
            "failed",
            said("%(domain)s has no DMARC record: large receivers refuse such mail", domain=domain),
            cure,
        )
    tags = _tags(answer.records[0])
    policy = tags.get("p", "").lower()
    if place != f"_dmarc.{domain}" and tags.get("sp"):
        policy = tags["sp"].lower()
    if policy not in {"none", "quarantine", "reject"}:
        return Finding(
            name,
            "failed",
            said("the record at %(place)s names no policy", place=place),
            said("Add p=none, then p=quarantine"),
        )
    strict = tags.get("adkim", "r").lower() == "s"
    if strict and settings.dkim_domain is not None and settings.dkim_domain.lower() != domain.lower():
        cure = said("Sign for %(domain)s, or remove adkim=s", domain=domain)
        return Finding(name, "failed", said("adkim=s asks for a signature of the sender's very domain"), cure)
    if policy == "none":
        cure = said("When the reports look right, change it to p=quarantine")
        return Finding(name, "warning", said("the policy at %(place)s only watches", place=place), cure)
    return Finding(
        name, "ok", said("%(place)s asks receivers to %(policy)s what is not ours", place=place, policy=policy)
    )


def _dmarc_record(domain: str, dns: Dns) -> tuple[str, Answer]:
    """The domain's record, else that of the nearest domain above it (not of a top-level domain)."""
    labels = domain.split(".")
    place = f"_dmarc.{domain}"
    for start in range(max(1, len(labels) - 1)):
        place = f"_dmarc.{'.'.join(labels[start:])}"
        answer = dns.txt(place)
        if answer.status == "unreadable":
            return place, answer
        records = tuple(one for one in answer.records if one.upper().replace(" ", "").startswith("V=DMARC1"))
        if len(records) == 1:
            return place, Answer("found", records)
    return place, Answer("absent")


def _way_back(settings: Settings, domain: str, dns: Dns) -> Finding:
    """Bounces and answers need a mailbox: an MX, or at least an address, and no null MX (RFC 7505)."""
    name = "sender.way_back"
    for place in dict.fromkeys([domain, (settings.reply_to or "").rpartition("@")[2].strip("> ") or domain]):
        answer = dns.mx(place)
        if answer.status == "unreadable":
            return _unreadable(name, place, answer)
        if any(record.split()[-1] == "." for record in answer.records):
            cure = said("Use a FROM_EMAIL and REPLY_TO that can receive")
            return Finding(name, "failed", said("%(place)s says that it takes no mail", place=place), cure)
        if answer.status == "absent":
            address = dns.address(place)
            if address.status == "unreadable":
                return _unreadable(name, place, address)
            if address.status == "absent":
                cure = said("Give %(place)s an MX record: bounces and answers would be lost", place=place)
                return Finding(name, "failed", said("%(place)s can receive no mail", place=place), cure)
    return Finding(name, "ok", said("bounces and answers can reach %(domain)s", domain=domain))


def _tags(record: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in record.split(";"))
    return {key.strip().lower(): re.sub(r"\s+", "", value) for key, _, value in pairs if key.strip()}
