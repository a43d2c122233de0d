"""`/templates`: the letters' texts in every language, an editor with a live preview, versions, tests to oneself."""

from fastapi import APIRouter

from nudgepay.web.ui.texts import comparing, editing, matrix, previewing

router = APIRouter()
for _part in (matrix, comparing, previewing, editing):
    router.routes.extend(_part.router.routes)
