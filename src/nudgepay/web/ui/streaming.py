"""Long answers: who may see them is asked again while they flow."""

from collections.abc import Iterator

from nudgepay import clock
from nudgepay.access.permissions import Permission
from nudgepay.web.ui.page import NotAllowed, Page, signed_in

RECHECK_SECONDS = 1.0


def while_allowed(page: Page, permission: Permission, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The chunks, as long as the session lives and its role holds the permission; then the stream breaks off.

    Raises NotAllowed, after which no ending follows that could be taken for the whole.
    """
    looked_at = clock.monotonic()
    for chunk in chunks:
        if clock.monotonic() - looked_at > RECHECK_SECONDS:
            signed = signed_in(page.request, page.runtime)
            if signed is None or not signed.may(permission):
                raise NotAllowed("who asked for this may not see it any more")
            looked_at = clock.monotonic()
        yield chunk
