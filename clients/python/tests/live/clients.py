"""Both kinds of client, called in the same way."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable
from typing import Any

from deskd import AsyncDesktop, Desktop


class Awaited:
    """A `Desktop`, or a part of it, whose methods are awaited, as those of `AsyncDesktop` are."""

    def __init__(self, made: Any) -> None:
        self.made = made

    def __repr__(self) -> str:
        return repr(self.made)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.made, name)
        if name in ("clipboard", "control", "programs", "recorder", "stack", "windows"):
            return Awaited(found)
        if inspect.isgeneratorfunction(found):
            return lambda *arguments, **options: _each(found(*arguments, **options))
        if not callable(found):
            return found

        async def call(*arguments: Any, **options: Any) -> Any:
            return found(*arguments, **options)

        return call


async def _each(frames: Any) -> AsyncIterator[Any]:
    try:
        for frame in frames:
            yield frame
    finally:
        frames.close()


class Clients:
    """Makes clients of one kind, and closes them after the test."""

    def __init__(self, kind: Callable[..., Any]) -> None:
        self._kind = kind
        self._made: list[Any] = []

    def __call__(self, server: str, **options: Any) -> Any:
        made = self._kind(server, **options)
        self._made.append(made)
        return made

    async def close(self) -> None:
        """Closes all of them."""
        for made in self._made:
            await made.close()


def synchronous() -> Clients:
    """Clients of the class `Desktop`."""
    return Clients(lambda *arguments, **options: Awaited(Desktop(*arguments, **options)))


def asynchronous() -> Clients:
    """Clients of the class `AsyncDesktop`."""
    return Clients(AsyncDesktop)
