"""Every route of one invoice's page."""

from fastapi import APIRouter

from nudgepay.web.ui.invoice import (
    answering,
    closing,
    documents,
    letters,
    nudging,
    pausing,
    paying,
    readings,
    showing,
    switching,
)

router = APIRouter()
for _room in (showing, letters, nudging, switching, pausing, paying, answering, closing, readings, documents):
    router.routes.extend(_room.router.routes)
