"""Qwen-VL and Fara: the function `computer_use` in `<tool_call>` blocks.

    model = qwen.Computer(desktop, version="3")
    messages = [{"role": "system", "content": …}, model.start(task)]
    turn = model.perform(answer)         # the model's text
    messages.append(turn.message())

Qwen2.5-VL and Fara count the pixels of the picture, whose sides are multiples of 28. Qwen3-VL and
later count a grid of 1000 × 1000.
"""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import quote

from .. import actions as make
from ..actions import Action
from ..errors import DeskdError
from ..options import Fit, Picture
from .fields import Arguments, Malformed, check_answer
from .flow import Ask, Confirm, Flow, Open, Session, Wanted, hook
from .text import AsyncTextDriver, TextDriver, Turn, translated, turn

__all__ = ["AsyncComputer", "Computer", "parse", "translate"]

_BLOCK = re.compile(r"<tool_call>\s*(.*?)\s*(?:</tool_call>|$)", re.DOTALL)
_CLICKS = {
    "left_click": ("left", 1),
    "right_click": ("right", 1),
    "middle_click": ("middle", 1),
    "double_click": ("left", 2),
    "triple_click": ("left", 3),
}
_POINTED = ("action", "coordinate", "text")

QWEN: dict[str, tuple[str, ...]] = {
    "key": ("action", "keys"),
    "type": ("action", "text"),
    "mouse_move": ("action", "coordinate"),
    **dict.fromkeys(_CLICKS, _POINTED),
    "left_click_drag": ("action", "coordinate", "text"),
    "scroll": ("action", "pixels", "coordinate", "text"),
    "hscroll": ("action", "pixels", "coordinate", "text"),
    "wait": ("action", "time"),
    "answer": ("action", "text"),
    "terminate": ("action", "status", "text"),
}
"""The actions of Qwen-VL with their arguments."""

FARA: dict[str, tuple[str, ...]] = {
    "key": ("action", "keys"),
    "type": ("action", "text", "coordinate", "press_enter", "delete_existing_text"),
    "mouse_move": ("action", "coordinate"),
    "left_click": ("action", "coordinate"),
    "scroll": ("action", "pixels", "coordinate"),
    "visit_url": ("action", "url"),
    "web_search": ("action", "query"),
    "history_back": ("action",),
    "pause_and_memorize_fact": ("action", "fact"),
    "wait": ("action", "time"),
    "terminate": ("action", "status"),
}
"""The actions of Fara with their arguments."""

SEARCH_PAGE = "https://www.bing.com/search?q="
"""The page that `web_search` opens."""


def parse(answer: str) -> list[Any]:
    """Returns the arguments of the calls in an answer.

    Raises:
        Malformed: If there is no call, or it is not JSON.
    """
    check_answer(answer)
    calls = []
    for block in _BLOCK.findall(answer):
        try:
            call = json.loads(block)
        except (ValueError, RecursionError):
            raise Malformed("the tool call is not JSON") from None
        if not isinstance(call, dict) or "arguments" not in call:
            raise Malformed("the tool call has no arguments")
        if call.get("name") not in ("computer_use", "computer"):
            raise Malformed(f"there is no tool {call.get('name')!r}; use computer_use")
        calls.append(call["arguments"])
    if not calls:
        raise Malformed("the answer has no tool call")
    return calls


def translate(values: Any, known: dict[str, tuple[str, ...]]) -> Wanted:
    """Translates the arguments of a call. `known` is `QWEN` or `FARA`.

    Raises:
        Malformed: If the call is wrong.
    """
    name = values.get("action") if isinstance(values, dict) else None
    if not isinstance(name, str) or name not in known:
        raise Malformed(f"there is no action {name!r}")
    given = Arguments(name, values, known[name])
    if name == "terminate":
        status = given.choice("status", ("success", "failure"))
        done = "finished" if status == "success" else "failed"
        return Wanted(control=done, value=given.text("text", ""))
    if name == "answer":
        return Wanted(control="finished", value=given.text("text"))
    if name == "pause_and_memorize_fact":
        return Wanted(said=f"Noted: {given.text('fact')}")
    return Wanted(tuple(_actions(name, given)))


def _address(name: str, given: Arguments) -> str:
    """Returns the address of the page that an action opens."""
    if name == "visit_url":
        return given.text("url")
    return SEARCH_PAGE + quote(given.text("query"), safe="", errors="replace")


