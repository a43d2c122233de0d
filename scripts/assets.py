"""Whether the built stylesheet and script are those of the present sources.

    python scripts/assets.py note     # after a build: write down what it was built from
    python scripts/assets.py check    # 1 when sources have changed since

Needs no Node: it compares a digest of everything that a build reads.
"""

import hashlib
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
NOTE = ROOT / "frontend" / "built-from.txt"
READ = (
    "frontend/*.css",
    "frontend/*.js*",
    "frontend/*.mjs",
    "frontend/parts/*",
    "src/nudgepay/web/ui/templates/**/*.html",
)


def digest() -> str:
    """Of every file that a build reads, by name and content."""
    found = hashlib.sha256()
    for path in sorted({path for pattern in READ for path in ROOT.glob(pattern) if path.is_file()}):
        found.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes() + b"\0")
    return found.hexdigest()


def main() -> int:
    """One of the two commands."""
    if sys.argv[1:] == ["note"]:
        NOTE.write_text(f"{digest()}\n", encoding="ascii")
        return 0
    if NOTE.read_text(encoding="ascii").strip() == digest():
        return 0
    print("The built assets are older than their sources: make assets")
    return 1


if __name__ == "__main__":
    sys.exit(main())
