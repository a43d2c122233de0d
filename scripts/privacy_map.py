"""Write the table of docs/privacy.md from the map: `python scripts/privacy_map.py`."""

from pathlib import Path

from nudgepay.privacy.columns import MAP, RULES

DOC = Path(__file__).parents[1] / "docs" / "privacy.md"
MARK = "<!-- the map -->\n"


def table() -> str:
    """The map as Markdown: what goes, what stays and by which rule, table by table."""
    lines = [
        "| table | erased | secret, erased, never handed out | kept by law | no personal data |",
        "|---|---|---|---|---|",
    ]
    for one in MAP.values():
        cells = [
            ", ".join(f"`{name}`" for name in one.handled_as(kind)) for kind in ("erased", "secret", "kept", "none")
        ]
        whole = [f"whole rows: {cells[3]}", cells[1], "", ""] if one.is_deleted else cells
        extra = ", ".join(f"`{name}`" for name in one.mentions)
        origin = ", ".join(f"`{name}`" for name in one.handled_as("origin"))
        if extra:
            whole[0] = "; ".join(part for part in (whole[0], f"addresses in {extra}") if part)
        if origin:
            whole[0] = f"forgotten: {origin}"
        lines.append(f"| `{one.name}` | " + " | ".join(whole) + " |")
    rules = [f"- **{name}**: {why}" for name, why in RULES.items()]
    return "\n".join([*lines, "", *rules, ""])


def main() -> None:
    """Rewrite what follows the mark."""
    head, _, _ = DOC.read_text().partition(MARK)
    DOC.write_text(head + MARK + "\n" + table())


if __name__ == "__main__":
    main()
