"""Programs that the tests start. Each is ended by its process id."""

from __future__ import annotations

import os
import pathlib
import subprocess
import time
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def program() -> str:
    """Returns the path of the daemon's program."""
    path = os.environ.get("DESKD_TEST_PROGRAM")
    if not path:
        raise RuntimeError("DESKD_TEST_PROGRAM is not set; set it to the path of the deskd program")
    if not os.access(path, os.X_OK):
        raise RuntimeError(f"DESKD_TEST_PROGRAM is {path}, which cannot be executed")
    return path


def until(check: Callable[[], T], what: str, seconds: float = 20.0) -> T:
    """Returns the first true result of `check`, which is called until then."""
    end = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < end, f"not within {seconds:g} s: {what}"
        time.sleep(0.01)
    return found


def end(process: subprocess.Popen[Any], seconds: float = 10.0) -> None:
    """Ends a process, and kills it if it does not obey."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            stream.close()


def children(pid: int) -> list[int]:
    """Returns the child processes of a process."""
    found: list[int] = []
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        try:
            found += map(int, (task / "children").read_text().split())
        except (FileNotFoundError, ProcessLookupError):
            # The thread has ended.
            continue
    return found


def running(pid: int) -> list[int]:
    """Returns the child processes of a process that have not ended."""
    found = []
    for child in children(pid):
        try:
            state = pathlib.Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if state != "Z":
            found.append(child)
    return found
