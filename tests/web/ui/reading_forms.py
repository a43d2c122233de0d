"""Forms as a browser would send them, read from a page."""

from html.parser import HTMLParser


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, list[dict[str, str]]] = {}
        self.fields: dict[str, str] | None = None
        self.select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.fields = {}
            self.found.setdefault(given.get("action", ""), []).append(self.fields)
        if self.fields is None:
            return
        is_chosen = given.get("type") not in {"checkbox", "radio"} or "checked" in given
        if tag == "input" and given.get("name") and is_chosen:
            self.fields[given["name"]] = given.get("value", "")
        elif tag == "select":
            self.select = given.get("name", "")
        elif tag == "option" and self.select and (self.select not in self.fields or "selected" in given):
            self.fields[self.select] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.fields = None
        elif tag == "select":
            self.select = ""


def form_of(page: str, action: str) -> dict[str, str]:
    """The fields of the page's form that is sent to `action`, without its buttons and its token."""
    reader = _Forms()
    reader.feed(page)
    assert action in reader.found, f"no form for {action}; there are {sorted(reader.found)}"
    return {name: value for name, value in reader.found[action][0].items() if name != "_csrf_token"}
