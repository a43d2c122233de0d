"""Static files, each under a name that holds a hash of its content, so that it may be cached for ever."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, HTTPException
from fastapi.responses import Response

router = APIRouter()
FOR_EVER = "public, max-age=31536000, immutable"
_TYPES = {".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file of the package as it is served."""

    name: str
    content: bytes
    media_type: str


def _load() -> dict[str, Asset]:
    found = {}
    for path in sorted((Path(__file__).parent / "static").iterdir()):
        if path.suffix in _TYPES:
            content = path.read_bytes()
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
