"""Bank statements: brought, their lines looked at with what each may pay, and booked by a person's word."""

from fastapi import APIRouter

from nudgepay.web.ui.statements import booking, deciding, files, line, listing, mapping, showing, uploading

router = APIRouter()
for _part in (uploading, listing, mapping, files, booking, deciding, line, showing):
    router.routes.extend(_part.router.routes)
