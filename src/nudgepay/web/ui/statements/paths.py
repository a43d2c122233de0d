"""Where the pages of statements are."""

from nudgepay.web.ui.next_page import own_path

HOME = "/payments/statements"
FILES = f"{HOME}/files"
LINES = f"{HOME}/lines"
WAITING = f"{HOME}/waiting"


def statement_path(statement_id: int) -> str:
    """One statement."""
    return f"{HOME}/{statement_id}"


def line_path(line_id: int) -> str:
    """One line."""
    return f"{LINES}/{line_id}"


def way_back(wanted: str) -> str:
    """Where a form came from, if that is a page of statements."""
    path = own_path(wanted)
    return path if path.startswith(HOME) and len(path) <= 200 else HOME
