"""A way to the Docker engine that can be made to swallow answers, as an engine that hangs does."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Proxy:
    """Forwards to the engine at `target`; its answer to a request with `held` in the first line is lost."""

    path: Path
    target: Path
    held: str = ""
    clients: list[socket.socket] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"unix://{self.path}"

    def hang_up(self) -> None:
        """End the connections that stand, as an engine does that stops."""
        for client in self.clients:
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
        self.clients.clear()

    def serve(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return  # closed: the test is over
            self.clients.append(client)
            threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        engine = socket.socket(socket.AF_UNIX)
        engine.connect(str(self.target))
        swallow = threading.Event()

        def back() -> None:
            with suppress(OSError):
                while content := engine.recv(65536):
                    if not swallow.is_set():
                        client.sendall(content)

        threading.Thread(target=back, daemon=True).start()
        with suppress(OSError):
            while content := client.recv(65536):
                line = content.split(b"\r\n", 1)[0].decode(errors="replace")
                if self.held and self.held in line:
                    swallow.set()
                engine.sendall(content)
        engine.close()
        client.close()


@contextmanager
def proxied(path: Path, target: Path) -> Iterator[Proxy]:
    """A proxy at `path` for as long as the context lasts."""
    proxy = Proxy(path, target)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        threading.Thread(target=proxy.serve, args=(listener,), daemon=True).start()
        try:
            yield proxy
        finally:
            listener.shutdown(socket.SHUT_RDWR)
