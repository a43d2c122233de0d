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

MOST_LOOKUPS = 10
"""DNS questions that a receiver asks at most for one SPF record (RFC 7208 4.6.4)."""
_ASKING = re.compile(r"^[+?~-]?(include|exists|a|mx|ptr)(?:[:/]|$)|^(redirect)=", re.IGNORECASE)
_TARGET = re.compile(r"^[+?~-]?include:(\S+)$|^redirect=(\S+)$", re.IGNORECASE)
AGAIN = "Run it again where DNS can be reached, or name servers in DNS_SERVERS"


def sender_findings(settings: Settings, dns: Dns) -> Iterator[Finding]:
    """Everything that DNS says about FROM_EMAIL, one finding for each question."""
    try:
        domain = ensure_address(settings.from_email).rpartition("@")[2]
    except BadAddress:
        yield Finding("sender.address", "failed", "FROM_EMAIL is no address", "Set FROM_EMAIL to one plain address")
        return
    yield _spf(domain, dns)
    yield _dkim(settings, dns)
    yield _dmarc(settings, domain, dns)
    yield _way_back(settings, domain, dns)


def _unreadable(name: str, what: str, answer: Answer) -> Finding:
    return Finding(name, "not_checked", f"{what} could not be looked up ({answer.why})", AGAIN)


def _spf(domain: str, dns: Dns) -> Finding:
    name = "sender.spf"
    answer = dns.txt(domain)
    if answer.status == "unreadable":
        return _unreadable(name, f"SPF of {domain}", answer)
    records = _spf_records(answer)
    if not records:
        cure = f"Publish a TXT record at {domain} such as: v=spf1 include:YOUR-RELAY -all"
        return Finding(name, "failed", f"{domain} has no SPF record", cure)
    if len(records) > 1:
        return Finding(name, "failed", f"{domain} has {len(records)} SPF records: receivers ignore all", "Keep one")
    asked, trouble = _lookups(records[0], dns, {domain})
    if trouble is not None:
        return trouble
    if asked > MOST_LOOKUPS:
        found = f"the SPF record needs {asked} lookups, receivers stop after {MOST_LOOKUPS}"
        return Finding(name, "failed", found, "Remove includes that send no mail for you")
    return _judge_end(records[0], asked)


def _spf_records(answer: Answer) -> list[str]:
    return [record for record in answer.records if record.lower() == "v=spf1" or record.lower().startswith("v=spf1 ")]


def _judge_end(record: str, asked: int) -> Finding:
    terms = record.lower().split()
    found = f"{record} ({asked} of {MOST_LOOKUPS} lookups)"
    if terms[-1] in {"-all", "~all"} or any(term.startswith("redirect=") for term in terms):
        return Finding("sender.spf", "ok", found)
    if terms[-1] in {"all", "+all"}:
        return Finding("sender.spf", "failed", f"{record} lets everybody send in your name", "End it with -all")
    return Finding("sender.spf", "warning", f"{record} forbids nobody to send in your name", "End it with -all")


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
            return asked, _unreadable("sender.spf", f"SPF of {place}", answer)
        inner = _spf_records(answer)
        if len(inner) != 1:
            cure = "Correct or remove it: receivers treat the whole record as broken"
            return asked, Finding("sender.spf", "failed", f"{term} leads to no SPF record", cure)
        more, trouble = _lookups(inner[0], dns, seen | {place})
        if trouble is not None:
            return asked, trouble
        asked += more
    return asked, None


