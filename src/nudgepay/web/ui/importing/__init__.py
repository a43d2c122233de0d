"""Import: a file is uploaded, its columns are understood, it is read on trial, and only then imported."""

from fastapi import APIRouter

from nudgepay.web.ui.importing import mapping, showing, uploading

router = APIRouter()
for _part in (uploading, mapping, showing):
    router.routes.extend(_part.router.routes)
