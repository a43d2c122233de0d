"""Clients: the list, one client's page, and every change of who owes and who is written to."""

from fastapi import APIRouter

from nudgepay.web.ui.clients import (
    blocks,
    chasing,
    editing,
    holding,
    listing,
    people,
    personal_data,
    showing,
    statement,
    switching,
)

router = APIRouter()
for _part in (listing, editing, showing, chasing, people, blocks, holding, switching, statement, personal_data):
    router.routes.extend(_part.router.routes)
