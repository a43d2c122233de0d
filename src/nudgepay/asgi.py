"""`uvicorn --factory nudgepay.asgi:application`: the web process."""

from starlette.types import ASGIApp

from nudgepay import log
from nudgepay.config import Settings
from nudgepay.managed_secrets.environment import resolver_from_environment
from nudgepay.runtime import build_runtime
from nudgepay.web.app import create_app


def application() -> ASGIApp:
    """Judge the settings, connect, and answer."""
    settings = Settings.load().ensure_valid(resolve=resolver_from_environment())
    log.configure(settings.log_level)
    return create_app(build_runtime(settings))
