"""An operator's story over HTTP alone: switched off, nudged by hand, paid through Stripe's events, chased no more."""

import pytest

from journeys.signed_in import BROWSER, installed, working_hour
from nudgepay.config import Settings


def test_switch_off_nudge_by_hand_paid_by_webhook_and_the_chase_stops(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with installed(settings, monkeypatch) as shop:
        http, path = shop.http, shop.path
        assert http.get(path, headers=BROWSER).headers["location"] == f"/login?next={path}"
        assert http.delete(f"{path}/reminders").status_code == 401
        shop.sign_in()
        token = {"X-CSRF-Token": shop.csrf_token}

        assert http.delete(f"{path}/reminders").status_code == 403
        assert http.delete(f"{path}/reminders", headers=token).status_code == 303
        assert shop.pass_at(working_hour(1)) == 0
        assert "Nothing goes: Reminders are switched off" in http.get(path, headers=BROWSER).text

        ordered = [http.post(f"{path}/nudges", data={"key": "only-once"}, headers=token) for _ in range(2)]
        assert [answer.status_code for answer in ordered] == [303, 303]
        letters = list((shop.runtime.settings.nudgepay_home / "outbox").glob("*.eml"))
        assert len(letters) == 1
        assert "Nudge by hand" in http.get(path, headers=BROWSER).text

        assert http.post(f"{path}/reminders", headers=token).status_code == 303
        shop.pay_as_the_payer()
        page = http.get(path, headers=BROWSER).text
        for told in (
            "Nothing is owed any more",
            "begun on the pay page",
            "Payment of €480.00",
            "olga@atelier.example",
        ):
            assert told in page
        assert [shop.pass_at(working_hour(days)) for days in (3, 8, 30)] == [0, 0, 0]
        assert http.post(f"{path}/nudges", headers=token).status_code == 409
        assert len(list((shop.runtime.settings.nudgepay_home / "outbox").glob("np.*.eml"))) == 1
