"""Ready-made hooks for the adapters."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

from .. import conditions
from ..desktop_async import AsyncDesktop
from ..errors import ActionFailed
from ..values import limited
from .flow import Ask, Flow, run, run_async

__all__ = ["open_with"]

_COMPLETE = re.compile(r"/|[a-z][a-z0-9+.-]*://|(about|data|file|mailto):", re.IGNORECASE)
"""The beginning of an address that names its scheme, or of a path."""
_MAX_WAIT = 120
_REST = 1.0
"""Seconds for which the screen must not change after the page."""
_MAX_REST = 5.0


def open_with(desktop: Any, *, wait: float = 10.0) -> Callable[[str], Any]:
    """Returns a hook for the option `open` of adapters. It opens pages with the browser that the
    desktop's user prefers, also if none runs.

        computer = gemini.Computer(desktop, open=recipes.open_with(desktop))

    It uses `desktop.programs`, which requires a session helper. It waits at most `wait` seconds, at
    most 120, until the screen changes, and then until it rests. An address without a scheme gets
    `https://`.
    """
    limited(wait, "wait", _MAX_WAIT)
    if not isinstance(desktop, AsyncDesktop):
        return lambda address: run(desktop, _open(desktop, address, wait))

    async def opened(address: str) -> None:
        await run_async(desktop, _open(desktop, address, wait))

    return opened


def _open(desktop: Any, address: str, wait: float) -> Flow[None]:
    programs = desktop.programs
    uri = address.strip()
    if not _COMPLETE.match(uri):
        uri = f"https://{uri}"
    end = time.monotonic() + wait
    program = (yield Ask(programs.open, (uri,))).program
    while True:
        left = max(end - time.monotonic(), 0.0)
        condition = (conditions.changes(), min(left, 1.0))
        changed = yield Ask("wait_for", condition, {"check": False})
        written = yield Ask(programs.output, (program,))
        code = written.program.exit_code
        if code:
            why = f"{program.name} ended with code {code}: {written.text.strip()[-200:]}"
            raise ActionFailed(f"the page was not opened; {why}", reason="ENDED")
        if changed.is_met or left == 0:
            break
    yield Ask("wait_for", (conditions.rests(quiet=_REST), _MAX_REST), {"check": False})
