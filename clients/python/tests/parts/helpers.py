"""Session helpers, which start programs for a daemon."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess

from .processes import end, program, until
from .servers import XServer


class Helper:
    """A session helper on a display.

    Attributes:
        socket: Where it listens; the daemon's option `--session-helper`.
    """

    def __init__(self, server: XServer, folder: pathlib.Path, **variables: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.socket = str(folder / "helper.sock")
        mark = {"DESKD_TEST_HELPER": self.socket}
        self.process = subprocess.Popen(
            [program(), "session-helper", "--socket", self.socket],
            env={**server.environment(), "HOME": str(folder), **mark, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until(lambda: pathlib.Path(self.socket).exists(), "the session helper listens")

    def end(self) -> None:
        """Ends it, and the programs that it started, which outlive it."""
        end(self.process)
        for each in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                variables = (each / "environ").read_bytes().split(b"\0")
            except OSError:
                # The process has ended, or is one of another user.
                continue
            own = f"DESKD_TEST_HELPER={self.socket}".encode()
            if own in variables and any(name.startswith(b"DESKD_PROGRAM=") for name in variables):
                os.kill(int(each.name), signal.SIGKILL)
