"""Every route x every method x everybody who could ask, against a table that people read and change on purpose.

The routes come from the application itself, so one without a row fails. A request that is let in stops just behind
the check (418), so that nothing is done: what is in every table is compared before and after.
"""

import asyncio
import hashlib
import json
import os
import re
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import iter_route_contexts
from sqlalchemy import text

from nudgepay.access.permissions import PERMISSIONS, Permission, Role
from nudgepay.access.service_tokens import SCOPES, Wanted, make_token
from nudgepay.access.sessions import find_session
from nudgepay.errors import NudgePayError
from nudgepay.runtime import Runtime
from nudgepay.web.app import create_app
from nudgepay.web.bearer import peppers_in_use
from nudgepay.web.misses import Misses
from nudgepay.web.ui import callers, page
from nudgepay.web.ui.cookies import Cookies
from nudgepay.web.ui.csrf import token_for
from web.ui.desk import signed_in_as
from web.ui.test_crawl import contents

HERE = Path(__file__).parent
LET_IN = 418
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "FOOBAR")
BOOKKEEPING = {"audit_events", "service_tokens"}
"""Refusals are written down, and a token's last use is; both are counted below."""
MAY = {
    "today:read": "viewer auditor operator manager superadmin",
    "client:read": "viewer auditor operator manager superadmin",
    "client:write": "operator manager superadmin",
    "invoice:read": "viewer auditor operator manager superadmin",
    "invoice:write": "operator manager superadmin",
    "invoice:import": "manager superadmin",
    "books:export": "auditor manager superadmin",
    "payment:write": "operator manager superadmin",
    "amnesty:release": "manager superadmin",
    "plan:read": "viewer auditor operator manager superadmin",
    "letter:read": "viewer auditor operator manager superadmin",
    "letter:send": "operator manager superadmin",
    "letter:resolve": "operator manager superadmin",
    "schedule:read": "viewer auditor operator manager superadmin",
    "schedule:write": "manager superadmin",
    "template:read": "viewer auditor operator manager superadmin",
    "template:write": "manager superadmin",
    "insight:read": "viewer auditor operator manager superadmin",
    "operation:read": "auditor operator manager superadmin",
    "notice:resolve": "operator manager superadmin",
    "job:run": "manager superadmin",
    "sending:switch": "manager superadmin",
    "setting:read": "auditor manager superadmin",
    "audit:read": "auditor manager superadmin",
    "privacy:export": "manager superadmin",
    "privacy:erase": "superadmin",
    "operator:read": "auditor manager superadmin",
    "operator:write": "superadmin",
    "token:read": "auditor manager superadmin",
    "token:write": "superadmin",
    "approval:read": "auditor manager superadmin",
    "approval:decide": "manager superadmin",
    "account:write": "viewer auditor operator manager superadmin",
}
"""Who holds what, said once more, by hand."""


class Reached(NudgePayError):
    """The check let the request in."""

    status = LET_IN


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    permission: str
    is_fresh: bool
    for_programs: bool
    answer: int

    @classmethod
    def read(cls, said: str) -> "Row":
        """`client:read`, `operator:write fresh`, `books:export program`, `public 404`."""
        first, *more = said.split()
        answers = [int(word) for word in more if word.isdigit()]
        return cls(first, "fresh" in more, "program" in more, answers[0] if answers else 0)


def table() -> dict[tuple[str, str], Row]:
    lines = (HERE / "access_table.txt").read_text().splitlines()
    rows = [line.partition(" = ") for line in lines if line and not line.startswith("#")]
    found = {(where.split()[0], where.split()[1]): Row.read(said) for where, _, said in rows}
    assert len(found) == len(rows), "a route has two rows"
    return found


def routes(app: Any) -> dict[tuple[str, str], str]:
    """Every method and path of the application, with what its own check says, in the table's words."""
    found: dict[tuple[str, str], str] = {}
    for context in iter_route_contexts(app.app.router.routes):
        checks, waiting = [], [getattr(context, "dependant", None)]
        while waiting:
            dependant = waiting.pop()
            if dependant is not None:
                checks += [dependant.call] if getattr(dependant.call, "permission", None) else []
                waiting += dependant.dependencies
        assert len(checks) <= 1, context.path
        said = "public"
        if checks:
            words = ["fresh"] * getattr(checks[0], "fresh", False) + ["program"] * getattr(
                checks[0], "takes_tokens", False
            )
            said = " ".join([checks[0].permission, *words])
        found |= {(method, str(context.path)): said for method in context.methods or ()}
    return found


def example(path: str) -> str:
    """The path with something in each of its parts; what the parts name need not exist."""
    return re.sub(r"\{\w+(?::\w+)?\}", "1", path)


@dataclass(frozen=True)
class Somebody:
    """Who asks: the headers that say so, and what they may."""

    name: str
    headers: dict[str, str]
    held: frozenset[str] = frozenset()
    is_signed_in: bool = False
    is_stale: bool = False
    is_program: bool = False
    is_dead: bool = False


