"""Where one goes on to after signing in or proving who one is: always a page of ours."""

from urllib.parse import quote, unquote

from fastapi import Request
from starlette.routing import Match

SAFE = frozenset({"GET", "HEAD"})
LONGEST = 2000


def own_path(wanted: str) -> str:
    """The path if it lies on these pages, else Today: nobody is sent elsewhere."""
    return wanted if len(wanted) <= LONGEST and all(_is_own(one) for one in (wanted, unquote(wanted))) else "/"


def _is_own(path: str) -> bool:
    return path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()


def wanted_page(request: Request) -> str:
    """The page to return to: where a form was sent, the page that showed it is not known, so Today."""
    if request.method not in SAFE:
        return "/"
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def nearest_page(request: Request) -> str:
    """The same page, or for a form the nearest one above the place that it was sent to."""
    if request.method in SAFE:
        return wanted_page(request)
    path = request.url.path
    while path and not _is_page(request, path):
        path = path.rpartition("/")[0]
    return path or "/"


def _is_page(request: Request, path: str) -> bool:
    scope = {"type": "http", "method": "GET", "path": path, "root_path": "", "headers": []}
    return any(route.matches(scope)[0] is Match.FULL for route in request.app.router.routes)


def login_path(wanted: str) -> str:
    """Where to sign in, and where to go on to."""
    return "/login" if wanted == "/" else f"/login?next={quote(wanted)}"


def proof_path(wanted: str) -> str:
    """Where to prove that it is still oneself, and where to go on to."""
    return f"/account/prove?next={quote(wanted)}"
