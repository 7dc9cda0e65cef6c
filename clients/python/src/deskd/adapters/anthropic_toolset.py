"""A driver for the computer toolset of Anthropic's SDK (`anthropic` 2.14 or later).

    toolset = Toolset(Desktop(), confirm=lambda context: True)
    runner = client.beta.messages.tool_runner(model=…, max_tokens=4096, tools=[toolset],
                                              messages=[{"role": "user", "content": task}])
    runner.until_done()

The SDK performs one call at a time, and reports those after a failed one itself. It sends the model the
text of an error, but not its picture. After an error about a picture that is out of date, the model must
take a screenshot before it can point at anything.
"""

from __future__ import annotations

from typing import Any

from anthropic.tools import (
    BetaAbstractComputerToolset20260801,
    BetaAsyncAbstractComputerToolset20260801,
    BetaComputerCursorPositionResult,
    BetaScreenshotResult,
    ToolError,
)

from ..errors import DeskdError
from ..options import ANTHROPIC, Fit, Picture
from .anthropic import HALTED, image_block, translate
from .fields import Malformed, plain
from .flow import Flow, Outcome, Session, Wanted, run, run_async

__all__ = ["AsyncToolset", "Toolset"]


class _Calls:
    """One call of the toolset as a flow."""

    def __init__(self, fit: Fit | None, format: str) -> None:
        picture = Picture(fit=fit or ANTHROPIC, format=format)
        self._session = Session(picture, halted=HALTED, shows_errors=False)

    def call(self, name: str, given: Any) -> Flow[Any]:
        values, session = plain(given), self._session
        try:
            wanted: Wanted = translate(name, values, session.picture, session.seen)
        except Malformed as error:
            raise ToolError(f"Invalid call, not performed: {error}") from None
        except DeskdError as error:
            raise ToolError(f"Not performed: {error}") from None
        batch = yield from session.perform([wanted], frame_after=False)
        return self._rendered(batch.outcomes[0])

    def _rendered(self, outcome: Outcome) -> Any:
        frame = outcome.frame
        if outcome.is_error:
            content: Any = [{"type": "text", "text": outcome.text or "The capture failed."}]
            if frame is not None and frame.failure is not None:
                why = frame.failure
                content[0]["text"] = f"No picture of the screen: {why.message} [{why.reason}]"
                content.append(image_block(frame))
            raise ToolError(content)
        if outcome.cursor is not None:
            x, y = self._session.to_image(outcome.cursor)
            return BetaComputerCursorPositionResult(x=x, y=y)
        if frame is not None:
            return BetaScreenshotResult(data=frame.base64(), media_type=frame.media_type)  # type: ignore[arg-type]
        # The SDK acknowledges the action itself.
        return "The screen did not change." if "did not change" in outcome.text else None


class Toolset(BetaAbstractComputerToolset20260801):
    """The computer toolset on a `Desktop`. The arguments beside `desktop`, `fit` and `format` are
    those of the SDK's class; `confirm` is required while `type`, `key` or `hold_key` is enabled."""

    def __init__(
        self, desktop: Any, *, fit: Fit | None = None, format: str = "png", **options: Any
    ) -> None:
        super().__init__(**options)
        self._desktop, self._calls = desktop, _Calls(fit, format)

    def execute(self, context: Any, name: Any, input: Any) -> Any:
        """Performs one call."""
        return run(self._desktop, self._calls.call(name, input))


class AsyncToolset(BetaAsyncAbstractComputerToolset20260801):
    """The computer toolset on an `AsyncDesktop`; see `Toolset`."""

    def __init__(
        self, desktop: Any, *, fit: Fit | None = None, format: str = "png", **options: Any
    ) -> None:
        super().__init__(**options)
        self._desktop, self._calls = desktop, _Calls(fit, format)

    async def execute(self, context: Any, name: Any, input: Any) -> Any:
        """Performs one call."""
        return await run_async(self._desktop, self._calls.call(name, input))