def everybody(runtime: Runtime) -> Iterator[Somebody]:
    """A stranger, each role, somebody disabled, somebody whose proof is old, and programs with every scope and none."""
    yield Somebody("anonymous", {})
    for role in Role:
        yield _person(runtime, role, str(role))
    yield _person(runtime, Role.SUPERADMIN, "stale", is_stale=True)
    yield _person(runtime, Role.SUPERADMIN, "disabled", is_dead=True)
    for scope in SCOPES:
        yield _program(runtime, f"token {scope}", [scope])
    for name, ending in (("expired", "expires_at = now()"), ("revoked", "revoked_at = now()")):
        yield _program(runtime, f"token {name}", list(SCOPES), ending=ending)
    yield _program(runtime, "token of a disabled operator", list(SCOPES), owner="disabled")


def _person(runtime: Runtime, role: Role, name: str, *, is_stale: bool = False, is_dead: bool = False) -> Somebody:
    token = signed_in_as(runtime, role, email=f"{name}@desk.example")
    with runtime.db.transaction() as session:
        who = {"email": f"{name}@desk.example"}
        if is_stale:
            session.execute(
                text(
                    "UPDATE sessions SET proven_at = now() - interval '2 hours' WHERE operator_id = (SELECT id FROM operators WHERE email = :email)"
                ),
                who,
            )
        if is_dead:
            session.execute(text("UPDATE operators SET disabled_at = now() WHERE email = :email"), who)
    csrf = token_for(runtime.settings, hashlib.sha256(token.encode()).hexdigest())
    headers = {"cookie": f"{Cookies.of(runtime.settings).name('session')}={token}", "x-csrf-token": csrf}
    held = frozenset(what for what, roles in MAY.items() if role in roles.split())
    return Somebody(name, headers, held, is_signed_in=True, is_stale=is_stale, is_dead=is_dead)


def _program(runtime: Runtime, name: str, scopes: list[Permission], *, ending: str = "", owner: str = "") -> Somebody:
    token = signed_in_as(runtime, email="owner@desk.example")
    with runtime.db.transaction() as session:
        by = find_session(session, token, idle_minutes=30)
        assert by is not None
        made, written = make_token(session, Wanted(name, scopes), by=by, peppers=peppers_in_use(runtime.settings))
        if ending:
            session.execute(text(f"UPDATE service_tokens SET {ending} WHERE id = :id"), {"id": made.id})
        if owner:
            session.execute(
                text(
                    "UPDATE service_tokens SET created_by = (SELECT id FROM operators WHERE email = :email) WHERE id = :id"
                ),
                {"id": made.id, "email": f"{owner}@desk.example"},
            )
    headers = {"authorization": f"Bearer {written}"}
    return Somebody(name, headers, frozenset(scopes), is_program=True, is_dead=bool(ending or owner))


def expected(row: Row, somebody: Somebody) -> int:
    """The answer that the table promises."""
    if somebody.is_dead or (somebody.is_program and not row.for_programs) or not somebody.headers:
        return 401
    if row.permission not in somebody.held:
        return 403
    return 401 if row.is_fresh and somebody.is_stale else LET_IN


async def ask(app: Any, method: str, path: str, headers: dict[str, str]) -> int:
    """One request over ASGI itself; the status of the answer."""
    where, _, query = path.partition("?")
    given = {"host": "testserver", "accept": "application/json", **headers}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": where,
        "raw_path": where.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
        "client": ("127.0.0.1", 5000),
        "server": ("testserver", 80),
    }
    statuses: list[int] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    await app(scope, receive, send)
    return statuses[0]


@dataclass(frozen=True)
class Case:
    """One request and the answer that must come."""

    who: str
    method: str
    path: str
    headers: dict[str, str]
    wanted: int


async def judge(app: Any, cases: list[Case]) -> list[str]:
    """What went otherwise, a few requests at a time."""
    gate = asyncio.Semaphore(6)

    async def one(case: Case) -> str | None:
        async with gate:
            status = await ask(app, case.method, case.path, case.headers)
        return (
            None if status == case.wanted else f"{case.who}: {case.method} {case.path}: {status}, not {case.wanted}"
        )

    return [wrong for wrong in await asyncio.gather(*map(one, cases)) if wrong]


