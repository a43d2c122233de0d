"""The schedules' pages."""
from web.ui.desk import Desk

def test_x(desk: Desk) -> None:
    for q in ("", "/default", "/default/edit", "/new", "/closing-days", "/default/versions/1"):
        a = desk.get("/schedules" + q)
        assert a.status_code == 200, q
    import re
    page = desk.get("/schedules/default/edit").text
    fields = dict(re.findall(r'name="([a-z]+-\d+|base)"[^>]* value="([^"]*)"', page))
    fields |= {k: v for k, v in zip(re.findall(r'<select[^>]* name="([^"]+)"', page), re.findall(r'<option value="([^"]*)" selected', page))}
    print(fields)
    for do in ("add", "up-1", "remove-0", "preview"):
        a = desk.post("/schedules/default/edit", fields | {"do": do})
        assert a.status_code == 200, a.text[-3000:]
    a = desk.post("/schedules/default/edit", fields | {"do": "preview", "days-1": "x"})
    assert a.status_code == 422
    a = desk.post("/schedules/closing-days/preview", {"first": "2026-12-24", "name": "x"})
    assert a.status_code == 200
