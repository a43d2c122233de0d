"""`nudgepay` as a shell runs it, one process for each command, without the second that importing it takes each time.

A warm process has imported it and forks for each command that a small client hands over: its arguments, directory,
environment and standard streams. The command ends in `nudgepay.cli.main.main`, as the installed one does.
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

CLIENT = """#!{python} -SE
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as warm:
    warm.connect({address!r})
    said = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
    socket.send_fds(warm, [len(said).to_bytes(4, "big") + said], [0, 1, 2])
    sys.exit(warm.recv(1)[0])
"""
IMPORTED = (
    "nudgepay.automation.schedule",
    "nudgepay.cli.main",
    "nudgepay.cli.doctor",
    "nudgepay.payments.importing",
    "nudgepay.runtime",
    "nudgepay.schema_lifecycle.migrate",
)


@contextlib.contextmanager
def warm_command(home: Path) -> Iterator[Path]:
    """The directory in which `nudgepay` lies."""
    address, bin_ = home / "warm", home / "bin"
    bin_.mkdir()
    client = bin_ / "nudgepay"
    client.write_text(CLIENT.format(python=sys.executable, address=str(address)))
    client.chmod(0o755)
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path), "LANG": "C.UTF-8"}
    serving = subprocess.Popen([sys.executable, __file__, str(address)], env=environment)
    try:
        while not address.exists():
            assert serving.poll() is None, "the warm process has ended"
            time.sleep(0.02)
        yield bin_
    finally:
        serving.terminate()
        serving.wait(10)


def serve(address: str) -> None:
    """One command after the other, until the process is ended."""
    for name in IMPORTED:
        __import__(name)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"{address}.new")
        listening.listen()
        Path(f"{address}.new").rename(address)
        while True:
            asking, _ = listening.accept()
            with asking:
                asking.sendall(bytes([_run_for(asking)]))


def _run_for(asking: socket.socket) -> int:
    said, streams, _, _ = socket.recv_fds(asking, 1 << 16, 3)
    while len(said) < 4 + int.from_bytes(said[:4], "big"):
        said += asking.recv(1 << 16)
    arguments, directory, environment = json.loads(said[4:])
    child = os.fork()
    if child == 0:
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        os.chdir(directory)
        os.environ.clear()
        os.environ.update(environment)
        _end_as_the_command(arguments)
    for stream in streams:
        os.close(stream)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _end_as_the_command(arguments: list[str]) -> None:
    from nudgepay.cli.main import main

    sys.argv = ["nudgepay", *arguments]
    code: object = 0
    try:
        main()
    except SystemExit as ended:
        code = ended.code or 0
    except Exception as error:  # noqa: BLE001  # a bug ends the command as it would end a process of its own
        sys.excepthook(type(error), error, error.__traceback__)
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 1)


if __name__ == "__main__":
    serve(sys.argv[1])
