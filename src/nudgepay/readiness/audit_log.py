"""Is the audit log whole, and closed to the application? Checked in full, and looked at by the doctor."""

from collections.abc import Iterator
from pathlib import Path

from nudgepay import ledger
from nudgepay.audit.checkpoints import newest_checkpoint
from nudgepay.audit.running import audit_keys, verify_log
from nudgepay.audit.verifying import Progress, Verdict
from nudgepay.readiness.findings import Finding
from nudgepay.runtime import Runtime
from nudgepay.schema_lifecycle.app_role import CURE, role_state

NAME = "audit"
"""Of the ledger's entries about checks of the log."""
NOTICE = "audit.broken"


def check_audit_log(
    runtime: Runtime,
    *,
    actor: str,
    checkpoint: Path | None = None,
    progress: Progress = lambda _done, _total: None,
) -> Verdict:
    """Verify the log, keep the result, and open (or close) the notice that says it is broken."""
    with ledger.execution(runtime.db, kind="check", name=NAME, actor=actor) as details:
        verdict = verify_log(runtime.db, runtime.settings, checkpoint=checkpoint, progress=progress)
        details.update({key: value for key, value in verdict.document().items() if key != "checkpoint"})
    with runtime.db.transaction() as session:
        if verdict.first_bad is None:
            ledger.resolve_notice(session, NOTICE, actor=actor)
        else:
            found = verdict.first_bad.document()
            ledger.notice(session, NOTICE, NOTICE, {"record": found["id"], "reason": found["reason"]})
    return verdict


def audit_findings(runtime: Runtime) -> Iterator[Finding]:
    """Whether the application could change the log, and whether somebody signs for it."""
    with runtime.db.transaction() as session:
        state, newest = role_state(session), newest_checkpoint(session)
    is_real = runtime.settings.environment in {"staging", "production"}
    if not state.is_in_force:
        yield Finding("audit.role", "warning", f"works with all rights of {state.login}: could change the log", CURE)
    elif state.may_leave and is_real:
        cure = "Give DATABASE_URL of web and worker a login that is only a member of nudgepay_app (docs/audit.md)"
        yield Finding("audit.role", "warning", f"may add only, but its login {state.login} could do more", cure)
    else:
        yield Finding("audit.role", "ok", "the application may add to the log, not change it")
    if audit_keys(runtime.settings).signer is None:
        cure = "Set AUDIT_SIGNING_KEY (nudgepay init makes one)"
        yield Finding("audit.seals", "warning", "records are sealed, nobody signs for them", cure)
    elif runtime.settings.audit_anchor_dir is None:
        cure = "Set AUDIT_ANCHOR_DIR to a directory that leaves this machine"
        yield Finding("audit.seals", "warning", "are signed, but kept nowhere else", cure)
    else:
        known = f"the newest of {newest.at:%Y-%m-%d %H:%M} UTC" if newest else "none yet"
        yield Finding("audit.seals", "ok", f"are signed and kept elsewhere, {known}")
