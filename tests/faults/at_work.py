"""A worker of the product whose business time begins at an instant: `python at_work.py ISO JOURNAL`.

Acceptance is read from the sink's journal, as from a relay's log. With `-` for the instant it reads the clock itself.
"""

import sys
from datetime import datetime, timedelta
from pathlib import Path

from nudgepay import clock, runtime
from nudgepay.cli.main import app
from nudgepay.gateways.fakes.smtp_sink import SinkReceipts

if sys.argv[1] != "-":
    start, began = datetime.fromisoformat(sys.argv[1]), clock.monotonic()
    clock.now = lambda: start + timedelta(seconds=clock.monotonic() - began)
runtime.receipts_for = lambda settings: SinkReceipts(Path(sys.argv[2]))
app(["worker"])
