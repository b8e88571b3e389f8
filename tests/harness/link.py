"""A connection to the API server that a test can cut: packets vanish, as when a node loses its network.

Nothing is refused and nothing is closed, which is the worst way: who waits there learns nothing.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import yaml

CHUNK = 65536


@dataclass
class Link:
    """A way through to `target`. `writes` are the moments (of `time.time`) at which a PATCH went through.

    Only plain http shows what goes through; in TLS there is nothing to see.
    """

    target: tuple[str, int]
    port: int = 0
    writes: list[float] = field(default_factory=list)
    _cut: threading.Event = field(default_factory=threading.Event)
    _ends: list[socket.socket] = field(default_factory=list)

    def cut(self) -> None:
        """From now on nothing arrives, in either direction."""
        self._cut.set()

    def serve(self, listener: socket.socket) -> None:
        """Take connections until the listener is closed."""
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            far = socket.create_connection(self.target)
            self._ends += [near, far]
            for source, sink, watched in ((near, far, True), (far, near, False)):
                threading.Thread(target=self._carry, args=(source, sink, watched), daemon=True).start()

    def close(self) -> None:
        """Close what is open."""
        for end in self._ends:
            end.close()

    def _carry(self, source: socket.socket, sink: socket.socket, watched: bool) -> None:
        try:
            while content := source.recv(CHUNK):
                if self._cut.is_set():
                    return  # and both ends stay open
                if watched and content.startswith(b"PATCH "):
                    self.writes.append(time.time())
                sink.sendall(content)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            return


@contextmanager
def link(kubeconfig: Path) -> Iterator[tuple[Link, Path]]:
    """A link to the API server of `kubeconfig`, and the kubeconfig that goes over it."""
    content = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
    cluster = content["clusters"][0]["cluster"]
    where = urlsplit(cluster["server"])
    assert where.hostname, where
    assert where.port, where
    with socket.create_server(("127.0.0.1", 0)) as listener:
        made = Link((where.hostname, where.port), listener.getsockname()[1])
        cluster["server"] = f"{where.scheme}://127.0.0.1:{made.port}"
        over = kubeconfig.with_name(f"{kubeconfig.name}-over-{made.port}")
        over.write_text(yaml.safe_dump(content), encoding="utf-8")
        thread = threading.Thread(target=made.serve, args=(listener,), daemon=True)
        thread.start()
        try:
            yield made, over
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            made.close()
            over.unlink()
