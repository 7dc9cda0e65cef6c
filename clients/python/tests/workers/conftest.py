"""A desktop with a program that writes what it receives into a file, a session helper, and a daemon
with HTTP."""

from __future__ import annotations

import os
import pathlib
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator

import pytest


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def program() -> pathlib.Path:
    path = os.environ.get("DESKD_TEST_PROGRAM")
    assert path, "set DESKD_TEST_PROGRAM to the path of the deskd program"
    return pathlib.Path(path)


def until(what: str, probe: object, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not probe():  # type: ignore[operator]
        assert time.monotonic() < end, f"{what} did not come"
        time.sleep(0.05)


class Daemon:
    """The X server, the program, the session helper, and the daemon."""

    def __init__(self, program: pathlib.Path, folder: pathlib.Path) -> None:
        self.program, self.folder = program, folder
        self.token = secrets.token_urlsafe(24)
        (folder / "token").write_text(self.token)
        os.chmod(folder / "token", 0o600)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.http = f"127.0.0.1:{free.getsockname()[1]}"
        self.address = f"unix:{folder}/deskd.sock"
        read, write = os.pipe()
        screen = ["-screen", "0", "1280x800x24", "-nolisten", "tcp"]
        self._xvfb = subprocess.Popen(
            ["Xvfb", "-displayfd", str(write), *screen],
            pass_fds=[write],
            stderr=subprocess.DEVNULL,
        )
        os.close(write)
        with os.fdopen(read) as numbers:
            self.display = f":{numbers.readline().strip()}"
        self.received = folder / "received"
        self.received.write_bytes(b"")
        echo = f"stty -echo; while IFS= read -r line; do printf '%s\\n' \"$line\" >> {self.received}; done"
        xterm = ["xterm", "-u8", "-geometry", "80x24+200+200", "-e", "sh", "-c", echo]
        self._xterm = subprocess.Popen(
            xterm, env={**os.environ, "DISPLAY": self.display, "LC_ALL": "C.UTF-8"}
        )
        helper = [str(self.program), "session-helper", "--socket", f"{folder}/helper.sock"]
        self._helper = subprocess.Popen(
            helper,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "DISPLAY": self.display, "HOME": str(folder), "LC_ALL": "C.UTF-8"},
        )
        until("the session helper", lambda: (folder / "helper.sock").exists())
        self._start()

    def _start(self) -> None:
        self._deskd = subprocess.Popen(
            [
                *(str(self.program), "serve", "--display", self.display, "--profile", "any"),
                *("--listen", self.address, "--http", self.http, "--mcp"),
                *("--token-file", str(self.folder / "token")),
                *("--session-helper", f"{self.folder}/helper.sock"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / "log").open("ab"),
        )
        until("the socket", lambda: (self.folder / "deskd.sock").exists())
        ready = [str(self.program), "ready", "--server", self.address, "--timeout", "30s"]
        subprocess.run(ready, check=True, stdout=subprocess.DEVNULL)

    def focus(self) -> None:
        click = [str(self.program), "click", "--server", self.address, "400", "350"]
        subprocess.run(click, check=True, stdout=subprocess.DEVNULL)

    def until_received(self, text: str) -> None:
        until(repr(text), lambda: text in self.received.read_text())

    def restart(self) -> None:
        self._deskd.terminate()
        self._deskd.wait()
        self._start()

    def close(self) -> None:
        for process in (self._deskd, self._helper, self._xterm, self._xvfb):
            process.terminate()
            process.wait()


@pytest.fixture(scope="module")
def daemon(program: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    made = Daemon(program, tmp_path_factory.mktemp("desktop"))
    try:
        yield made
    finally:
        made.close()
