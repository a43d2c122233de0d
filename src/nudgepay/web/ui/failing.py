"""What an operator sees when something could not be done: what it was, why, and the way on."""

from starlette.datastructures import Headers
from starlette.types import Scope

from nudgepay.web.ui.rendering import environment_for
from nudgepay.web.ui.words import N_, language_of

TITLES = {
    400: N_("This request could not be understood"),
    401: N_("Sign in first"),
    403: N_("You may not do this"),
    404: N_("There is nothing here"),
    405: N_("This cannot be done that way"),
    408: N_("The request took too long to arrive"),
    409: N_("Somebody was faster, or it is too late"),
    413: N_("That is too much at once"),
    415: N_("This kind of file is not understood"),
    422: N_("Something in the form is not right"),
    429: N_("Too many attempts"),
    500: N_("Something went wrong here"),
    503: N_("Not now: the database cannot be reached"),
}


def failure_page(scope: Scope, status: int, *, request_id: str, message: str) -> str:
    """The page as text. It asks no database: it is shown when there is none, too."""
    language = language_of(None, Headers(scope=scope).get("accept-language", ""))
    title = TITLES.get(status) or TITLES[500 if status >= 500 else 400]
    template = environment_for(language).get_template("failure.html")
    return template.render(language=language, title=title, message=message, request_id=request_id)
