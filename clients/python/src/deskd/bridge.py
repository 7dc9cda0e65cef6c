"""A local socket that leads to a daemon through a command, for providers that only have an exec."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import threading

from .errors import DeskdError

__all__ = ["Bridge"]


class Bridge:
    """Listens on a socket that only this user can reach. Runs the command for each connection,
    with the connection as its standard input and output.

    Attributes:
        path: The path of the socket.
    """

    def __init__(self, command: list[str]) -> None:
        if shutil.which(command[0]) is None:
            raise DeskdError(f"the program {command[0]!r} is not installed or cannot be executed")
        self._command = command
        self._folder = tempfile.mkdtemp(prefix="deskd-")
        self.path = os.path.join(self._folder, "bridge.sock")
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        self._listener.listen()
        self._owner = os.getpid()
        self._children: list[subprocess.Popen[bytes]] = []
        self._is_closed = False
        threading.Thread(target=self._serve, name="deskd-bridge", daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                try:
                    child = subprocess.Popen(
                        self._command, stdin=connection.fileno(), stdout=connection.fileno()
                    )
                except OSError:
                    # The connection closes; gRPC reports that nobody answers.
                    continue
            self._children = [each for each in self._children if each.poll() is None]
            self._children.append(child)
            if self._is_closed:
                child.kill()

    def close(self) -> None:
        """Ends the commands and removes the socket."""
        if os.getpid() != self._owner or self._is_closed:
            return
        self._is_closed = True
        # Wakes the thread, which then finds the listener closed.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for child in self._children:
            child.kill()
            child.wait()
        shutil.rmtree(self._folder, ignore_errors=True)
