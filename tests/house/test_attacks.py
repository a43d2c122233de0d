"""The table of attacks names every attack once, and only tests that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROWS = [line for line in (ROOT / "docs" / "attacks.md").read_text().splitlines() if line.startswith("| A")]


def test_every_attack_has_one_row_with_a_test_or_a_reason() -> None:
    assert [row.split("|")[1].strip() for row in ROWS] == [
        f"A{n}" for n in [*range(1, 34), *range(37, 51), 62, 63, 64, 67]
    ]
    assert [row for row in ROWS if "::" not in row and "later: " not in row] == []


def test_every_test_that_the_table_names_exists() -> None:
    missing = []
    for file, test in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", "\n".join(ROWS)):
        path = ROOT / file
        if not path.is_file() or f"def {test}(" not in path.read_text():
            missing.append(f"{file}::{test}")
    assert missing == []
