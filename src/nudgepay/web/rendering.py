"""Templates of the payers' pages and of errors: autoescaped, strict about names they do not know."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from nudgepay.nudges.languages import LANGUAGES
from nudgepay.web.assets import asset_url

_HERE = Path(__file__).parent
_environment = Environment(
    loader=FileSystemLoader([_HERE / "templates", _HERE / "pay" / "templates"]),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.globals |= {
    "stylesheet": asset_url("pages.css"),
    "icon": asset_url("icon.svg"),
    "languages": LANGUAGES,
}


def render(template: str, **values: object) -> str:
    """The page as text."""
    return _environment.get_template(template).render(**values)
