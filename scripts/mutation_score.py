"""How many small changes to the rooms of `[tool.mutmut]` the tests notice; `--read` only reads the last run."""

import json
import subprocess
import sys
import tomllib
from collections import Counter, defaultdict
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
MUTMUT = [str(Path(sys.executable).parent / "mutmut")]
SECONDS = 3_600
KILLED = {"killed", "caught by type check", "segfault"}


def main() -> int:
    """Run unless told to read; print the score and write docs/evidence/mutation-score.json."""
    if "--read" not in sys.argv:
        subprocess.run(["nice", *MUTMUT, "run", "--max-children", "2"], cwd=ROOT, timeout=SECONDS, check=False)
    told = subprocess.run([*MUTMUT, "results", "--all", "true"], cwd=ROOT, capture_output=True, text=True, check=True)
    verdicts: dict[str, Counter[str]] = defaultdict(Counter)
    alive = []
    for line in told.stdout.splitlines():
        name, _, verdict = line.strip().rpartition(": ")
        verdicts[name.split(".x")[0]][verdict] += 1
        if verdict not in KILLED | {"timeout"}:
            alive.append(f"{name}: {verdict}")
    total = sum(verdicts.values(), Counter())
    n, killed = total.total(), sum(total[word] for word in KILLED)
    if n == 0:
        raise SystemExit("mutmut has no results: run it first")
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    figures = {
        "commit": commit.stdout.strip(),
        "date": datetime.now(UTC).date().isoformat(),
        "n": n,
        "killed": killed,
        "timeout": total["timeout"],
        "survived": total["survived"],
        "untested": total["no tests"],
        "unchecked": total["not checked"],
        "score": round((killed + total["timeout"]) / n, 3),
        "rooms": tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mutmut"]["only_mutate"],
        "by_file": {name: dict(sorted(count.items())) for name, count in sorted(verdicts.items())},
        "alive": alive,
        "not_mutated": "functions under a decorator such as lru_cache: mutmut leaves them alone",
    }
    (ROOT / "docs" / "evidence" / "mutation-score.json").write_text(json.dumps(figures, indent=2) + "\n")
    print(
        f"{n} changes, {killed} killed, {total['timeout']} hung, {total['survived']} survived: {figures['score']:.1%}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
