"""A second person: who may say yes, to what exactly, for how long, and how often."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from access.people import as_of_now, working
from nudgepay.access import trust
from nudgepay.access.acts import ACTS, GRANT_SUPERADMIN, RELEASE_MANY, ROTATE_SECRETS
from nudgepay.access.administering import OwnPower, give_role, switch_off, switch_on
from nudgepay.access.approvals import (
    SelfApproval,
    Settled,
    ask,
    consume,
    consume_at_the_machine,
    decide,
    digest_of,
    expire_overdue,
    revoke,
    under_policy,
    withdraw,
)
from nudgepay.access.operators import LastSuperadmin, change_role, disable_operator, operator_by_id
from nudgepay.access.permissions import PERMISSIONS, Role
from nudgepay.access.sessions import SignedIn
from nudgepay.access.trust import MayNotApprove, NotCovered
from nudgepay.db import Database
from nudgepay.errors import UsageError

PARAMS = {"invoices": [1, 2, 3], "note": "äöü"}
WHY = "the import of this morning is checked"


@pytest.fixture
def three(db: Database) -> tuple[SignedIn, SignedIn, SignedIn]:
    """Two superadmins and a manager."""
    with db.transaction() as session:
        return working(session, "ada"), working(session, "bo"), working(session, "mia", Role.MANAGER)


def approved(db: Database, asker: SignedIn, approver: SignedIn, act: Any = RELEASE_MANY) -> int:
    with db.transaction() as session:
        found = ask(session, act, PARAMS, by=asker, reason=WHY)
        return decide(session, found.id, by=approver, approve=True).id


def states(db: Database) -> list[str]:
    with db.transaction() as session:
        return list(session.scalars(text("SELECT state FROM approvals ORDER BY id")))


def test_a_yes_covers_exactly_what_was_asked_and_once(db: Database, three: Any) -> None:
    ada, bo, _ = three
    approved(db, ada, bo)
    for params in ({**PARAMS, "invoices": [1, 2, 4]}, {**PARAMS, "more": 1}, {"invoices": [1, 2, 3]}, {}):
        with db.transaction() as session, pytest.raises(NotCovered):
            consume(session, RELEASE_MANY, params, by=ada)
    with db.transaction() as session:
        with pytest.raises(NotCovered):
            consume(session, GRANT_SUPERADMIN, PARAMS, by=ada)
        with pytest.raises(NotCovered):
            consume(session, RELEASE_MANY, PARAMS, by=bo)
        consume(session, RELEASE_MANY, dict(reversed(PARAMS.items())), by=ada)
        with pytest.raises(NotCovered):
            consume(session, RELEASE_MANY, PARAMS, by=ada)
    assert states(db) == ["used"]
    with db.transaction() as session:
        actions = session.scalars(text("SELECT action FROM audit_events WHERE action LIKE 'approval%' ORDER BY id"))
        assert list(actions) == ["approval.ask", "approval.approved", "approval.use"]
        assert session.scalar(text("SELECT count(*) FROM notices WHERE resolved_at IS NULL")) == 0


def test_a_hundred_at_once_use_one_yes_once(db: Database, three: Any, figures: Any) -> None:
    ada, bo, _ = three
    approved(db, ada, bo)
    threads, gate = 100, threading.Barrier(8)
    outcomes: list[bool] = []

    def act(number: int) -> None:
        if number < 8:
            gate.wait(20)
        try:
            with db.transaction() as session:
                consume(session, RELEASE_MANY, PARAMS, by=ada)
                session.execute(text("SELECT pg_sleep(0.002)"))
            outcomes.append(True)
        except NotCovered:
            outcomes.append(False)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(act, range(threads)))
    figures("one approval, many acts at once", n=len(outcomes), done=sum(outcomes))
    assert (len(outcomes), sum(outcomes)) == (threads, 1)
    with db.transaction() as session:
        assert session.scalar(text("SELECT uses FROM approvals")) == 1


def test_an_act_that_fails_has_used_nothing(db: Database, three: Any) -> None:
    ada, bo, _ = three
    approved(db, ada, bo)
    with pytest.raises(ZeroDivisionError), db.transaction() as session:
        consume(session, RELEASE_MANY, PARAMS, by=ada)
        raise ZeroDivisionError
    with db.transaction() as session:
        consume(session, RELEASE_MANY, PARAMS, by=ada)


def test_nobody_approves_what_they_asked_for_and_the_table_refuses_it_too(db: Database, three: Any) -> None:
    ada, _, _ = three
    with db.transaction() as session:
        found = ask(session, RELEASE_MANY, PARAMS, by=ada, reason=WHY)
        with pytest.raises(SelfApproval):
            decide(session, found.id, by=ada, approve=True)
    with pytest.raises(IntegrityError), db.transaction() as session:
        session.execute(text("UPDATE approvals SET state = 'approved', decided_by = asked_by"))
    with pytest.raises(IntegrityError), db.transaction() as session:
        session.execute(text("UPDATE approvals SET state = 'used'"))
    assert states(db) == ["waiting"]


def test_who_lacks_the_permission_neither_asks_nor_approves(db: Database, three: Any) -> None:
    ada, _, mia = three
    with db.transaction() as session:
        viewer = working(session, "vi", Role.VIEWER)
        with pytest.raises(MayNotApprove):
            ask(session, RELEASE_MANY, PARAMS, by=viewer, reason=WHY)
        with pytest.raises(MayNotApprove):
            ask(session, GRANT_SUPERADMIN, PARAMS, by=mia, reason=WHY)
        waiting = ask(session, GRANT_SUPERADMIN, PARAMS, by=ada, reason=WHY)
        for one in (viewer, mia):
            with pytest.raises(MayNotApprove):
                decide(session, waiting.id, by=one, approve=True)
    assert all(act.approving in PERMISSIONS[Role.SUPERADMIN] for act in ACTS.values())


@pytest.mark.parametrize("who", ["asker", "approver"])
@pytest.mark.parametrize("how", ["disabled", "demoted"])
def test_a_yes_counts_only_while_both_may_still_say_it(db: Database, three: Any, who: str, how: str) -> None:
    _, bo, mia = three
    approved(db, mia, bo)
    with db.transaction() as session:
        fallen = operator_by_id(session, (mia if who == "asker" else bo).operator_id)
        if how == "disabled":
            disable_operator(session, fallen, actor="test")
        else:
            change_role(session, fallen, Role.VIEWER, actor="test")
    with db.transaction() as session, pytest.raises((NotCovered, MayNotApprove)):
        consume(session, RELEASE_MANY, PARAMS, by=mia)
    assert states(db) == ["approved"]
    with db.transaction() as session:
        assert session.scalar(text("SELECT uses FROM approvals")) == 0


def test_a_request_and_a_yes_each_end_after_an_hour(db: Database, three: Any) -> None:
    ada, bo, _ = three
    with db.transaction() as session:
        found = ask(session, RELEASE_MANY, PARAMS, by=ada, reason=WHY)
        assert found.expires_at is not None
        assert found.expires_at - found.asked_at == timedelta(hours=1)
        session.execute(text("UPDATE approvals SET expires_at = now() - interval '1 second'"))
        with pytest.raises(Settled):
            decide(session, found.id, by=bo, approve=True)
        assert expire_overdue(session) == 1
        again = ask(session, RELEASE_MANY, PARAMS, by=ada, reason=WHY)
        assert again.id != found.id
        decide(session, again.id, by=bo, approve=True)
        session.execute(
            text("UPDATE approvals SET expires_at = now() - interval '1 second' WHERE state = 'approved'")
        )
        with pytest.raises(NotCovered):
            consume(session, RELEASE_MANY, PARAMS, by=ada)
        expire_overdue(session)
    assert states(db) == ["expired", "expired"]
    with db.transaction() as session:
        assert session.scalar(text("SELECT count(*) FROM notices WHERE resolved_at IS NULL")) == 0


def test_asked_twice_is_one_request_and_answered_twice_is_one_answer(db: Database, three: Any) -> None:
    ada, bo, mia = three
    with db.transaction() as session:
        ids = {ask(session, RELEASE_MANY, PARAMS, by=ada, reason=WHY).id for _ in range(3)}
        assert len(ids) == 1
        assert ask(session, RELEASE_MANY, PARAMS, by=mia, reason=WHY).id not in ids
        decide(session, next(iter(ids)), by=bo, approve=False, reason="not today")
        for one in (bo, mia):
            with pytest.raises(Settled):
                decide(session, next(iter(ids)), by=one, approve=True)
        with pytest.raises(NotCovered):
            consume(session, RELEASE_MANY, PARAMS, by=ada)


def test_a_no_takes_a_reason_and_so_does_a_request(db: Database, three: Any) -> None:
    ada, bo, _ = three
    with db.transaction() as session:
        for reason in ("", "  a ", "x" * 501, "a\x00bcd"):
            with pytest.raises(UsageError):
                ask(session, RELEASE_MANY, PARAMS, by=ada, reason=reason)
        found = ask(session, RELEASE_MANY, PARAMS, by=ada, reason=WHY)
        with pytest.raises(UsageError):
            decide(session, found.id, by=bo, approve=False)


def test_one_s_own_request_can_be_withdrawn_and_a_yes_revoked(db: Database, three: Any) -> None:
    ada, bo, mia = three
    with db.transaction() as session:
        found = ask(session, RELEASE_MANY, PARAMS, by=mia, reason=WHY)
        with pytest.raises(Settled):
            withdraw(session, found.id, by=ada)
        withdraw(session, found.id, by=mia)
    approval_id = approved(db, mia, bo)
    with db.transaction() as session:
        revoke(session, approval_id, by=ada)
        with pytest.raises(NotCovered):
            consume(session, RELEASE_MANY, PARAMS, by=mia)


def test_the_only_one_who_could_approve_waits_ten_minutes_and_it_is_written_down(db: Database) -> None:
    with db.transaction() as session:
        ada = working(session, "ada")
        working(session, "vi", Role.VIEWER)
        found = ask(session, RELEASE_MANY, PARAMS, by=ada, reason=WHY)
        assert found.alone
        assert found.ready_at == found.asked_at + timedelta(minutes=10)
        with pytest.raises(NotCovered):
            consume(session, RELEASE_MANY, PARAMS, by=ada)
        session.execute(text("UPDATE approvals SET ready_at = now() - interval '1 second'"))
        consume(session, RELEASE_MANY, PARAMS, by=ada)
    with db.transaction() as session:
        row = session.execute(text("SELECT state, alone, decided_by FROM approvals")).one()
        assert tuple(row) == ("used", True, None)
        after = session.scalar(text("SELECT after FROM audit_events WHERE action = 'approval.use'"))
        assert after["alone"] is True


def test_a_second_one_who_comes_meanwhile_is_asked_after_all(db: Database) -> None:
    with db.transaction() as session:
        ada = working(session, "ada")
        found = ask(session, RELEASE_MANY, PARAMS, by=ada, reason=WHY)
        session.execute(text("UPDATE approvals SET ready_at = now() - interval '1 second'"))
        mia = working(session, "mia", Role.MANAGER)
        with pytest.raises(NotCovered):
            consume(session, RELEASE_MANY, PARAMS, by=ada)
        decide(session, found.id, by=mia, approve=True)
        consume(session, RELEASE_MANY, PARAMS, by=ada)
        assert (
            session.scalar(text("SELECT (after ->> 'alone') FROM audit_events WHERE action = 'approval.use'"))
            == "false"
        )


def test_only_a_superadmin_is_ever_alone(db: Database) -> None:
    with db.transaction() as session:
        mia = working(session, "mia", Role.MANAGER)
        assert not ask(session, RELEASE_MANY, PARAMS, by=mia, reason=WHY).alone


def test_who_made_the_others_leave_is_not_alone_for_a_day(
    db: Database, three: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, bo, mia = three
    with db.transaction() as session:
        switch_off(session, operator_by_id(session, bo.operator_id), by=ada)
        give_role(session, operator_by_id(session, mia.operator_id), Role.VIEWER, by=ada)
        assert not ask(session, RELEASE_MANY, PARAMS, by=ada, reason=WHY).alone
        assert timedelta(hours=24) == trust.DISTRUST
        monkeypatch.setattr(trust, "DISTRUST", timedelta())
        assert ask(session, RELEASE_MANY, {"other": 1}, by=ada, reason=WHY).alone


def test_an_account_that_the_asker_made_or_changed_today_says_no_yes(db: Database, three: Any) -> None:
    ada, bo, mia = three
    with db.transaction() as session:
        give_role(session, operator_by_id(session, mia.operator_id), Role.VIEWER, by=ada)
        give_role(session, operator_by_id(session, mia.operator_id), Role.MANAGER, by=ada)
        puppet = as_of_now(session, mia.operator_id)
        found = ask(session, RELEASE_MANY, PARAMS, by=ada, reason=WHY)
        with pytest.raises(MayNotApprove):
            decide(session, found.id, by=puppet, approve=True)
        decide(session, found.id, by=bo, approve=True)


def test_nobody_changes_themselves_and_the_last_superadmin_stays(db: Database) -> None:
    with db.transaction() as session:
        ada, mia = working(session, "ada"), working(session, "mia", Role.MANAGER)
        own = operator_by_id(session, ada.operator_id)
        for act in (lambda: give_role(session, own, Role.VIEWER, by=ada), lambda: switch_off(session, own, by=ada)):
            with pytest.raises(LastSuperadmin):
                act()
        bo = working(session, "bo")
        for act in (
            lambda: give_role(session, own, Role.VIEWER, by=ada),
            lambda: switch_off(session, own, by=ada),
            lambda: switch_on(session, own, by=ada),
            lambda: give_role(session, operator_by_id(session, mia.operator_id), Role.SUPERADMIN, by=mia),
        ):
            with pytest.raises(OwnPower):
                act()
        other = operator_by_id(session, mia.operator_id)
        with pytest.raises(NotCovered):
            give_role(session, other, Role.SUPERADMIN, by=ada)
        found = ask(session, GRANT_SUPERADMIN, {"operator": mia.operator_id}, by=ada, reason=WHY)
        decide(session, found.id, by=bo, approve=True)
        give_role(session, other, Role.SUPERADMIN, by=ada)
        assert other.role == Role.SUPERADMIN
        switch_off(session, other, by=ada)
        session.refresh(other)
        with pytest.raises(NotCovered):
            switch_on(session, other, by=ada)


def test_a_job_acts_under_a_policy_until_somebody_ends_it(db: Database, three: Any) -> None:
    ada, bo, _ = three
    with db.transaction() as session:
        with pytest.raises(NotCovered):
            under_policy(session, ROTATE_SECRETS, PARAMS, actor="job:rotate")
        found = ask(session, ROTATE_SECRETS, PARAMS, by=ada, reason=WHY, policy=True)
        with pytest.raises(NotCovered):
            under_policy(session, ROTATE_SECRETS, PARAMS, actor="job:rotate")
        decide(session, found.id, by=bo, approve=True)
        for _ in range(3):
            under_policy(session, ROTATE_SECRETS, PARAMS, actor="job:rotate")
        with pytest.raises(NotCovered):
            under_policy(session, ROTATE_SECRETS, {}, actor="job:rotate")
        with pytest.raises(NotCovered):
            consume(session, ROTATE_SECRETS, PARAMS, by=ada)
        session.refresh(found)
        assert (found.uses, found.expires_at, found.used_by) == (3, None, "job:rotate")
        revoke(session, found.id, by=ada)
        with pytest.raises(NotCovered):
            under_policy(session, ROTATE_SECRETS, PARAMS, actor="job:rotate")


def test_the_command_line_acts_on_what_was_approved_and_on_nothing_else(db: Database, three: Any) -> None:
    ada, bo, _ = three
    with db.transaction() as session, pytest.raises(NotCovered):
        ask(session, RELEASE_MANY, PARAMS, by=ada, reason=WHY)
        consume_at_the_machine(session, RELEASE_MANY, PARAMS, actor="cli:ada")
    approved(db, ada, bo)
    with db.transaction() as session:
        consume_at_the_machine(session, RELEASE_MANY, PARAMS, actor="cli:ada")
        with pytest.raises(NotCovered):
            consume_at_the_machine(session, RELEASE_MANY, PARAMS, actor="cli:ada")


def test_the_digest_knows_every_difference_and_no_order() -> None:
    assert digest_of({"a": 1, "b": [1, 2]}) == digest_of({"b": [1, 2], "a": 1})
    others: list[dict[str, Any]] = [
        {"a": "1", "b": [1, 2]},
        {"a": 1, "b": [2, 1]},
        {"a": 1},
        {"a": 1, "b": [1, 2], "c": None},
    ]
    assert len({digest_of(one) for one in [{"a": 1, "b": [1, 2]}, *others]}) == 5
    with pytest.raises(ValueError):
        digest_of({"a": float("nan")})
