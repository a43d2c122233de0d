"""Static files, each under a name that holds a hash of its content, so that it may be cached for ever."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, HTTPException
from fastapi.responses import Response

router = APIRouter()
FOR_EVER = "public, max-age=31536000, immutable"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file of the package as it is served."""

    name: str
    content: bytes
    media_type: str


def _load() -> dict[str, Asset]:
    """Stylesheets come last: the files that they name are served under names of their own."""
    found: dict[str, Asset] = {}
    files = [path for path in (Path(__file__).parent / "static").iterdir() if path.suffix in _TYPES]
    for path in sorted(files, key=lambda path: (path.suffix == ".css", path.name)):
        content = path.read_bytes()
        if path.suffix == ".css":
            for name, asset in found.items():
                content = content.replace(f"url({name})".encode(), f"url({asset.name})".encode())
        digest = hashlib.sha256(content).hexdigest()[:12]
        found[path.name] = Asset(f"{path.stem}.{digest}{path.suffix}", content, _TYPES[path.suffix])
    return found


_ASSETS = _load()
_BY_SERVED_NAME = {asset.name: asset for asset in _ASSETS.values()}


def asset_url(name: str) -> str:
    """The path under which the file `name` of `static/` is served."""
    return f"/static/{_ASSETS[name].name}"


@router.api_route("/static/{name}", methods=["GET", "HEAD"])
def static(name: str) -> Response:
    """A file by its hashed name; an old hash is gone."""
    asset = _BY_SERVED_NAME.get(name)
    if asset is None:
        raise HTTPException(404)
    return Response(asset.content, media_type=asset.media_type, headers={"Cache-Control": FOR_EVER})
