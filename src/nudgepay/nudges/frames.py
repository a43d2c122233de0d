"""How every mail's frame is rendered: escaped in HTML, strict about unknown names, compiled once. Pure."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape


def frames_in(*directories: Path) -> Environment:
    """The frames of these directories, the first that has a name wins."""
    return Environment(
        loader=FileSystemLoader(directories),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
