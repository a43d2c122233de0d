"""A TCP proxy in front of PostgreSQL's socket that can fall silent, or lose the answer to one statement."""

import contextlib
import socket
import threading
from typing import Self

CHUNK = 65_536
OPENING = 1_024
"""Bytes of a connection that name who opens it."""


class Proxy:
    """`with Proxy(path) as proxy:` listens on `proxy.port` of 127.0.0.1 and speaks to the Unix socket `path`."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self._flows = threading.Event()
        self._flows.set()
        self._lock = threading.Lock()
        self._to_lose: list[tuple[bytes, bytes]] = []
        self._sockets: list[socket.socket] = []
        self.lost = 0
        self.held = 0
        threading.Thread(target=self._listen, daemon=True, name="proxy").start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._flows.set()
        for one in [self._listener, *self._sockets]:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def url(self, database: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def hang(self) -> None:
        """Accept everything, forward nothing."""
        self._flows.clear()

    def go_on(self) -> None:
        self._flows.set()

    def lose_answer_to(self, statement: bytes, *, of: bytes = b"") -> None:
        """The next statement with these bytes reaches the server; its answer is lost with the connection.

        `of`: only of connections that opened with these bytes, such as an application's name.
        """
        with self._lock:
            self._to_lose.append((statement, of))

    def _listen(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        server = socket.socket(socket.AF_UNIX)
        losing, opening = threading.Event(), b""
        self._sockets += [client, server]
        with client, server, contextlib.suppress(OSError):
            self._pause()
            server.connect(self._path)
            back = threading.Thread(target=self._answer, args=(server, client, losing), daemon=True)
            back.start()
            with contextlib.suppress(OSError):
                while data := client.recv(CHUNK):
                    self._pause()
                    opening = opening if len(opening) > OPENING else opening + data
                    if self._is_lost(data, opening):
                        losing.set()
                    server.sendall(data)
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_WR)
            back.join(timeout=60)

    def _answer(self, server: socket.socket, client: socket.socket, losing: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(CHUNK):
                self._pause()
                if losing.is_set():
                    break
                client.sendall(data)
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)

    def _pause(self) -> None:
        if not self._flows.is_set():
            self.held += 1
            self._flows.wait()

    def _is_lost(self, data: bytes, opening: bytes) -> bool:
        with self._lock:
            found = next((one for one in self._to_lose if one[0] in data and one[1] in opening), None)
            if found is None:
                return False
            self._to_lose.remove(found)
            self.lost += 1
            return True
