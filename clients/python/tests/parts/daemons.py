"""Daemons."""

from __future__ import annotations

import os
import pathlib
import subprocess
from typing import Any

from deskd import Desktop

from .processes import end, program, until


class Daemon:
    """A daemon. It can be killed and started again on the same addresses.

    Attributes:
        address: The first address on which it listens.
    """

    def __init__(self, display: str, folder: pathlib.Path, *options: str, listen: str = "") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.address = listen or f"unix:{folder}/deskd.sock"
        self.log = folder / "log"
        self._command = [program(), "serve", "--display", display, "--profile", "any"]
        self._command += ["--listen", self.address, *options]
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Starts it, and waits until it listens."""
        with self.log.open("ab") as log:
            before = log.tell()
            environment = {key: value for key, value in os.environ.items() if key[:6] != "DESKD_"}
            environment["HOME"] = str(self.folder)
            self.process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment
            )

        def is_listening() -> bool:
            assert self.process is not None and self.process.poll() is None, self.log.read_text()
            return b"listening" in self.log.read_bytes()[before:]

        until(is_listening, "the daemon listens")

    @property
    def is_running(self) -> bool:
        """Whether its process has not ended."""
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        """Kills it with SIGKILL."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def restart(self) -> None:
        """Kills it and starts it again."""
        self.kill()
        self.start()

    def desktop(self, **options: Any) -> Desktop:
        """Returns a client of it."""
        return Desktop(self.address, **options)

    def end(self) -> None:
        """Ends it."""
        if self.process is not None:
            end(self.process)
