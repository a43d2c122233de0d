"""What keeps the house as it is: who commits, how long a file may be, what is documented, what is guarded."""

import ast
import importlib
import re
import socket
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from pytest_socket import SocketConnectBlockedError
from sqlalchemy import inspect as inspect_database

from nudgepay import metrics
from nudgepay.access.permissions import Permission
from nudgepay.automation.gauges import QueueCollector
from nudgepay.automation.schedule import SCHEDULE
from nudgepay.config import Settings
from nudgepay.db import Database
from nudgepay.nudges.reasons import FINAL_REASONS, HELD_REASONS
from nudgepay.runtime import Runtime
from nudgepay.schema_lifecycle.metadata import METADATA
from nudgepay.schema_lifecycle.migrate import migrate
from nudgepay.schema_lifecycle.revisions import current, head, migrations_directory
from nudgepay.web.app import create_app

ROOT = Path(__file__).parents[2]
SOURCE = sorted((ROOT / "src").rglob("*.py"))
DOORS = {
    "audit",
    "automation",
    "cli",
    "db.py",
    "insights",
    "ledger.py",
    "nudges",
    "payments",
    "privacy",
    "readiness",
    "web",
}
"""Rooms in which a transaction may be opened: edges, and the steps that must claim, call and settle."""


def calls(name: str) -> set[str]:
    found = set()
    for file in SOURCE:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == name:
                found.add(str(file.relative_to(ROOT / "src" / "nudgepay")))
    return found


def test_only_the_database_module_commits() -> None:
    assert calls("commit") == {"db.py", "schema_lifecycle/migrate.py"}


def test_transactions_are_opened_only_at_doors() -> None:
    doors = {Path(file).parts[0] for file in calls("transaction") | calls("independent")}
    assert doors <= DOORS


def test_no_file_is_longer_than_four_hundred_lines() -> None:
    long = {str(file): len(file.read_text().splitlines()) for file in SOURCE}
    assert {file: lines for file, lines in long.items() if lines > 400} == {}


def test_every_public_function_says_what_it_does() -> None:
    silent = [
        f"{file.name}:{node.name}"
        for file in SOURCE
        for node in ast.parse(file.read_text()).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and ast.get_docstring(node) is None
    ]
    assert silent == []


def test_the_migration_head_file_names_the_head() -> None:
    config = Config()
    config.set_main_option("script_location", str(migrations_directory()))
    assert ScriptDirectory.from_config(config).get_current_head() == head()


def test_models_and_migrations_agree(db: Database) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": False})
        assert compare_metadata(context, METADATA) == []


def test_migrations_go_down_and_up_again(db: Database) -> None:
    migrate(db, "base")
    with db.engine.connect() as connection:
        assert inspect_database(connection).get_table_names() == ["alembic_version"]
    migrate(db)
    assert current(db) == head()


def test_every_setting_is_documented() -> None:
    page = (ROOT / "docs" / "settings.md").read_text()
    internal = {"references", "plain_secrets", "source_problems"}
    missing = [
        name.upper() for name in Settings.model_fields if name not in internal and f"`{name.upper()}`" not in page
    ]
    assert missing == []


def test_every_metric_is_documented_and_no_label_names_a_person(db: Database) -> None:
    page = (ROOT / "docs" / "metrics.md").read_text()
    families = [*metrics.REGISTRY.collect(), *QueueCollector(db).collect()]
    names = {family.name + ("_total" if family.type == "counter" else "") for family in families}
    assert [name for name in sorted(names) if name not in page] == []
    labels = {label for family in families for sample in family.samples for label in sample.labels}
    assert labels <= {
        "method",
        "route",
        "status",
        "stage",
        "state",
        "source",
        "provider",
        "outcome",
        "queue",
        "job",
        "le",
        "factor",
        "result",
        "event",
    }


def test_every_job_has_a_runbook() -> None:
    assert [job.name for job in SCHEDULE if not (ROOT / "docs" / "runbooks" / f"{job.name}.md").is_file()] == []


def test_every_reason_of_silence_is_explained() -> None:
    page = (ROOT / "docs" / "silence.md").read_text()
    assert [reason for reason in sorted(FINAL_REASONS | HELD_REASONS) if f"`{reason}`" not in page] == []


def test_the_lists_of_reasons_are_the_only_words_that_are_written() -> None:
    known = FINAL_REASONS | HELD_REASONS
    for file in (ROOT / "src" / "nudgepay" / "nudges").glob("*.py"):
        for word in re.findall(r"Hold\(\s*\"(\w+)\"", file.read_text()):
            assert word in known, f"{file.name}: {word}"


