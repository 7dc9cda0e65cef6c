"""Forks while it has clients. Usage: fork_program.py KIND ADDRESS

A program of its own, so that no other test has a connection open in the process that forks.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable

from deskd import AsyncDesktop, Desktop


def fork(work: Callable[[], bool]) -> int:
    """Runs a function in a child process. Returns its exit code, or the negated signal."""
    pid = os.fork()
    if pid == 0:
        # A child that hangs is ended.
        signal.alarm(20)
        try:
            os._exit(0 if work() else 3)
        finally:
            os._exit(4)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def synchronous(address: str) -> None:
    """Parent and child use one `Desktop`."""
    desktop = Desktop(address)
    assert desktop.type("parent ").is_done

    def work() -> bool:
        return desktop.type("child ").is_done and not desktop.screenshot().is_card

    assert fork(work) == 0
    assert desktop.type("parent").is_done
    assert fork(work) == 0


def asynchronous(address: str) -> None:
    """Parent and child use one `AsyncDesktop`, which is closed before the fork."""
    desktop = AsyncDesktop(address)

    async def type_text(text: str) -> bool:
        step = await desktop.type(text)
        await desktop.close()
        return step.is_done

    assert asyncio.run(type_text("parent "))
    gc.collect()
    assert fork(lambda: asyncio.run(type_text("child "))) == 0
    assert asyncio.run(type_text("parent"))
    gc.collect()
    assert fork(lambda: asyncio.run(type_text("child "))) == 0


if __name__ == "__main__":
    {"synchronous": synchronous, "asynchronous": asynchronous}[sys.argv[1]](sys.argv[2])