def _actions(name: str, given: Arguments) -> list[Action]:
    at = given.point("coordinate") if given.has("coordinate") else (None, None)
    if name == "key":
        return [make.press(*given.strings("keys"))]
    if name == "type":
        return _type(given, at)
    if name == "wait":
        seconds = given.number("time", 0, 300)
        return [make.wait(seconds)] if seconds else []
    if name == "mouse_move":
        return [make.move(*given.point("coordinate"))]
    if name == "history_back":
        return [make.press("alt", "Left")]
    if name in ("visit_url", "web_search"):
        url = _address(name, given)
        return [make.press("ctrl", "l"), make.type_text(url), make.press("Return")]
    held = make.keys(given.text("text")) if given.has("text") else []
    if name == "left_click_drag":
        # From where the pointer is.
        end = given.point("coordinate")
        dragged = [make.button_down(hold=60), make.move(*end), make.button_up()]
        down = [make.key_down(key, hold=60) for key in held]
        return down + dragged + [make.key_up(key) for key in reversed(held)]
    if name in ("scroll", "hscroll"):
        # Positive numbers scroll up and to the left.
        pixels = -given.whole("pixels", -100_000, 100_000)
        dx, dy = (pixels, 0) if name == "hscroll" else (0, pixels)
        turned = make.scroll(dx, dy, x=at[0], y=at[1], unit="pixel", modifiers=held)
        return [turned] if pixels else []
    button, count = _CLICKS[name]
    return [make.click(*at, button=button, count=count, modifiers=held)]


def _type(given: Arguments, at: tuple[int | None, int | None]) -> list[Action]:
    made = [make.click(*at)] if at[0] is not None else []
    if given.flag("delete_existing_text", False):
        made += [make.press("ctrl", "a"), make.press("BackSpace")]
    if given.text("text"):
        made.append(make.type_text(given.text("text")))
    return made + ([make.press("Return")] if given.flag("press_enter", False) else [])


class _Computer:
    """Settings and state; see `Computer`."""

    def __init__(
        self,
        desktop: Any,
        *,
        version: str = "3",
        confirm: Confirm | None = None,
        open: Open | None = None,
    ) -> None:
        super().__init__(desktop)  # type: ignore[call-arg]
        if version not in ("2.5", "3", "fara"):
            raise DeskdError(f"there is no version {version!r}; choose 2.5, 3 or fara")
        self._confirm, self._open = hook(confirm, "confirm"), hook(open, "open")
        self._known = FARA if version == "fara" else QWEN
        side = 32 if version == "3" else 28
        # The model's own resizing keeps a picture whose sides are multiples of its patches.
        fit = Fit(max_side=1920, multiple_of=side, max_pixels=12_845_056)
        self._session = Session(Picture(fit=fit), grid=1000 if version == "3" else None)

    def _perform(self, answer: str) -> Flow[Turn]:
        try:
            calls = parse(answer)
        except Malformed as error:
            return (yield from turn(self._session, None, [("", {}, translated(error))]))
        made = []
        for values in calls:
            named = dict(values) if isinstance(values, dict) else {}
            try:
                wanted = translate(values, self._known)
                if self._open is not None and named["action"] in ("visit_url", "web_search"):
                    name = str(named["action"])
                    address = _address(name, Arguments(name, named, self._known[name]))
                    wanted = Wanted(ask=Ask(self._open, (address,)))
                made.append((str(named.get("action")), named, wanted))
            except (Malformed, DeskdError) as error:
                made.append((str(named.get("action")), named, translated(error)))
        return (yield from turn(self._session, self._confirm, made))


class Computer(_Computer, TextDriver):
    """Qwen-VL or Fara on a `Desktop`.

    Args:
        desktop: The desktop.
        version: `2.5`, `3` (also for 3.5) or `fara`.
        confirm: Asks a person before each action. Only the answer `True` allows it.
        open: Opens a page for `visit_url` and `web_search`. Without it, addresses are typed into the
            focused browser.
    """

    def perform(self, answer: str) -> Turn:
        """Performs the calls in an answer."""
        return self._run(self._perform(answer))


class AsyncComputer(_Computer, AsyncTextDriver):
    """Qwen-VL or Fara on an `AsyncDesktop`; see `Computer`."""

    async def perform(self, answer: str) -> Turn:
        """Performs the calls in an answer."""
        return await self._run(self._perform(answer))
