"""The plan's page."""
from web.ui.desk import Desk

def test_x(desk: Desk) -> None:
    for q in ("", "?view=list", "?view=silence", "?view=list&action=all"):
        a = desk.get("/plan" + q)
        assert a.status_code == 200, a.text