@pytest.mark.timeout(240)
def test_every_route_answers_everybody_as_the_table_says(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, figures: Callable[..., None]
) -> None:
    app = create_app(runtime)
    rows, found = table(), routes(app)
    unknown = [
        f"{method} {path} = {said}" for (method, path), said in sorted(found.items()) if (method, path) not in rows
    ]
    assert unknown == [], "routes without a row in access_table.txt"
    assert sorted(rows.keys() - found.keys()) == [], "rows without a route"
    drifted = [where for where, said in found.items() if said.split() != _words(rows[where])]
    assert drifted == [], "the route's own check is not what the table says"
    assert len(found) >= 220

    def reached(*_: object, **__: object) -> None:
        raise Reached("let in")

    monkeypatch.setattr(page, "Page", reached)
    monkeypatch.setattr(callers, "Caller", reached)
    app.app.state.misses = app.app.state.token_misses = Misses(per_minute=100_000)
    people = list(everybody(runtime))
    cases = [
        Case(one.name, method, example(path), one.headers, expected(row, one))
        for (method, path), row in rows.items()
        if row.permission != "public"
        for one in people
    ]
    cases += list(_tricks(rows, {one.name: one for one in people}))
    public = [
        Case("anonymous", method, example(path), {}, row.answer)
        for (method, path), row in rows.items()
        if row.permission == "public"
    ]
    before, refused_before = state(runtime), refusals(runtime)
    began = time.monotonic()
    wrong = asyncio.run(judge(app, cases + public))
    seconds = time.monotonic() - began
    assert wrong == [], "\n".join(wrong[:40])
    assert state(runtime) == before
    turned_away = sum(one.wanted == 403 and one.method != "GET" and "csrf" not in one.who for one in cases)
    assert refusals(runtime) - refused_before == turned_away > 100
    answers = Counter(one.wanted for one in cases)
    told = {
        "routes": len(found),
        "requests": len(cases) + len(public),
        "let_in": answers[LET_IN],
        "forbidden": answers[403],
        "unauthorized": answers[401],
        "not_allowed": answers[405],
        "wrong": len(wrong),
    }
    figures("access matrix", **told, seconds=round(seconds, 1))
    keep(told)


def _words(row: Row) -> list[str]:
    return [row.permission, *["fresh"] * row.is_fresh, *["program"] * row.for_programs]


def _tricks(rows: dict[tuple[str, str], Row], people: dict[str, Somebody]) -> Iterator[Case]:
    """Methods that a path has not, override headers, forms without their token, tokens beside cookies and in URLs."""
    boss, viewer = people["superadmin"], people["viewer"]
    wrong_scope = people[f"token {Permission.AUDIT_READ}"]
    guarded = sorted({path for (_, path), row in rows.items() if row.permission != "public"})
    without_token = {name: value for name, value in boss.headers.items() if name == "cookie"}
    for path in guarded:
        offered = {method for method, one in rows if one == path}
        for method in sorted(set(METHODS) - offered):
            if _other_route(rows, path, method):
                continue
            yield Case("other method", method, example(path), boss.headers, 405)
        for method in offered:
            row = rows[method, path]
            override = {f"x-http-method{suffix}": "DELETE" for suffix in ("", "-override")} | {
                "x-method-override": "PUT"
            }
            yield Case("override", method, f"{example(path)}?_method=DELETE", {**boss.headers, **override}, LET_IN)
            yield Case("override", method, example(path), {**viewer.headers, **override}, expected(row, viewer))
            if method != "GET":
                yield Case("csrf missing", method, example(path), without_token, 403)
                yield Case(
                    "csrf of another",
                    method,
                    example(path),
                    {**without_token, "x-csrf-token": viewer.headers["x-csrf-token"]},
                    403,
                )
            both = {**boss.headers, **wrong_scope.headers}
            yield Case(
                "token beside a cookie",
                method,
                example(path),
                both,
                403 if row.for_programs and row.permission not in wrong_scope.held else LET_IN,
            )
            if row.for_programs:
                written = people[f"token {row.permission}"].headers["authorization"].removeprefix("Bearer ")
                for name in ("token", "access_token", "q"):
                    yield Case("token in the address", method, f"{example(path)}?{name}={written}", boss.headers, 401)


def _other_route(rows: dict[tuple[str, str], Row], path: str, method: str) -> bool:
    """True when another route would answer the example of this path for this method."""
    return any(
        one == method and re.fullmatch(re.sub(r"\{\w+(?::\w+)?\}", "[^/]+", other), example(path))
        for one, other in rows
    )


def state(runtime: Runtime) -> dict[str, str]:
    return {name: digest for name, digest in contents(runtime.db).items() if name not in BOOKKEEPING}


def refusals(runtime: Runtime) -> int:
    with runtime.db.transaction() as session:
        query = "SELECT count(*) FROM audit_events WHERE action = 'access.refused'"
        others = "SELECT count(*) FROM audit_events WHERE action NOT IN ('access.refused', 'token.create')"
        assert session.scalar(text(others)) == 0
        return session.scalar(text(query)) or 0


def keep(told: dict[str, Any]) -> None:
    """Under NUDGEPAY_PROOF=1 the figures go to docs/evidence."""
    if os.environ.get("NUDGEPAY_PROOF") != "1":
        return
    head = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=HERE, capture_output=True, text=True, check=True
    )
    document = {"what": "access matrix", "n": told["requests"], "seed": None, **told}
    document |= {"commit": head.stdout.strip(), "date": datetime.now(UTC).date().isoformat()}
    path = HERE.parents[1] / "docs" / "evidence" / "access-matrix.json"
    path.write_text(json.dumps(document, indent=2) + "\n")


def test_every_role_holds_what_was_written_down_by_hand() -> None:
    assert {str(one) for one in Permission} == MAY.keys()
    for role in Role:
        held = {permission for permission, roles in MAY.items() if role in roles.split()}
        assert PERMISSIONS[role] == held, role
