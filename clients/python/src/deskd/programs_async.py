"""The programs of a desktop. `programs_sync.py` is generated from this file."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .calls import PROGRAMS, requires
from .program import (
    Launch,
    Program,
    ProgramOutput,
    Signalled,
    id_of,
    launch,
    launch_request,
    output,
    program,
    signal_request,
    signalled,
    words_of,
)
from .v1 import programs_pb2 as pb
from .values import MAX_TIMEOUT, flag, invalid, text, wait_timeout

if TYPE_CHECKING:
    from .desktop_async import AsyncDesktop

__all__ = ["AsyncPrograms"]

_NEEDED = requires({"programs"})


class AsyncPrograms:
    """The programs of a desktop: `desktop.programs`. Requires a session helper.

        started = await desktop.programs.launch("xterm", "-e", "top", wait_window=10)
        print(started.window.title)
        await desktop.programs.signal(started.program)

    The methods that launch have these options:

    Args:
        folder: The working folder, an absolute path. Default: the home of the desktop's user.
        env: Environment variables besides those of the session.
        wait_window: Maximum seconds to wait until the program has painted a window, at most 120.
            Default: the call returns when the program is started.
        check: Whether to raise `ActionFailed` if a window was awaited and not painted. Its reason is
            the outcome: WINDOW_BLANK, NO_WINDOW or ENDED. The program may run: `error.launch` has it.
        timeout: Seconds for the whole call. Default: that of the desktop and `wait_window`.

    Each launch has an id, which stays the same when the call is made again: it starts the program at
    most once. No shell is involved.
    """

    def __init__(self, desktop: AsyncDesktop) -> None:
        self._desktop = desktop

    async def launch(
        self,
        *words: str,
        folder: str = "",
        env: Mapping[str, str] | None = None,
        wait_window: float | None = None,
        check: bool = True,
        timeout: float | None = None,
    ) -> Launch:
        """Starts a program with arguments: `launch("xterm", "-e", "top")`."""
        request = launch_request(folder, env, wait_window)
        if not words:
            raise invalid('no program is given; give words such as "xterm", "-e", "top"')
        request.arguments.words.extend(words_of(words, "word"))
        return await self._launch(request, wait_window, check, timeout)

    async def launch_entry(
        self,
        entry: str,
        *uris: str,
        folder: str = "",
        env: Mapping[str, str] | None = None,
        wait_window: float | None = None,
        check: bool = True,
        timeout: float | None = None,
    ) -> Launch:
        """Starts a program of the desktop's menu by the id of its entry, such as `thunar.desktop`.
        It opens the URIs."""
        request = launch_request(folder, env, wait_window)
        request.desktop_entry.entry = text(entry, "entry")
        request.desktop_entry.uris.extend(words_of(uris, "URI"))
        return await self._launch(request, wait_window, check, timeout)

    async def open(
        self,
        uri: str,
        *,
        folder: str = "",
        env: Mapping[str, str] | None = None,
        wait_window: float | None = None,
        check: bool = True,
        timeout: float | None = None,
    ) -> Launch:
        """Opens a URI or an absolute path with the program that the desktop's user prefers."""
        request = launch_request(folder, env, wait_window)
        request.uri = text(uri, "uri")
        return await self._launch(request, wait_window, check, timeout)

    async def list(self, *, timeout: float | None = None) -> builtins.list[Program]:
        """Returns the programs that deskd launched, the latest first, and then those that have a
        window."""
        reply = await self._desktop._call(
            PROGRAMS + "ListPrograms",
            pb.ListProgramsRequest(),
            pb.ListProgramsResponse,
            timeout,
            _NEEDED,
        )
        return [program(each) for each in reply.programs]

    async def output(self, of: Program | str, *, timeout: float | None = None) -> ProgramOutput:
        """Returns the end of what a launched program wrote. `of` is a program or its id."""
        request = pb.ReadOutputRequest(id=id_of(of))
        path = PROGRAMS + "ReadOutput"
        return output(
            await self._desktop._call(path, request, pb.ReadOutputResponse, timeout, _NEEDED)
        )

    async def signal(
        self, of: Program | str, signal: str = "terminate", *, timeout: float = 2.0
    ) -> Signalled:
        """Sends a signal to all processes of a launched program: `terminate`, `kill`, `interrupt` or
        `hang_up`. Waits at most `timeout` seconds, at most 30, until all have ended."""
        request = signal_request(of, signal, timeout)
        # A signal is not sent again: a program may treat a second interrupt in another way.
        path, allowed = PROGRAMS + "SignalProgram", wait_timeout(timeout)
        return signalled(
            await self._desktop._once(path, request, pb.SignalProgramResponse, allowed, _NEEDED)
        )

    async def _launch(
        self, request: Any, wait_window: float | None, check: bool, timeout: float | None
    ) -> Launch:
        flag(check, "check")
        longest = min(self._desktop._defaults.timeout + (wait_window or 0), MAX_TIMEOUT)
        allowed = timeout if timeout is not None else longest
        path = PROGRAMS + "Launch"
        made = launch(
            await self._desktop._call(path, request, pb.LaunchResponse, allowed, _NEEDED)
        )
        return made.check() if check else made