def _dkim(settings: Settings, dns: Dns) -> Finding:
    name = "sender.dkim"
    if settings.dkim_domain is None or settings.dkim_selector is None or settings.dkim_key_file is None:
        cure = "Make sure that your relay signs for your domain, or set DKIM_DOMAIN, DKIM_SELECTOR and DKIM_KEY_FILE"
        return Finding(name, "not_checked", "letters leave unsigned; the relay may sign them", cure)
    place = f"{settings.dkim_selector}._domainkey.{settings.dkim_domain}"
    try:
        private = load_pem_private_key(settings.dkim_key_file.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm):
        return Finding(name, "failed", "DKIM_KEY_FILE cannot be read", "Name a PEM file of an RSA private key")
    if not isinstance(private, RSAPrivateKey):
        return Finding(name, "failed", "DKIM_KEY_FILE is no RSA key", "Make one with: openssl genrsa 2048")
    own = private.public_key()
    answer = dns.txt(place)
    if answer.status == "unreadable":
        return _unreadable(name, f"the key at {place}", answer)
    der = base64.b64encode(own.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
    publish = f"Publish a TXT record at {place}: v=DKIM1; k=rsa; p={der}"
    if answer.status == "absent":
        return Finding(name, "failed", f"there is no key at {place}", publish)
    tags = _tags("".join(answer.records))
    return _judge_key(tags, own, place, publish)


def _judge_key(tags: dict[str, str], own: RSAPublicKey, place: str, publish: str) -> Finding:
    if not tags.get("p"):
        return Finding("sender.dkim", "failed", f"the key at {place} is revoked", publish)
    try:
        theirs = load_der_public_key(base64.b64decode(tags["p"], validate=True))
    except (ValueError, UnsupportedAlgorithm):
        return Finding("sender.dkim", "failed", f"the record at {place} holds no key", publish)
    if not isinstance(theirs, RSAPublicKey) or theirs.public_numbers() != own.public_numbers():
        return Finding(
            "sender.dkim", "failed", f"the key at {place} is not the one that letters are signed with", publish
        )
    if own.key_size < 1024:
        cure = "Make one of 2048 bits: openssl genrsa 2048"
        return Finding("sender.dkim", "failed", f"the key has {own.key_size} bits: receivers refuse it", cure)
    if "y" in tags.get("t", "").split(":"):
        return Finding("sender.dkim", "warning", f"{place} says that it is only tested", "Remove t=y from the record")
    if own.key_size < 2048:
        return Finding("sender.dkim", "warning", f"the key has {own.key_size} bits", "Make one of 2048 bits")
    return Finding("sender.dkim", "ok", f"letters are signed with the key at {place} ({own.key_size} bits)")


def _dmarc(settings: Settings, domain: str, dns: Dns) -> Finding:
    name = "sender.dmarc"
    place, answer = _dmarc_record(domain, dns)
    if answer.status == "unreadable":
        return _unreadable(name, f"DMARC of {domain}", answer)
    if answer.status == "absent":
        cure = f"Publish a TXT record at _dmarc.{domain}: v=DMARC1; p=none; rua=mailto:{settings.from_email}"
        return Finding(name, "failed", f"{domain} has no DMARC record: large receivers refuse such mail", cure)
    tags = _tags(answer.records[0])
    policy = tags.get("p", "").lower()
    if place != f"_dmarc.{domain}" and tags.get("sp"):
        policy = tags["sp"].lower()
    if policy not in {"none", "quarantine", "reject"}:
        return Finding(name, "failed", f"the record at {place} names no policy", "Add p=none, then p=quarantine")
    strict = tags.get("adkim", "r").lower() == "s"
    if strict and settings.dkim_domain is not None and settings.dkim_domain.lower() != domain.lower():
        cure = f"Sign for {domain}, or remove adkim=s"
        return Finding(name, "failed", "adkim=s asks for a signature of the sender's very domain", cure)
    if policy == "none":
        cure = "When the reports look right, change it to p=quarantine"
        return Finding(name, "warning", f"the policy at {place} only watches", cure)
    return Finding(name, "ok", f"{place} asks receivers to {policy} what is not ours")


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
            return _unreadable(name, f"MX of {place}", answer)
        if any(record.split()[-1] == "." for record in answer.records):
            cure = "Use a FROM_EMAIL and REPLY_TO that can receive"
            return Finding(name, "failed", f"{place} says that it takes no mail", cure)
        if answer.status == "absent":
            address = dns.address(place)
            if address.status == "unreadable":
                return _unreadable(name, f"the address of {place}", address)
            if address.status == "absent":
                cure = f"Give {place} an MX record: bounces and answers would be lost"
                return Finding(name, "failed", f"{place} can receive no mail", cure)
    return Finding(name, "ok", f"bounces and answers can reach {domain}")


def _tags(record: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in record.split(";"))
    return {key.strip().lower(): re.sub(r"\s+", "", value) for key, _, value in pairs if key.strip()}
