"""What a person does with an uploaded file of any kind: see its faults, let it be read, taken in, or thrown away."""

from typing import Annotated

from fastapi import APIRouter
from starlette.responses import Response

from nudgepay.access.permissions import Permission
from nudgepay.payments.uploads.actions import ask_for_check, ask_for_import, discard_upload, upload_by_id
from nudgepay.web.deps import ReadSessionDep, SessionDep
from nudgepay.web.ui.files.background import work_soon
from nudgepay.web.ui.files.faults import faults_file
from nudgepay.web.ui.page import Page, allowed
from nudgepay.web.ui.row_ids import RowId


def file_acts(path: str, *, kind: str, permission: Permission, home: str) -> APIRouter:
    """The routes below `path`/ID for files of this kind; `home` is where one that is thrown away leads."""
    router = APIRouter()
    FilePage = Annotated[Page, allowed(permission)]  # noqa: N806  # a type

    @router.get(path + "/{upload_id}/errors.csv")
    def errors(page: FilePage, session: ReadSessionDep, upload_id: RowId) -> Response:
        """What is wrong, line by line, as a file that runs nothing."""
        return faults_file(page, upload_by_id(session, upload_id, kind=kind))

    @router.post(path + "/{upload_id}/run")
    def run(page: FilePage, upload_id: RowId) -> Response:
        """Take it in as it was checked; a second time changes nothing."""
        with page.runtime.db.transaction() as session:
            upload = ask_for_import(session, upload_id, actor=page.actor, kind=kind)
            is_waiting, size = upload.state == "importing", upload.size
        if is_waiting:
            work_soon(page.runtime, upload_id, size=size)
        return page.go(f"{path}/{upload_id}")

    @router.post(path + "/{upload_id}/check")
    def check_again(page: FilePage, upload_id: RowId) -> Response:
        """Read it on trial once more, in the same way."""
        with page.runtime.db.transaction() as session:
            size = ask_for_check(session, upload_id, kind=kind).size
        work_soon(page.runtime, upload_id, size=size)
        return page.go(f"{path}/{upload_id}")

    @router.post(path + "/{upload_id}/discard")
    def discard(page: FilePage, session: SessionDep, upload_id: RowId) -> Response:
        """Forget the file; the books know nothing of it."""
        discard_upload(session, upload_id, actor=page.actor, kind=kind)
        return page.go(home, told=page.gettext("The file is thrown away; nothing of it was imported."))

    return router
