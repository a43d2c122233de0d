"""`/d/{token}`: an invoice's own PDF."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from nudgepay.web.deps import ReadSessionDep
from nudgepay.web.pay.finding import open_document

router = APIRouter()


@router.api_route("/d/{token}", methods=["GET", "HEAD"])
def show(token: str, request: Request, session: ReadSessionDep) -> Response:
    """The file as it was stored, never run by a browser as anything else than a PDF."""
    document = open_document(request, session, token)
    shown = {"Content-Disposition": f'inline; filename="{document.name}"'}
    return Response(document.content, media_type="application/pdf", headers=shown)
