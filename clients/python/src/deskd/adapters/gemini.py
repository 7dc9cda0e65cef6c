"""Gemini's computer use: the desktop and browser functions, and the legacy ones.

    computer = gemini.Computer(desktop)
    reply = client.interactions.create(model=…, input=task, tools=[computer.tool()])
    while results := computer.results(reply.steps):
        reply = client.interactions.create(model=…, input=results, tools=[computer.tool()],
                                           previous_interaction_id=reply.id)

With `generate_content`, give `computer.parts(…)` the parts of the model's content, and send what
it returns as the parts of the next content. Coordinates count a grid of 1000 × 1000.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .. import actions as make
from ..actions import Action
from ..errors import DeskdError
from ..frame import Frame
from ..options import Fit, Picture
from .fields import Arguments, Malformed, plain
from .flow import (
    Ask,
    AsyncDriver,
    Batch,
    Confirm,
    Driver,
    Flow,
    Open,
    Outcome,
    Session,
    Wanted,
    confirmed,
    hook,
)

__all__ = ["AsyncComputer", "Computer", "FUNCTIONS", "translate"]

GRID = 1000
"""Width and height of the grid that coordinates count."""
HOLD = 60.0
"""Seconds after which a key or button is released that the model left down."""
NO_SIZE = "Not performed: the size of the screen is not known. Take a screenshot first."
"""What the model reads if a distance refers to a screen whose size is not known."""

_POINT = ("y", "x", "intent")
_CLICKS = {
    "click": ("left", 1),
    "click_at": ("left", 1),
    "double_click": ("left", 2),
    "triple_click": ("left", 3),
    "middle_click": ("middle", 1),
    "right_click": ("right", 1),
}
_DIRECTIONS = {"up": (0, -1), "down": (0, 1), "left": (-1, 0), "right": (1, 0)}
_DRAGS = ("start_y", "start_x", "end_y", "end_x", "y", "x", "destination_y", "destination_x")

FUNCTIONS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("click", "double_click", "triple_click", "middle_click", "right_click"), _POINT),
    **dict.fromkeys(("mouse_down", "mouse_up", "move"), _POINT),
    "type": ("text", "press_enter", "intent"),
    "drag_and_drop": (*_DRAGS, "intent"),
    "wait": ("seconds", "intent"),
    "press_key": ("key", "intent"),
    "key_down": ("key", "intent"),
    "key_up": ("key", "intent"),
    "hotkey": ("keys", "intent"),
    "take_screenshot": ("intent",),
    "scroll": ("y", "x", "direction", "magnitude_in_pixels", "intent"),
    "long_press": ("y", "x", "seconds", "intent"),
    "go_back": ("intent",),
    "go_forward": ("intent",),
    "navigate": ("url", "intent"),
    "open_web_browser": ("intent",),
    "wait_5_seconds": ("intent",),
    "search": ("intent",),
    "click_at": _POINT,
    "hover_at": _POINT,
    "type_text_at": ("y", "x", "text", "press_enter", "clear_before_typing", "intent"),
    "key_combination": ("keys", "intent"),
    "scroll_document": ("direction", "intent"),
    "scroll_at": ("y", "x", "direction", "magnitude", "intent"),
}
"""The functions with their arguments, of all sets."""

_MOBILE = ("open_app", "list_apps")
"""Functions of telephones, which a desktop refuses. Any other name is a function of the worker."""

SEARCH_PAGE = "https://www.google.com"
"""The page that `search` opens, and `open_web_browser` with a hook for it."""


def translate(name: str, values: Any, picture: Picture, screen: tuple[int, int] | None) -> Wanted:
    """Translates a call of a function.

    Args:
        name: The name of the function.
        values: Its arguments, without `safety_decision`.
        picture: The picture that the model sees.
        screen: Width and height of the screen in pixels, for distances. None if not known.

    Raises:
        Malformed: If the call is wrong.
    """
    if name not in FUNCTIONS:
        raise Malformed(f"the function {name!r} is not available on this desktop")
    given = Arguments(name, values, FUNCTIONS[name])
    if name in ("take_screenshot", "open_web_browser"):
        return Wanted(picture=picture)
    if name in _CLICKS:
        button, count = _CLICKS[name]
        return Wanted((make.click(*given.xy(), button=button, count=count),))
    if name in ("scroll", "scroll_at", "scroll_document"):
        turned = _scroll(name, given, screen or (0, 0))
        return Wanted(tuple(turned)) if turned is not None else Wanted(error=NO_SIZE)
    return Wanted(tuple(_actions(name, given)))


def _actions(name: str, given: Arguments) -> list[Action]:
    if name in ("move", "hover_at"):
        return [make.move(*given.xy())]
    if name == "mouse_down":
        return [make.button_down(*given.xy(), hold=HOLD)]
    if name == "mouse_up":
        return [make.button_up(*given.xy())]
    if name == "long_press":
        pressed = make.button_down(*given.xy(), hold=HOLD)
        return [pressed, make.wait(given.number("seconds", 0.001, 50, 2.0)), make.button_up()]
    if name == "type":
        typed = [make.type_text(given.text("text"))] if given.text("text") else []
        return typed + ([make.press("Return")] if given.flag("press_enter", False) else [])
    if name == "type_text_at":
        return _type_text_at(given)
    if name == "drag_and_drop":
        if given.has("start_x") or given.has("start_y"):
            return [make.drag([given.xy("start_x", "start_y"), given.xy("end_x", "end_y")])]
        return [make.drag([given.xy(), given.xy("destination_x", "destination_y")])]
    if name == "wait":
        seconds = given.number("seconds", 0, 300, 1.0)
        return [make.wait(seconds)] if seconds else []
    if name == "wait_5_seconds":
        return [make.wait(5)]
    if name == "press_key":
        return [make.press(*make.keys(given.text("key")))]
    if name == "key_down":
        return [make.key_down(given.text("key"), hold=HOLD)]
    if name == "key_up":
        return [make.key_up(given.text("key"))]
    if name == "hotkey":
        return [make.press(*given.strings("keys"))]
    if name == "key_combination":
        return [make.press(*make.keys(given.text("keys")))]
    if name == "go_back":
        return [make.press("alt", "Left")]
    if name == "go_forward":
        return [make.press("alt", "Right")]
    url = SEARCH_PAGE if name == "search" else given.text("url")
    return [make.press("ctrl", "l"), make.type_text(url), make.press("Return")]


def _type_text_at(given: Arguments) -> list[Action]:
    made = [make.click(*given.xy())]
    if given.flag("clear_before_typing", True):
        made += [make.press("ctrl", "a"), make.press("BackSpace")]
    if given.text("text"):
        made.append(make.type_text(given.text("text")))
    return made + ([make.press("Return")] if given.flag("press_enter", True) else [])


def _scroll(name: str, given: Arguments, screen: tuple[int, int]) -> list[Action] | None:
    """Returns the actions of a scroll, or None if it needs the size of the screen."""
    direction = given.choice("direction", list(_DIRECTIONS))
    x_sign, y_sign = _DIRECTIONS[direction]
    side = screen[0] if x_sign else screen[1]
    if name == "scroll_document":
        if y_sign:
            return [make.press("Page_Down" if y_sign > 0 else "Page_Up")]
        if side == 0:
            return None
        middle = GRID // 2
        return [make.scroll(x_sign * (side // 2), 0, x=middle, y=middle, unit="pixel")]
    if name == "scroll":
        pixels = given.whole("magnitude_in_pixels", 0, 999, 300)
    else:
        # The legacy distance counts the grid.
        pixels = given.whole("magnitude", 0, 1000, 800) * side // GRID
    x, y = given.xy()
    if name == "scroll_at" and side == 0:
        return None
    dx, dy = x_sign * pixels, y_sign * pixels
    return [make.scroll(dx, dy, x=x, y=y, unit="pixel")] if pixels else []


class _Computer:
    """Settings and state; see `Computer`."""

    def __init__(
        self,
        desktop: Any,
        *,
        environment: str = "desktop",
        fit: Fit | None = None,
        format: str = "png",
        confirm: Confirm | None = None,
        acknowledge: Confirm | None = None,
        url: Callable[[], str] | None = None,
        open: Open | None = None,
        excluded: Iterable[str] = (),
    ) -> None:
        super().__init__(desktop)  # type: ignore[call-arg]
        self.environment = environment
        self._confirm = hook(confirm, "confirm")
        self._acknowledge = hook(acknowledge, "acknowledge")
        self._url = hook(url, "url")
        self._open = hook(open, "open")
        self._excluded = sorted(excluded)
        picture = Picture(fit=fit or Fit(max_side=1440), format=format)
        self._session = Session(picture, grid=GRID)

    def tool(self) -> dict[str, Any]:
        """Returns the entry for `tools` of the Interactions API."""
        entry: dict[str, Any] = {"type": "computer_use", "environment": self.environment}
        if self._excluded:
            entry["excluded_predefined_functions"] = self._excluded
        return entry

    def content_tool(self) -> dict[str, Any]:
        """Returns the entry for `tools` of `generate_content`."""
        entry: dict[str, Any] = {"environment": f"ENVIRONMENT_{self.environment.upper()}"}
        if self._excluded:
            entry["excluded_predefined_functions"] = self._excluded
        return {"computer_use": entry}

    def _perform(
        self, calls: list[tuple[str, Any]]
    ) -> Flow[tuple[Batch, list[bool]]]:
        """Performs calls. Returns also which of them a person acknowledged."""
        if self._session.seen is None and any("scroll" in name for name, _ in calls):
            # Distances refer to the size of the screen, which stays unknown after a failure card.
            yield from self._session.look()
        wanted, acknowledged = [], []
        for name, given in calls:
            made, is_acknowledged = yield from self._wanted(name, given)
            wanted.append(made)
            acknowledged.append(is_acknowledged)
        batch = yield from self._session.perform(wanted, must_see=True)
        return batch, acknowledged

    def _wanted(self, name: str, values: Any) -> Flow[tuple[Wanted, bool]]:
        if values is not None and not isinstance(values, Mapping):
            error = f"Invalid call, not performed: {name}: the arguments are not an object"
            return Wanted(error=error), False
        given = dict(values or {})
        decision = given.pop("safety_decision", None)
        if decision is not None and not isinstance(decision, Mapping):
            error = f"Invalid call, not performed: {name}: safety_decision must be an object"
            return Wanted(error=error), False
        seen = self._session.seen
        try:
            screen = seen.screen if seen is not None else None
            made = translate(name, given, self._session.picture, screen)
            if self._open is not None and name in ("navigate", "search", "open_web_browser"):
                address = given["url"] if name == "navigate" else SEARCH_PAGE
                made = Wanted(ask=Ask(self._open, (address,)))
        except Malformed as error:
            return Wanted(error=f"Invalid call, not performed: {error}"), False
        except DeskdError as error:
            return Wanted(error=f"Invalid call, not performed: {error.message}"), False
        if name in self._excluded:
            return Wanted(error=f"Not performed: the function {name} is turned off here."), False
        # A decision that is missing or unknown is not harmless.
        if decision is not None and decision.get("decision") not in ("regular", "allowed"):
            asked = {**given, "safety_decision": dict(decision)}
            if self._acknowledge is None:
                cause = decision.get("explanation")
                why = "" if cause is None else str(cause)
                text = f"Not performed: a person must confirm first: {why}".rstrip(": ")
                return Wanted(error=text), False
            made = yield from confirmed(self._acknowledge, name, asked, made)
            return made, made.error is None
        return (yield from confirmed(self._confirm, name, given, made)), False

    def _response(self, outcome: Outcome, acknowledged: bool) -> dict[str, Any]:
        response: dict[str, Any] = {"url": self._url() if self._url is not None else ""}
        if outcome.is_error:
            is_card = outcome.frame is not None and outcome.frame.is_card
            response["error"] = "The screen could not be captured." if is_card else outcome.text
        elif outcome.text != "OK":
            response["output"] = outcome.text.removeprefix("OK ")
        if acknowledged:
            response["safety_acknowledgement"] = True
        return response

    def _results(self, outputs: Iterable[Any]) -> Flow[list[dict[str, Any]]]:
        steps = [each for each in map(plain, outputs) if _is_call(each)]
        if not steps:
            return []
        calls = [(str(each.get("name")), each.get("arguments")) for each in steps]
        batch, acknowledged = yield from self._perform(calls)
        results = []
        for step, outcome, known in zip(steps, batch.outcomes, acknowledged, strict=True):
            text = json.dumps(self._response(outcome, known), ensure_ascii=False)
            result: list[dict[str, Any]] = [{"type": "text", "text": text}]
            if outcome.frame is not None:
                result.append(_image(outcome.frame))
            made = {"type": "function_result", "name": step.get("name"), "call_id": step.get("id")}
            made["result"] = result
            if outcome.is_error:
                made["is_error"] = True
            results.append(made)
        if batch.frame is not None and not batch.is_shown:
            results[-1]["result"].append(_image(batch.frame))
        return results

    def _parts(self, parts: Iterable[Any]) -> Flow[list[dict[str, Any]]]:
        found = [_function_call(plain(each)) for each in parts]
        steps = [each for each in found if each is not None and _is_ours(each)]
        if not steps:
            return []
        calls = [(str(each.get("name")), each.get("args")) for each in steps]
        batch, acknowledged = yield from self._perform(calls)
        made: list[dict[str, Any]] = []
        for step, outcome, known in zip(steps, batch.outcomes, acknowledged, strict=True):
            response: dict[str, Any] = {"name": step.get("name")}
            if step.get("id"):
                response["id"] = step["id"]
            response["response"] = self._response(outcome, known)
            if outcome.frame is not None:
                response["parts"] = [_inline(outcome.frame)]
            made.append({"function_response": response})
        if batch.frame is not None and not batch.is_shown:
            last = made[-1]["function_response"]
            last["parts"] = [*last.get("parts", []), _inline(batch.frame)]
        return made


def _is_call(step: Any) -> bool:
    return isinstance(step, Mapping) and step.get("type") == "function_call" and _is_ours(step)


def _is_ours(call: Mapping[str, Any]) -> bool:
    name = call.get("name")
    return isinstance(name, str) and (name in FUNCTIONS or name in _MOBILE)


def _function_call(part: Any) -> Mapping[str, Any] | None:
    if not isinstance(part, Mapping):
        return None
    call = part.get("function_call", part.get("functionCall"))
    return call if isinstance(call, Mapping) else None


def _image(frame: Frame) -> dict[str, Any]:
    return {"type": "image", "data": frame.base64(), "mime_type": frame.media_type}


def _inline(frame: Frame) -> dict[str, Any]:
    return {"inline_data": {"mime_type": frame.media_type, "data": frame.base64()}}


class Computer(_Computer, Driver):
    """Gemini's computer use on a `Desktop`.

    Args:
        desktop: The desktop.
        environment: `desktop` or `browser`.
        fit: Limits of the screenshots. Default: 1440 pixels for the longer side.
        format: `png` or `jpeg`.
        confirm: Asks a person before each call. Only the answer `True` allows it.
        acknowledge: Asks a person about a call whose safety decision is neither `regular` nor
            `allowed`. Without it, such a call is not performed. Only the answer `True` allows it.
        url: Returns the address of the page, for models that expect it.
        open: Opens a page for `navigate`, `search` and `open_web_browser`. Without it, addresses are
            typed into the focused browser, and `open_web_browser` only looks.
        excluded: Names of functions that the model may not call.
    """

    def results(self, outputs: Iterable[Any]) -> list[dict[str, Any]]:
        """Performs the function calls in the steps of an interaction. Returns a function result
        for each, with the new screen in the last; empty if there is no call."""
        return self._run(self._results(outputs))

    def parts(self, parts: Iterable[Any]) -> list[dict[str, Any]]:
        """The same for the parts of a content of `generate_content`."""
        return self._run(self._parts(parts))


class AsyncComputer(_Computer, AsyncDriver):
    """Gemini's computer use on an `AsyncDesktop`; see `Computer`."""

    async def results(self, outputs: Iterable[Any]) -> list[dict[str, Any]]:
        """As `Computer.results`."""
        return await self._run(self._results(outputs))

    async def parts(self, parts: Iterable[Any]) -> list[dict[str, Any]]:
        """As `Computer.parts`."""
        return await self._run(self._parts(parts))
