"""Who did what, when, from where: written in the same transaction as the act, append-only, sealed into a chain.

Owns audit events, audit seals, audit checkpoints. May be called by every room above; `docs/audit.md` says how an
outsider recomputes the chain.
"""

from nudgepay.audit.models import AuditCheckpoint, AuditEvent, AuditSeal
from nudgepay.audit.origins import acting_from, forget_origins, forget_origins_of
from nudgepay.audit.recording import record

__all__ = [
    "AuditCheckpoint",
    "AuditEvent",
    "AuditSeal",
    "acting_from",
    "forget_origins",
    "forget_origins_of",
    "record",
]
