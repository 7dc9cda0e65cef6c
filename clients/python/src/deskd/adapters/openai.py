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
from ..errors import DeskdError, with_message
from ..frame import Frame
from ..options import OPENAI, Fit, Picture
from ..values import flag
from .fields import Arguments, Malformed, plain
from .flow import (
    NOT_THE_SCREEN,
    Ask,
    AsyncDriver,
    Confirm,
    Driver,
    Flow,
    Outcome,
    Session,
    Status,
    Wanted,
    confirmed,
    hook,
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
"""Shows a person the pending safety checks of a call. They are acknowledged only if the answer is
exactly `True`."""

_UNCONFIRMED = "Not performed: another call of this response must be confirmed first."
"""The text for calls that are not performed because of the safety checks of another call."""


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
    actions: Sequence[Any] = ()
    wanted: list[Wanted] = field(default_factory=list)
    acknowledged: list[Any] = field(default_factory=list)
    """The safety checks that a person acknowledged."""
    refusal: str | None = None
    """Why nothing of the call is performed."""


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
        self.is_preview = flag(preview, "preview")
        self._confirm = hook(confirm, "confirm")
        self._acknowledge = hook(acknowledge, "acknowledge")
        self._session = Session(Picture(fit=fit or OPENAI, format=format))

    def _tool(self) -> Flow[dict[str, Any]]:
        if not self.is_preview:
            return {"type": "computer"}
        width, height = yield from self._session.picture_size()
        size = {"display_width": width, "display_height": height}
        return {"type": "computer_use_preview", **size, "environment": "linux"}

    def _outputs(self, output: Iterable[Any]) -> Flow[list[dict[str, Any]]]:
        calls: list[_Call] = []
        for item in map(plain, output):
            if isinstance(item, Mapping) and item.get("type") == "computer_call":
                calls.append((yield from self._read(item)))
        if any(call.refusal is not None for call in calls):
            # A call that is refused as a whole keeps the others from being performed.
            for call in calls:
                call.refusal = call.refusal if call.refusal is not None else _UNCONFIRMED
        for call in calls:
            if call.refusal is not None:
                call.wanted = [Wanted(error=call.refusal)]
                continue
            for action in call.actions:
                call.wanted.append((yield from self._wanted(action)))
        for call in calls:
            call.wanted = self._session.pointing(call.wanted)
        return (yield from self._perform(calls))

    def _read(self, item: Mapping[str, Any]) -> Flow[_Call]:
        """Reads a call, and asks a person about its safety checks. Performs nothing."""
        call = _Call(item)
        try:
            call.actions, checks = _actions(item), _checks(item)
        except Malformed as error:
            call.refusal = f"Invalid action, not performed: {error}"
            return call
        if not checks:
            return call
        answer = (yield Ask(self._acknowledge, (checks,))) if self._acknowledge is not None else None
        if answer is True:
            call.acknowledged = checks
        else:
            names = "; ".join(str(each.get("message") or each.get("id")) for each in checks)
            call.refusal = f"Not performed: a person must confirm first: {names}"
        return call

    def _perform(self, calls: Sequence[_Call]) -> Flow[list[dict[str, Any]]]:
        """Performs calls in order, and stops at the first that fails."""
        items: list[dict[str, Any]] = []
        frame: Frame | None = None
        has_failed = has_acted = False
        for call in calls:
            outcomes: Sequence[Outcome]
            if has_failed and call.refusal is None:
                outcomes = [Outcome(Status.NOT_EXECUTED, self._session.halted)] * len(call.actions)
            elif call.refusal is not None and frame is not None:
                outcomes = [Outcome(Status.FAILED, call.refusal)]
            else:
                try:
                    batch = yield from self._session.perform(call.wanted, must_see=True)
                except DeskdError as error:
                    if not has_acted:
                        raise
                    text = f"The earlier calls were done. The last: {error.message}"
                    raise with_message(error, text) from None
                outcomes, frame = batch.outcomes, batch.frame
                has_acted = has_acted or any(each.actions for each in call.wanted)
            if frame is None:
                raise DeskdError("the daemon sent no frame")
            items += self._items(call, outcomes, frame)
            has_failed = has_failed or any(each.is_error for each in outcomes)
        return items

    def _items(
        self, call: _Call, outcomes: Sequence[Outcome], frame: Frame
    ) -> list[dict[str, Any]]:
        shot = {"type": "computer_screenshot", "image_url": frame.data_url()}
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
        said = _report(outcomes, call.actions, frame)
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


def _actions(item: Mapping[str, Any]) -> list[Any]:
    actions, action = item.get("actions"), item.get("action")
    if actions is not None and not isinstance(actions, list):
        raise Malformed("actions must be a list")
    return actions or ([action] if action is not None else [])


def _checks(item: Mapping[str, Any]) -> list[Any]:
    checks = item.get("pending_safety_checks")
    if checks is None:
        return []
    if not isinstance(checks, list) or not all(map(_is_check, checks)):
        raise Malformed("pending_safety_checks must be a list of objects with an id")
    return checks


def _is_check(check: Any) -> bool:
    if not isinstance(check, Mapping) or not isinstance(check.get("id"), str):
        return False
    return all(isinstance(check.get(name) or "", str) for name in ("code", "message"))


def _report(outcomes: Sequence[Outcome], actions: Sequence[Any], frame: Frame) -> str:
    """What the model must know beside the screenshot: which actions were not done, and whether it is
    the screen."""
    lines = []
    for number, outcome in enumerate(outcomes):
        action = actions[number] if number < len(actions) else None
        kind = action.get("type") if isinstance(action, Mapping) else None
        name = kind if isinstance(kind, str) else None
        if outcome.is_error:
            shown = outcome.frame
            is_card = shown is not None and shown.is_card and outcome.status is not Status.UNKNOWN
            text = "The screen could not be captured." if is_card else outcome.text
            lines.append(f"Action {number + 1} ({name}): {text}")
    if not lines and frame.is_card:
        lines.append(NOT_THE_SCREEN)
    return f"Computer tool: {' '.join(lines)}" if lines else ""


class Computer(_Computer, Driver):
    """OpenAI's computer tool on a `Desktop`.

    Args:
        desktop: The desktop.
        preview: Whether the model has the tool `computer_use_preview`.
        fit: Limits of the screenshots. Default: what the API takes in original detail.
        format: `png` or `jpeg`.
        confirm: Asks a person before each action. Only the answer `True` allows it.
        acknowledge: Shows a person the pending safety checks of a call. Only the answer `True`
            acknowledges them. Without this hook, a call that has such checks is not performed.
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
