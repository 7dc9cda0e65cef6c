"""OpenAI's computer tool in the Responses API.

    computer = openai.Computer(desktop)
    reply = client.responses.create(model=…, tools=[computer.tool()], input=task)
    while outputs := computer.outputs(reply.output):
        reply = client.responses.create(model=…, tools=[computer.tool()], input=outputs,
                                        previous_response_id=reply.id)

`computer` takes batches of actions; `computer_use_preview`, with `preview=True`, single ones.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .. import actions as make
from ..errors import DeskdError
from ..options import OPENAI, Fit, Picture
from .fields import Arguments, Malformed, plain
from .flow import (
    NOT_THE_SCREEN,
    Ask,
    AsyncDriver,
    Batch,
    Confirm,
    Driver,
    Flow,
    Session,
    Wanted,
    confirmed,
)

__all__ = ["AsyncComputer", "Computer", "translate"]

ACTIONS: dict[str, tuple[str, ...]] = {
    "click": ("type", "button", "x", "y", "keys"),
    "double_click": ("type", "x", "y", "keys"),
    "drag": ("type", "path", "keys"),
    "move": ("type", "x", "y", "keys"),
    "scroll": ("type", "x", "y", "scroll_x", "scroll_y", "keys"),
    "keypress": ("type", "keys"),
    "type": ("type", "text"),
    "wait": ("type",),
    "screenshot": ("type",),
}
"""The actions with their members."""

WAIT = 2.0
"""Seconds that `wait` takes; the tool names no duration."""

SafetyChecks = Callable[["list[dict[str, Any]]"], "bool | Awaitable[bool]"]
"""Shows a person the pending safety checks of a call; true if they are acknowledged."""


def translate(action: Any, picture: Picture) -> Wanted:
    """Translates an action.

    Raises:
        Malformed: If the action is wrong.
    """
    name = action.get("type") if isinstance(action, Mapping) else None
    if not isinstance(name, str) or name not in ACTIONS:
        raise Malformed(f"there is no computer action {name!r}")
    given = Arguments(name, action, ACTIONS[name])
    if name == "screenshot":
        return Wanted(picture=picture)
    if name == "wait":
        return Wanted((make.wait(WAIT),))
    if name == "type":
        return Wanted((make.type_text(given.text("text")),))
    held = given.strings("keys") if given.has("keys") else []
    if name == "keypress":
        return Wanted((make.press(*given.strings("keys")),))
    if name == "drag":
        return Wanted((make.drag(given.points("path"), modifiers=held),))
    x, y = given.xy()
    if name == "move":
        return Wanted((make.move(x, y, modifiers=held),))
    if name == "double_click":
        return Wanted((make.click(x, y, count=2, modifiers=held),))
    if name == "scroll":
        dx, dy = given.xy("scroll_x", "scroll_y")
        turned = make.scroll(dx, dy, x=x, y=y, unit="pixel", modifiers=held)
        return Wanted((turned,) if dx or dy else ())
    button = given.choice("button", ("left", "right", "wheel", "back", "forward"))
    return Wanted((make.click(x, y, button=button, modifiers=held),))


@dataclass
class _Call:
    """A `computer_call`, and what to perform for it."""

    item: Mapping[str, Any]
    actions: Sequence[Any]
    wanted: list[Wanted]
    acknowledged: list[Any] = field(default_factory=list)
    """The safety checks that a person acknowledged."""
    is_refused: bool = False
    """Whether it cannot be read, or a person must confirm its safety checks first."""


class _Computer:
    """Settings and state; see `Computer`."""

    def __init__(
        self,
        desktop: Any,
        *,
        preview: bool = False,
        fit: Fit | None = None,
        format: str = "png",
        confirm: Confirm | None = None,
        acknowledge: SafetyChecks | None = None,
    ) -> None:
        super().__init__(desktop)  # type: ignore[call-arg]
        self.is_preview = preview
        self._confirm, self._acknowledge = confirm, acknowledge
        self._session = Session(Picture(fit=fit or OPENAI, format=format))

    def _tool(self) -> Flow[dict[str, Any]]:
        if not self.is_preview:
            return {"type": "computer"}
        frame = (yield from self._session.look()).check()
        size = {"display_width": frame.width, "display_height": frame.height}
        return {"type": "computer_use_preview", **size, "environment": "linux"}

    def _outputs(self, output: Iterable[Any]) -> Flow[list[dict[str, Any]]]:
        calls: list[_Call] = []
        for item in map(plain, output):
            if isinstance(item, Mapping) and item.get("type") == "computer_call":
                calls.append((yield from self._prepared(item)))
        items: list[dict[str, Any]] = []
        # A call that is refused as a whole keeps the others from being performed.
        is_halted = any(call.is_refused for call in calls)
        for call in calls:
            wanted = call.wanted
            if is_halted and not call.is_refused:
                wanted = [Wanted(error=self._session.halted)] * max(len(wanted), 1)
            batch: Batch = yield from self._session.perform(wanted, must_see=True)
            is_halted = is_halted or batch.is_error
            items += self._items(call, batch)
        return items

    def _prepared(self, item: Mapping[str, Any]) -> Flow[_Call]:
        """Translates a call, and asks a person about it. Performs nothing."""
        checks, actions = item.get("pending_safety_checks"), item.get("actions")
        if actions is None:
            actions = [item["action"]] if item.get("action") is not None else []
        checks = [] if checks is None else checks
        error = ""
        if not isinstance(actions, list):
            error = "actions must be a list"
        elif not isinstance(checks, list) or not all(isinstance(each, Mapping) for each in checks):
            error = "pending_safety_checks must be a list of objects"
        if error:
            return _Call(item, [], [Wanted(error=f"Invalid call, not performed: {error}")], is_refused=True)
        if checks:
            agreed = self._acknowledge is not None and bool((yield Ask(self._acknowledge, (checks,))))
            if not agreed:
                names = "; ".join(str(each.get("message") or each.get("id")) for each in checks)
                error = f"Not performed: a person must confirm first: {names}"
                return _Call(item, actions, [Wanted(error=error)], is_refused=True)
        wanted: list[Wanted] = []
        for action in actions:
            wanted.append((yield from self._wanted(action)))
        return _Call(item, actions, wanted, acknowledged=checks)

    def _items(self, call: _Call, batch: Batch) -> list[dict[str, Any]]:
        if batch.frame is None:
            raise DeskdError("the daemon sent no frame")
        shot = {"type": "computer_screenshot", "image_url": batch.frame.data_url()}
        if not self.is_preview:
            # Without it, the API scales the image, and points would refer to other pixels.
            shot["detail"] = "original"
        answer: dict[str, Any] = {
            "type": "computer_call_output",
            "call_id": call.item.get("call_id"),
            "output": shot,
        }
        if call.acknowledged:
            answer["acknowledged_safety_checks"] = call.acknowledged
        said = _report(batch, call.actions)
        if not said:
            return [answer]
        # The tool's output has no channel for errors.
        content = [{"type": "input_text", "text": said}]
        return [answer, {"type": "message", "role": "user", "content": content}]

    def _wanted(self, action: Any) -> Flow[Wanted]:
        try:
            made = translate(action, self._session.picture)
        except Malformed as error:
            return Wanted(error=f"Invalid action, not performed: {error}")
        except DeskdError as error:
            return Wanted(error=f"Invalid action, not performed: {error.message}")
        return (yield from confirmed(self._confirm, str(action["type"]), action, made))


def _report(batch: Batch, actions: Any) -> str:
    """What the model must know beside the screenshot: which actions were not done, and whether it is
    the screen."""
    if not batch.is_error:
        is_card = batch.frame is not None and batch.frame.is_card
        return f"Computer tool: {NOT_THE_SCREEN}" if is_card else ""
    lines = []
    for number, outcome in enumerate(batch.outcomes):
        action = actions[number] if number < len(actions) else None
        kind = action.get("type") if isinstance(action, Mapping) else None
        name = kind if isinstance(kind, str) else None
        if outcome.is_error:
            text = outcome.text if outcome.frame is None else "The screen could not be captured."
            lines.append(f"Action {number + 1} ({name}): {text}")
    return "Computer tool: " + " ".join(lines)


class Computer(_Computer, Driver):
    """OpenAI's computer tool on a `Desktop`.

    Args:
        desktop: The desktop.
        preview: Whether the model has the tool `computer_use_preview`.
        fit: Limits of the screenshots. Default: what the API takes in original detail.
        format: `png` or `jpeg`.
        confirm: Asks a person before each action.
        acknowledge: Shows a person the pending safety checks of a call. Without it, a call that has
            such checks is not performed.
    """

    def tool(self) -> dict[str, Any]:
        """Returns the entry for `tools`."""
        return self._run(self._tool())

    def outputs(self, output: Iterable[Any]) -> list[dict[str, Any]]:
        """Performs the computer calls in the output of a response. Returns the items of the next
        input: a screenshot for each call, and a message if something was not done. Empty if there
        is no computer call."""
        return self._run(self._outputs(output))


class AsyncComputer(_Computer, AsyncDriver):
    """OpenAI's computer tool on an `AsyncDesktop`; see `Computer`."""

    async def tool(self) -> dict[str, Any]:
        """Returns the entry for `tools`."""
        return await self._run(self._tool())

    async def outputs(self, output: Iterable[Any]) -> list[dict[str, Any]]:
        """As `Computer.outputs`."""
        return await self._run(self._outputs(output))
