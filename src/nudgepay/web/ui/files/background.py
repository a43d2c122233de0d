"""Work on an upload begins in this process at once; whoever uploaded a small file finds it done on the next page.

A large one is left to a worker first, who has no pages to answer; where none takes it, this process does. If this
process dies, the job `import_files` goes on.
"""

import threading
from contextvars import copy_context

from nudgepay import clock, log
from nudgepay.automation.waking import wake_worker
from nudgepay.db import Database
from nudgepay.errors import OperationalError
from nudgepay.invoices.importing.rows import Defaults
from nudgepay.payments.uploads.working import run_upload
from nudgepay.runtime import Runtime

JOB = "import_files"
SMALL_BYTES = 300_000
HEAD_START_SECONDS = 3.0
AWAITED_SECONDS = 2.0
_log = log.get("uploads")


def work_soon(runtime: Runtime, upload_id: int, *, size: int) -> None:
    """Begin, and wait a moment for the end. What is asked for must be committed before."""
    is_large = size > SMALL_BYTES
    with runtime.db.transaction() as session:
        wake_worker(session, JOB)
    start = threading.Event()
    arguments = (_work, runtime, upload_id, HEAD_START_SECONDS if is_large else 0.0, start)
    work = threading.Thread(target=copy_context().run, args=arguments, name=f"upload-{upload_id}", daemon=True)
    work.start()
    if not is_large:
        work.join(AWAITED_SECONDS)


def defaults_of(runtime: Runtime) -> Defaults:
    """What a client or an invoice has where a file does not say."""
    settings = runtime.settings
    return Defaults(settings.business_locale, settings.business_timezone, settings.business_country)


def _work(runtime: Runtime, upload_id: int, pause: float, start: threading.Event) -> None:
    """On connections of its own: statements of an import may take longer than those of a page."""
    start.wait(pause)
    db = Database(runtime.db.url, pool_size=3)
    try:
        run_upload(db, upload_id, defaults=defaults_of(runtime), now=clock.now())
    except OperationalError as error:
        _log.warning("upload_waits", upload=upload_id, error=type(error).__name__)
    except Exception as error:  # noqa: BLE001  # the thread has nobody to tell; the file waits for the job
        _log.exception("upload_broke", upload=upload_id, error=type(error).__name__)
    finally:
        db.close()
