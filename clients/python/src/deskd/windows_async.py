"""The windows of a desktop. `windows_sync.py` is generated from this file."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from .calls import WINDOWS, requires
from .conditions import match
from .v1 import windows_pb2 as pb
from .values import duration, flag, wait_timeout
from .window import Window, WindowChange, change, place, target, window

__all__ = ["AsyncWindows"]


class AsyncWindows:
    """The windows of a desktop: `desktop.windows`.

        for window in await desktop.windows.list():
            print(window.title, window.frame)
        await desktop.windows.activate("Save As")

    A window is a `Window`, or a part of the title that only one window has. Each change is verified,
    and raises `ActionFailed` if the window did not become as requested.
    """

    def __init__(
        self, call: Callable[..., Awaitable[Any]], once: Callable[..., Awaitable[Any]]
    ) -> None:
        self._call, self._once = call, once

    async def list(
        self, title: str = "", *, class_: str = "", pid: int | None = None, kind: str = ""
    ) -> list[Window]:
        """Returns the windows, the topmost first; with properties, those that match."""
        request = pb.ListWindowsRequest()
        if title or class_ or kind or pid is not None:
            request.match.CopyFrom(match(title, class_, pid, kind))
        path, needed = WINDOWS + "ListWindows", requires({"windows"})
        reply = await self._call(path, request, pb.ListWindowsResponse, None, needed)
        return [window(each) for each in reply.windows]

    async def activate(self, of: Window | str, **options: Any) -> WindowChange:
        """Shows a window, raises it and gives it the keyboard focus."""
        return await self._operate(of, pb.WINDOW_OPERATION_ACTIVATE, **options)

    async def close(self, of: Window | str, **options: Any) -> WindowChange:
        """Asks a window to close. If the program asks back, `WindowChange.appeared` has its
        question."""
        return await self._operate(of, pb.WINDOW_OPERATION_CLOSE, **options)

    async def minimize(self, of: Window | str, **options: Any) -> WindowChange:
        """Minimizes a window."""
        return await self._operate(of, pb.WINDOW_OPERATION_MINIMIZE, **options)

    async def maximize(self, of: Window | str, **options: Any) -> WindowChange:
        """Maximizes a window in both directions."""
        return await self._operate(of, pb.WINDOW_OPERATION_MAXIMIZE, **options)

    async def fullscreen(self, of: Window | str, **options: Any) -> WindowChange:
        """Makes a window fill the screen."""
        return await self._operate(of, pb.WINDOW_OPERATION_FULLSCREEN, **options)

    async def restore(self, of: Window | str, **options: Any) -> WindowChange:
        """Ends the states minimized, maximized and fullscreen."""
        return await self._operate(of, pb.WINDOW_OPERATION_RESTORE, **options)

    async def place(
        self,
        of: Window | str,
        *,
        x: int | None = None,
        y: int | None = None,
        width: int | None = None,
        height: int | None = None,
        **options: Any,
    ) -> WindowChange:
        """Moves or resizes a window's frame. What is not given stays as it is."""
        request = pb.ChangeWindowRequest(place=place(x, y, width, height))
        return await self._change(of, request, **options)

    async def _operate(self, of: Window | str, operation: Any, **options: Any) -> WindowChange:
        request = pb.ChangeWindowRequest(operation=operation)
        return await self._change(of, request, **options)

    async def _change(
        self,
        of: Window | str,
        request: Any,
        *,
        class_: str = "",
        timeout: float = 2.0,
        check: bool = True,
    ) -> WindowChange:
        flag(check, "check")
        allowed = wait_timeout(timeout)
        request.window.CopyFrom(target(of, class_))
        request.timeout.CopyFrom(duration(timeout, "timeout"))
        # A change is not sent again: after a first one, the title may be that of another window.
        path, needed = WINDOWS + "ChangeWindow", requires({"windows"})
        reply = await self._once(path, request, pb.ChangeWindowResponse, allowed, needed)
        made = change(reply)
        return made.check() if check else made
