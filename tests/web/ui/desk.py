"""An operator's desk: the application asked as a signed-in operator asks it."""

import re
from collections.abc import Mapping
from typing import Any

from httpx2 import Response
from sqlalchemy import select
from starlette.testclient import TestClient

from nudgepay.access.models import Operator
from nudgepay.access.permissions import Role
from nudgepay.access.sessions import start_session
from nudgepay.runtime import Runtime
from nudgepay.web.ui.cookies import Cookies

NO_PASSWORD = "!"


def signed_in_as(runtime: Runtime, role: Role | str = Role.SUPERADMIN, *, email: str = "olga@desk.example") -> str:
    """The cookie value of a new session of an operator with this role."""
    with runtime.db.transaction() as session:
        operator = session.scalar(select(Operator).where(Operator.email == email))
        if operator is None:
            operator = Operator(email=email, password_hash=NO_PASSWORD, role=str(role), created_by="test")
            session.add(operator)
            session.flush()
        operator.role = str(role)
        return start_session(session, operator.id, hours=1)


class Desk:
    """GETs pages; POSTs forms with the token of the session."""

    def __init__(
        self,
        client: TestClient,
        runtime: Runtime,
        role: Role | str = Role.SUPERADMIN,
        *,
        email: str = "olga@desk.example",
    ) -> None:
        self.client = client
        self.runtime = runtime
        name = Cookies.of(runtime.settings).name("session")
        client.cookies.set(name, signed_in_as(runtime, role, email=email), domain="testserver.local")
        self.csrf_token = re.search(r'name="_csrf_token" value="(\w+)"', self.get("/account").text)[1]  # type: ignore[index]

    def get(self, path: str, **more: Any) -> Response:
        """The page, as a browser asks for it."""
        return self.client.get(path, headers={"accept": "text/html"}, **more)

    def post(self, path: str, fields: Mapping[str, Any] | None = None, **more: Any) -> Response:
        """The form sent; redirects are not followed."""
        data = {"_csrf_token": self.csrf_token, **(fields or {})}
        return self.client.post(path, data=data, headers={"accept": "text/html"}, **more)

    def told(self, response: Response) -> str:
        """The page that a form led to, with what it tells."""
        assert response.status_code == 303, response.text
        return self.get(response.headers["location"]).text
