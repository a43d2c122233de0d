"""The door as a visitor's browser knows it: forms with their tokens, cookies kept, an address of its own."""

import re
from collections.abc import Mapping

import pyotp
from httpx2 import Response
from starlette.testclient import TestClient

from nudgepay import clock
from nudgepay.access import totp
from nudgepay.access.operators import add_operator, operator_by_email
from nudgepay.access.permissions import Role
from nudgepay.runtime import Runtime
from nudgepay.web.app import create_app

EMAIL, BOSS, PASSWORD = "olga@desk.example", "boss@desk.example", "a long enough password"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
PROXY = "127.0.0.1"
BROWSER = {"accept": "text/html"}


def people(runtime: Runtime, *, with_totp: bool = False) -> None:
    """Olga, who looks, and a superadmin."""
    with runtime.db.transaction() as session:
        add_operator(session, email=EMAIL, password=PASSWORD, role=Role.VIEWER, actor="test")
        add_operator(session, email=BOSS, password=PASSWORD, role=Role.SUPERADMIN, actor="test")
        if with_totp:
            totp.enrol(session, operator_by_email(session, EMAIL).id, SECRET, actor="test")


def code_now(*, steps: int = 0, secret: str = SECRET) -> str:
    """What the app shows, or showed or will show."""
    return pyotp.TOTP(secret).at(int(clock.now().timestamp()) + 30 * steps)


class Visitor:
    """One browser. `address` is what a trusted proxy names, if there is one."""

    def __init__(self, runtime: Runtime, *, address: str = "") -> None:
        self.client = TestClient(create_app(runtime), follow_redirects=False, client=(PROXY, 5000))
        self.headers = BROWSER | ({"x-forwarded-for": address} if address else {})

    def get(self, path: str) -> Response:
        return self.client.get(path, headers=self.headers)

    def token(self, path: str = "/login") -> str:
        found = re.search(r'name="_csrf_token" value="(\w+)"', self.get(path).text)
        assert found is not None, path
        return found[1]

    def post(self, path: str, fields: Mapping[str, str], *, of: str = "/account") -> Response:
        """The form of the page `of`, sent."""
        return self.client.post(path, data={"_csrf_token": self.token(of), **fields}, headers=self.headers)

    def sign_in(self, email: str = EMAIL, password: str = PASSWORD, **more: str) -> Response:
        """What a script sends: everything that it has, in one form."""
        return self.post("/login", {"email": email, "password": password, **more}, of="/login")

    def is_in(self) -> bool:
        """True when a page of the inside is shown."""
        return self.get("/account").status_code == 200
