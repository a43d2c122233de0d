"""The map of personal data is whole: whoever adds a column must judge it."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from sqlalchemy import LargeBinary, Text
from sqlalchemy.dialects.postgresql import JSONB

from nudgepay.privacy.columns import MAP, RULES
from nudgepay.schema_lifecycle.metadata import METADATA


def test_every_column_is_judged_and_no_other() -> None:
    there = {(table.name, column.name) for table in METADATA.tables.values() for column in table.columns}
    judged = {(table.name, column) for table in MAP.values() for column in table.columns}
    assert len(there) > 300
    assert there - judged == set(), "judge these in src/nudgepay/privacy/columns_of_*.py"
    assert judged - there == set(), "these are gone: take them from src/nudgepay/privacy/columns_of_*.py"


def test_what_is_erased_or_kept_says_whose_what_it_becomes_and_why() -> None:
    for table in MAP.values():
        for name, column in table.columns.items():
            if column.handling in {"erased", "kept", "secret"}:
                assert table.rows, f"{table.name}.{name}: whose is a row?"
                assert column.becomes or table.is_deleted or table.is_deleted_at_term, f"{table.name}.{name}"
            if column.handling == "kept":
                assert column.rule in RULES, f"{table.name}.{name}: by which rule?"
                assert table.dated, f"{table.name}.{name}: from when on?"


def test_mentions_are_looked_for_in_texts_only() -> None:
    for table in MAP.values():
        types = METADATA.tables[table.name].columns
        assert all(isinstance(types[name].type, Text | JSONB) for name in table.mentions)
        assert not any(isinstance(types[name].type, LargeBinary) for name in table.mentions)


def test_the_document_shows_the_map() -> None:
    root = Path(__file__).parents[2]
    spec = spec_from_file_location("privacy_map", root / "scripts" / "privacy_map.py")
    assert spec is not None
    script = module_from_spec(spec)
    assert spec.loader is not None
    spec.loader.exec_module(script)
    assert (root / "docs" / "privacy.md").read_text().endswith(script.table()), "run: python scripts/privacy_map.py"
