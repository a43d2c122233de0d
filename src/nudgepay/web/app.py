"""The whole HTTP surface on one page."""

from fastapi import FastAPI

from nudgepay import __version__
from nudgepay.runtime import Runtime
from nudgepay.web import probes


def create_app(runtime: Runtime) -> FastAPI:
    """The application over one runtime. No interactive docs: the API gets its own in time."""
    app = FastAPI(title="NudgePay", version=__version__, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.runtime = runtime
    app.include_router(probes.router)
    return app
