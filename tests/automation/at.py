"""A worker in a process of its own whose business time begins at an instant: `python at.py ISO [stuck]`.

With `stuck` its only job never ends by itself.
"""

import sys
import threading
from datetime import datetime, timedelta

from nudgepay import clock
from nudgepay.automation import worker
from nudgepay.automation.context import JobContext
from nudgepay.automation.schedule import Job
from nudgepay.cli.main import app

start, began = datetime.fromisoformat(sys.argv[1]), clock.monotonic()
clock.now = lambda: start + timedelta(seconds=clock.monotonic() - began)


def hang(job: JobContext) -> dict[str, object]:
    threading.Event().wait()
    return {}


if "stuck" in sys.argv:
    worker.SCHEDULE = (Job("stuck", "* * * * * *", hang, "never ends"),)
app(["worker"])
