"""A local socket that leads to a daemon through a command, for providers that only have an exec."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import threading
import weakref

from .errors import DeskdError

__all__ = ["Bridge"]


class Bridge:
    """Listens on a socket that only this user can reach. Runs the command for each connection,
    with the connection as its standard input and output.

    The commands end, and the socket is removed, with `close`, with the object, or with the process.

    Attributes:
        path: The path of the socket.
    """

    def __init__(self, command: list[str]) -> None:
        if shutil.which(command[0]) is None:
            raise DeskdError(f"the program {command[0]!r} is not installed or cannot be executed")
        # The path of a socket has at most 107 bytes.
        is_short = len(os.fsencode(tempfile.gettempdir())) <= 64
        folder = tempfile.mkdtemp(prefix="deskd-", dir=None if is_short else "/tmp")
        self.path = os.path.join(folder, "bridge.sock")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self.path)
        listener.listen()
        children: list[subprocess.Popen[bytes]] = []
        self._finalizer = weakref.finalize(self, _end, os.getpid(), listener, children, folder)
        threading.Thread(
            target=_serve, args=(listener, command, children), name="deskd-bridge", daemon=True
        ).start()

    def close(self) -> None:
        """Ends the commands and removes the socket."""
        self._finalizer()


def _serve(
    listener: socket.socket, command: list[str], children: list[subprocess.Popen[bytes]]
) -> None:
    """Runs the command for each connection, until the listener is closed."""
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            try:
                child = subprocess.Popen(
                    command, stdin=connection.fileno(), stdout=connection.fileno()
                )
            except OSError:
                # The connection closes, and gRPC reports that no daemon answers.
                continue
        children[:] = [each for each in children if each.poll() is None]
        children.append(child)
        if listener.fileno() == -1:
            child.kill()


def _end(
    owner: int,
    listener: socket.socket,
    children: list[subprocess.Popen[bytes]],
    folder: str,
) -> None:
    """Ends everything, in the process that started it."""
    if os.getpid() != owner:
        return
    # Wakes the thread, which then finds the listener closed.
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    for child in children:
        child.kill()
        child.wait()
    shutil.rmtree(folder, ignore_errors=True)
