"""A computer for the Agents SDK of OpenAI (`openai-agents` 0.24 or later).

    agent = Agent(name="desk", tools=[ComputerTool(DeskdComputer(AsyncDesktop()))])
    result = await Runner.run(agent, task)

The SDK performs the actions of a batch one by one. An action that is refused raises a
`DeskdError`; the SDK then ends the run or reports the error, as it is configured. A point that
refers to no screenshot is refused until the SDK has taken one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agents import AsyncComputer, Computer

from ..errors import ActionFailed, InvalidRequest, OutcomeUnknown
from ..options import OPENAI, Fit, Picture
from .fields import Malformed
from .flow import Flow, Outcome, Session, Status, run, run_async
from .openai import translate

__all__ = ["DeskdComputer", "DeskdSyncComputer"]


class _Calls:
    """The methods of a computer as flows."""

    def __init__(self, fit: Fit | None) -> None:
        self._session = Session(Picture(fit=fit or OPENAI), shows_errors=False)

    def act(self, **action: Any) -> Flow[None]:
        if action.get("keys") is None:
            action.pop("keys", None)
        try:
            wanted = translate(action, self._session.picture)
        except Malformed as error:
            raise InvalidRequest(str(error), reason="INVALID_FIELD") from None
        batch = yield from self._session.perform([wanted], frame_after=False)
        _check(batch.outcomes[0])

    def screenshot(self) -> Flow[str]:
        frame = yield from self._session.look()
        return frame.base64()


def _check(outcome: Outcome) -> None:
    if outcome.status is Status.UNKNOWN:
        raise OutcomeUnknown(outcome.text)
    if outcome.status is not Status.DONE:
        raise ActionFailed(outcome.text)


class DeskdComputer(AsyncComputer):
    """A computer on an `AsyncDesktop`.

    Args:
        desktop: The desktop.
        fit: Limits of the screenshots.
        dimensions: Width and height of the screenshots; only the preview tool needs them.
    """

    def __init__(
        self, desktop: Any, *, fit: Fit | None = None, dimensions: tuple[int, int] | None = None
    ) -> None:
        self._desktop, self._calls, self._dimensions = desktop, _Calls(fit), dimensions

    @property
    def environment(self) -> Any:
        """The kind of desktop, for the preview tool."""
        return "ubuntu"

    @property
    def dimensions(self) -> tuple[int, int] | None:
        """Width and height of the screenshots, if they were given."""
        return self._dimensions

    async def screenshot(self) -> str:
        """Returns a PNG image in base64."""
        return await run_async(self._desktop, self._calls.screenshot())

    async def click(
        self, x: int, y: int, button: Any, *, keys: Sequence[str] | None = None
    ) -> None:
        """Clicks."""
        await self._act(type="click", x=x, y=y, button=button, keys=keys)

    async def double_click(self, x: int, y: int, *, keys: Sequence[str] | None = None) -> None:
        """Clicks twice."""
        await self._act(type="double_click", x=x, y=y, keys=keys)

    async def scroll(
        self, x: int, y: int, scroll_x: int, scroll_y: int, *, keys: Sequence[str] | None = None
    ) -> None:
        """Turns the wheel, in pixels."""
        await self._act(type="scroll", x=x, y=y, scroll_x=scroll_x, scroll_y=scroll_y, keys=keys)

    async def type(self, text: str) -> None:
        """Types text."""
        await self._act(type="type", text=text)

    async def wait(self) -> None:
        """Waits 2 s."""
        await self._act(type="wait")

    async def move(self, x: int, y: int, *, keys: Sequence[str] | None = None) -> None:
        """Moves the pointer."""
        await self._act(type="move", x=x, y=y, keys=keys)

    async def keypress(self, keys: list[str]) -> None:
        """Presses keys together."""
        await self._act(type="keypress", keys=keys)

    async def drag(
        self, path: list[tuple[int, int]], *, keys: Sequence[str] | None = None
    ) -> None:
        """Drags along a path."""
        await self._act(type="drag", path=path, keys=keys)

    async def _act(self, **action: Any) -> None:
        await run_async(self._desktop, self._calls.act(**action))


class DeskdSyncComputer(Computer):
    """A computer on a `Desktop`; see `DeskdComputer`."""

    def __init__(
        self, desktop: Any, *, fit: Fit | None = None, dimensions: tuple[int, int] | None = None
    ) -> None:
        self._desktop, self._calls, self._dimensions = desktop, _Calls(fit), dimensions

    @property
    def environment(self) -> Any:
        """The kind of desktop, for the preview tool."""
        return "ubuntu"

    @property
    def dimensions(self) -> tuple[int, int] | None:
        """Width and height of the screenshots, if they were given."""
        return self._dimensions

    def screenshot(self) -> str:
        """Returns a PNG image in base64."""
        return run(self._desktop, self._calls.screenshot())

    def click(self, x: int, y: int, button: Any, *, keys: Sequence[str] | None = None) -> None:
        """Clicks."""
        self._act(type="click", x=x, y=y, button=button, keys=keys)

    def double_click(self, x: int, y: int, *, keys: Sequence[str] | None = None) -> None:
        """Clicks twice."""
        self._act(type="double_click", x=x, y=y, keys=keys)

    def scroll(
        self, x: int, y: int, scroll_x: int, scroll_y: int, *, keys: Sequence[str] | None = None
    ) -> None:
        """Turns the wheel, in pixels."""
        self._act(type="scroll", x=x, y=y, scroll_x=scroll_x, scroll_y=scroll_y, keys=keys)

    def type(self, text: str) -> None:
        """Types text."""
        self._act(type="type", text=text)

    def wait(self) -> None:
        """Waits 2 s."""
        self._act(type="wait")

    def move(self, x: int, y: int, *, keys: Sequence[str] | None = None) -> None:
        """Moves the pointer."""
        self._act(type="move", x=x, y=y, keys=keys)

    def keypress(self, keys: list[str]) -> None:
        """Presses keys together."""
        self._act(type="keypress", keys=keys)

    def drag(self, path: list[tuple[int, int]], *, keys: Sequence[str] | None = None) -> None:
        """Drags along a path."""
        self._act(type="drag", path=path, keys=keys)

    def _act(self, **action: Any) -> None:
        run(self._desktop, self._calls.act(**action))
