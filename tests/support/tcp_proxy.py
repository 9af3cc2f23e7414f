"""A TCP proxy that can stop forwarding while its connections stay open, as a broken network does."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Proxy:
    """Forwards connections to the loopback port `server`."""

    server: int
    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    sockets: list[socket.socket] = field(default_factory=list)
    muted: set[socket.socket] = field(default_factory=set)
    mutes_new: bool = False

    @property
    def port(self) -> int:
        """The port on which the proxy listens."""
        return int(self.listener.getsockname()[1])

    def mute(self, new: bool = True) -> None:
        """Stop forwarding on all open connections and, if `new`, on connections that are opened later."""
        self.muted.update(self.sockets)
        self.mutes_new = new

    def run(self) -> None:
        """Accept connections until the proxy is closed."""
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket.create_connection(("127.0.0.1", self.server))
                self.sockets += [client, server]
                if self.mutes_new:
                    self.muted.update([client, server])
                for source, sink in ((client, server), (server, client)):
                    threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(2**16):
                if source not in self.muted:
                    sink.sendall(data)
            if source not in self.muted:
                sink.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close all sockets. Each is shut down first, because a thread that waits for the socket would keep it open."""
        for each in [self.listener, *self.sockets]:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


@contextmanager
def proxy(server: int) -> Iterator[Proxy]:
    """Run a proxy to a loopback port while this context is open. Yields the proxy."""
    made = Proxy(server)
    thread = threading.Thread(target=made.run, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.close()
        thread.join()
