"""Every planted defect must turn its named test red, and the test must be green without it.

Each `tests/mutants/*.patch` begins with `Item:`, `Breaks:` and `Test:` lines. The tree is copied, the patch
applied to the copy, and the copy's test run against the copy's source.
"""

import argparse
import concurrent.futures
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parents[2]
PATCHES = ROOT / "tests" / "mutants"
WORKERS = 2
SECONDS = 240


@dataclass(frozen=True)
class Mutant:
    """One planted defect."""

    name: str
    item: str
    breaks: str
    test: str
    patch: Path


def read(patch: Path) -> Mutant:
    """The patch's header."""
    fields = {}
    for line in patch.read_text().splitlines():
        key, sign, value = line.partition(":")
        if not sign or key not in {"Item", "Breaks", "Test"}:
            break
        fields[key] = value.strip()
    missing = {"Item", "Breaks", "Test"} - fields.keys()
    if missing:
        raise SystemExit(f"{patch.name}: header lacks {', '.join(sorted(missing))}")
    return Mutant(patch.stem, fields["Item"], fields["Breaks"], fields["Test"], patch)


def take_snapshot(to: Path) -> None:
    """What git knows or would take, as it stands in the work tree at this moment: later edits do not reach the run."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        source, target = ROOT / name, to / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)


def run_test(tree: Path, test: str) -> tuple[int, str]:
    """pytest's exit code and the end of its output."""
    done = _pytest(tree, ["-x", test], seconds=SECONDS)
    return done.returncode, done.stdout[-1500:]


def _pytest(tree: Path, arguments: list[str], *, seconds: int) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PYTHONPATH": str(tree / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("NUDGEPAY_TEST_STRICT", None)
    probe = "import nudgepay, sys; sys.exit(not nudgepay.__file__.startswith(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", probe, str(tree)], env=environment, check=True, cwd=tree)
    command = [sys.executable, "-m", "pytest", "-q", "--tb=line", "-p", "no:cacheprovider", "-p", "no:randomly", *arguments]
    return subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, timeout=seconds)


def judge(mutant: Mutant, snapshot: Path) -> tuple[str, str]:
    """`killed`, or what is wrong."""
    with tempfile.TemporaryDirectory(prefix="np-mutant-") as home:
        tree = shutil.copytree(snapshot, Path(home) / "tree")
        applied = subprocess.run(
            ["git", "apply", "--whitespace=nowarn", str(mutant.patch)], cwd=tree, capture_output=True, text=True
        )
        if applied.returncode:
            return "does not apply", applied.stderr[-500:]
        try:
            code, output = run_test(tree, mutant.test)
        except subprocess.TimeoutExpired:
            return "killed", "the test hung"
        if code == 1:
            return "killed", ""
        return ("survived" if code == 0 else f"pytest ended with {code}"), output


def reds_without_defect(tests: list[str], snapshot: Path) -> set[str]:
    """Which of the tests fail, or cannot be run, on the tree as it stands."""
    with tempfile.TemporaryDirectory(prefix="np-green-") as home:
        tree = shutil.copytree(snapshot, Path(home) / "tree")
        report = tree / "report.xml"
        done = _pytest(tree, ["-n", str(WORKERS), "--dist", "worksteal", f"--junitxml={report}", *tests], seconds=1200)
        cases = list(ElementTree.parse(report).iter("testcase"))  # noqa: S314  # pytest's own report
        failed = {case.get("name", "") for case in cases if any(part.tag in {"failure", "error"} for part in case)}
        if not cases:
            raise SystemExit(f"no test could be found; is one of these ids stale?\n{(done.stdout + done.stderr)[-1500:]}")
        ran = {case.get("name", "") for case in cases}
        return {test for test in tests if (names := _names(test, ran)) & failed or not names}


def _names(test: str, ran: set[str]) -> set[str]:
    """The reported names of one test id, with or without its parameters."""
    wanted = test.rpartition("::")[2]
    return {name for name in ran if name == wanted or name.startswith(f"{wanted}[")}


def main() -> int:
    """Run all (or --only), print a table with progress, write docs/testing.md and the evidence."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="part of a patch's name")
    parser.add_argument("--write", action="store_true", help="write docs/testing.md and docs/evidence/mutants.json")
    options = parser.parse_args()
    mutants = [read(patch) for patch in sorted(PATCHES.glob("*.patch")) if options.only in patch.stem]
    if not mutants:
        raise SystemExit(f"no planted defect is called {options.only!r}")
    began = time.monotonic()
    tests = list(dict.fromkeys(mutant.test for mutant in mutants))
    print(f"{len(tests)} tests without any defect ...", flush=True)
    snapshot = Path(tempfile.mkdtemp(prefix="np-snapshot-"))
    take_snapshot(snapshot)
    red = reds_without_defect(tests, snapshot)
    wrong = [f"{test}: red without a defect" for test in tests if test in red]
    results: dict[str, str] = {}
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        running = {pool.submit(judge, mutant, snapshot): mutant for mutant in mutants if mutant.test not in red}
        for done in concurrent.futures.as_completed(running):
            mutant, (verdict, output) = running[done], done.result()
            results[mutant.name] = verdict
            print(f"[{len(results)}/{len(running)}] {verdict:16} {mutant.name}: {mutant.breaks}", flush=True)
            if verdict != "killed":
                wrong.append(f"{mutant.name}: {verdict}\n{output}")
    shutil.rmtree(snapshot)
    results |= {mutant.name: "red without a defect" for mutant in mutants if mutant.test in red}
    killed = sum(verdict == "killed" for verdict in results.values())
    print(f"{len(mutants)} planted defects, {killed} killed, {time.monotonic() - began:.0f} s")
    print("\n".join(wrong))
    if options.write and not options.only:
        write(mutants, results)
    return 1 if wrong else 0


def write(mutants: list[Mutant], results: dict[str, str]) -> None:
    """The generated page and the figures."""
    rows = [f"| {m.item} | {m.breaks} | `{m.test}` | {results[m.name]} |" for m in mutants]
    page = [
        "# Planted defects",
        "",
        "Generated by `make mutants`. Each defect is a patch in `tests/mutants/`; it is applied to a copy of the tree,",
        "and its test must turn red there while it is green without the patch.",
        "",
        "| promise | what is broken | test | result |",
        "|---|---|---|---|",
        *rows,
        "",
    ]
    (ROOT / "docs" / "testing.md").write_text("\n".join(page))
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout
    figures = {
        "commit": commit.strip(),
        "date": datetime.now(UTC).date().isoformat(),
        "n": len(mutants),
        "killed": sum(result == "killed" for result in results.values()),
        "seed": None,
        "results": dict(sorted(results.items())),
    }
    (ROOT / "docs" / "evidence" / "mutants.json").write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