def test_lock_files_hold_hashes_and_no_address() -> None:
    for file in (ROOT / "requirements").glob("*.txt"):
        content = file.read_text()
        assert "://" not in content
        assert content.count("--hash=sha256:") > content.count("==")


def test_the_network_is_off() -> None:
    with (
        pytest.raises((SocketConnectBlockedError, UserWarning)),
        socket.create_connection(("192.0.2.1", 9), timeout=1),
    ):
        pass


def test_every_route_is_named_public_or_declares_its_permission(runtime_of: Runtime) -> None:
    from fastapi.routing import iter_route_contexts

    from nudgepay.web.public import PUBLIC

    routes = create_app(runtime_of).app.router.routes
    contexts = list(iter_route_contexts(routes))
    assert len(contexts) == len(routes), "an included router's routes are worked out when the first request waits"
    paths = {getattr(context, "path", None) for context in contexts}
    assert paths >= PUBLIC
    assert len(paths - PUBLIC) >= 3
    for context in contexts:
        path = getattr(context, "path", None)
        assert (path in PUBLIC) != bool(permissions_of(context)), path


def permissions_of(context: Any) -> set[Permission]:
    """What a route demands, read from its dependencies, however deep they lie."""
    found, waiting = set(), [getattr(context, "dependant", None)]
    while waiting:
        dependant = waiting.pop()
        if dependant is not None:
            found |= {permission} if (permission := getattr(dependant.call, "permission", None)) else set()
            waiting += dependant.dependencies
    return found


def test_every_command_of_the_contract_answers_for_help() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "nudgepay.cli", "--help"], capture_output=True, text=True, check=True
    )
    for name in [
        "demo",
        "up",
        "serve",
        "worker",
        "migrate",
        "config",
        "clients",
        "invoices",
        "payments",
        "import",
        "export",
        "mappings",
        "plan",
        "nudge",
        "letters",
        "unknown",
        "sending",
        "stripe",
        "jobs",
        "notices",
        "schedules",
        "amnesty",
        "reviews",
        "statements",
        "operators",
        "tokens",
    ]:
        assert re.search(rf"\b{name}\b", done.stdout), name


def test_the_release_file_names_this_version_or_the_one_before_it() -> None:
    from nudgepay import __version__

    releases = tomllib.loads((ROOT / "docs" / "releases.toml").read_text())["release"]
    if ".dev" in __version__:
        assert releases[-1]["version"] < __version__
        assert releases[-1]["schema_head"] <= head()
    else:
        assert (releases[-1]["version"], releases[-1]["schema_head"]) == (__version__, head())


def test_every_planted_defect_applies_and_names_a_test_that_exists() -> None:
    stale = []
    for patch in sorted((ROOT / "tests" / "mutants").glob("*.patch")):
        applied = subprocess.run(["git", "apply", "--check", str(patch)], cwd=ROOT, capture_output=True, check=False)
        named = next(line for line in patch.read_text().splitlines() if line.startswith("Test: ")).removeprefix(
            "Test: "
        )
        file, _, test = named.partition("::")
        exists = (ROOT / file).is_file() and f"def {test.partition('[')[0]}(" in (ROOT / file).read_text()
        if applied.returncode or not exists:
            stale.append(patch.stem)
    assert stale == []


def test_every_fault_is_held_by_a_test_that_exists_or_says_why_not() -> None:
    lines = [line for line in (ROOT / "docs" / "faults.md").read_text().splitlines() if re.match(r"\| F\d", line)]
    numbers = [int(re.match(r"\| F(\d+)", line)[1]) for line in lines]  # type: ignore[index]
    assert numbers == [*range(1, 41), *range(46, 52)]
    for line in lines:
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", line)
        assert named or "Not here: " in line, line
        for file, test in named:
            assert f"def {test}(" in (ROOT / file).read_text(), f"{file}::{test}"


def test_the_built_assets_are_those_of_their_sources() -> None:
    done = subprocess.run([sys.executable, ROOT / "scripts" / "assets.py", "check"], capture_output=True, check=False)
    assert done.returncode == 0, done.stdout.decode()


def test_every_text_of_the_operators_pages_is_there_in_every_language() -> None:
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        strings = importlib.import_module("strings")
    finally:
        sys.path.pop(0)
    for language in strings.languages():
        assert [message.id for message in strings.missing(language) if message.id] == []
        assert (strings.LOCALE / f"{language}.mo").read_bytes() == strings.compiled(language), "make strings"
        for message in strings.translated(language):
            if message.id:
                assert list(message.check()) == [], message.id
