"""A connection that can be cut."""

from __future__ import annotations

import pathlib
import socket
import threading


class Relay:
    """A Unix socket that leads to another one, and can cut all connections.

    Attributes:
        address: The address of the socket.
        connections: Number of connections so far.
        is_mute: Whether what the daemon sends is lost.
    """

    def __init__(self, target: str, folder: pathlib.Path) -> None:
        self._target = target.removeprefix("unix:")
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / "relay.sock"))
        self._listener.listen()
        self._ends: list[socket.socket] = []
        self.address = f"unix:{folder / 'relay.sock'}"
        self.connections = 0
        self.is_mute = False
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            far.connect(self._target)
            self.connections += 1
            self._ends += [near, far]
            for ends in ((near, far, False), (far, near, True)):
                thread = threading.Thread(target=self._copy, args=ends)
                thread.start()
                self._threads.append(thread)

    def _copy(self, source: socket.socket, sink: socket.socket, is_answer: bool) -> None:
        try:
            while data := source.recv(65536):
                if not (self.is_mute and is_answer):
                    sink.sendall(data)
            sink.shutdown(socket.SHUT_RDWR)
        except OSError:
            return

    def cut(self) -> None:
        """Breaks all connections."""
        for each in self._ends:
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                # The other side has closed it.
                continue

    def end(self) -> None:
        """Breaks all connections, and removes the socket."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join()
        for each in self._ends:
            each.close()
