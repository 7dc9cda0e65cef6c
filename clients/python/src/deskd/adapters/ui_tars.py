"""UI-TARS (Doubao): actions as text.

    model = ui_tars.Computer(desktop, version="1.5")
    messages = [{"role": "system", "content": …}, model.start(task)]
    turn = model.perform(answer)         # the model's text
    messages.append(turn.message())      # what was not done, and the new screen

Version 1.0 counts a grid of 1000 × 1000; 1.5 counts the pixels of the picture, whose sides are
multiples of 28; version 2 calls functions and counts the grid.
"""

from __future__ import annotations

import re
from typing import Any

from .. import actions as make
from ..errors import DeskdError
from ..options import Fit, Picture
from .fields import Arguments, Malformed, check_answer
from .flow import Confirm, Flow, Session, Wanted, hook
from .text import AsyncTextDriver, TextDriver, Turn, translated, turn

__all__ = ["AsyncComputer", "Computer", "parse", "translate"]

_SIDE = 28
_CALL = re.compile(r"(\w+)\s*\(")
_WORD = re.compile(r"\s*(\w+)\s*=\s*")
_NUMBER = r"-?\d{1,12}(?:\.\d{1,12})?"
_POINT = re.compile(
    r"\s*(?:<point>|<bbox>|<\|box_start\|>)?\s*[(\[]?\s*"
    rf"({_NUMBER}(?:(?:\s*,\s*|\s+){_NUMBER}){{1,3}})"
    r"\s*[)\]]?\s*(?:</point>|</bbox>|<\|box_end\|>)?\s*"
)
_DIRECTIONS = {"up": (0, -1), "down": (0, 1), "left": (-1, 0), "right": (1, 0)}
_NOTCHES = 5
"""Notches of a scroll, which names no distance."""
_WAIT = 5.0
_POINTS = ("point", "start_box", "start_point", "end_point", "end_box")

CALLS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("click", "left_double", "right_single", "move_to"), ("point", "start_box")),
    **dict.fromkeys(("mouse_down", "mouse_up"), ("point", "start_box", "button")),
    "drag": ("start_point", "end_point", "start_box", "end_box"),
    "hotkey": ("key", "hotkey"),
    "press": ("key",),
    "release": ("key",),
    "type": ("content",),
    "scroll": ("point", "start_box", "direction"),
    "wait": ("seconds",),
    "take_screenshot": (),
    "finished": ("content",),
    "call_user": ("content",),
}
"""The actions with their arguments."""


def parse(answer: str) -> list[tuple[str, dict[str, str]]]:
    """Returns the calls after `Action:` in an answer: names and arguments.

    Raises:
        Malformed: If there is no call, or it cannot be read.
    """
    check_answer(answer)
    _, found, text = answer.rpartition("Action:")
    text = (text if found else answer).strip()
    calls, at = [], 0
    while at < len(text):
        head = _CALL.match(text, at)
        if head is None:
            raise Malformed(f"this is no action: {text[at : at + 80]!r}")
        arguments, at = _arguments(text, head.end())
        calls.append((head.group(1), arguments))
        while at < len(text) and text[at] in " \t\r\n;":
            at += 1
    if not calls:
        raise Malformed("the answer has no action")
    return calls


def _arguments(text: str, at: int) -> tuple[dict[str, str], int]:
    """Reads arguments up to the closing bracket. Returns them, and the place after it."""
    found: dict[str, str] = {}
    while True:
        while at < len(text) and text[at] in " ,\n":
            at += 1
        if at < len(text) and text[at] == ")":
            return found, at + 1
        word = _WORD.match(text, at)
        if word is None or word.end() >= len(text):
            raise Malformed(f"the arguments cannot be read at {text[at : at + 40]!r}")
        at, quote = word.end(), text[word.end()]
        if quote not in "'\"":
            end = min((i for i in (text.find(",", at), text.find(")", at)) if i >= 0), default=-1)
            if end < 0:
                raise Malformed("a bracket is not closed")
            found[word.group(1)], at = text[at:end].strip(), end
            continue
        value, at = _string(text, at + 1, quote)
        found[word.group(1)] = value


def _string(text: str, at: int, quote: str) -> tuple[str, int]:
    """Reads a quoted string. A quote in it is escaped, or is not followed by `,` or `)`."""
    escapes, made = {"n": "\n", "t": "\t", "\\": "\\", "'": "'", '"': '"'}, []
    while at < len(text):
        letter = text[at]
        if letter == "\\" and text[at + 1 : at + 2] in escapes:
            made.append(escapes[text[at + 1]])
            at += 2
            continue
        if letter == quote and re.match(r"\s*(,\s*\w+\s*=|\))", text[at + 1 :]):
            return "".join(made), at + 1
        made.append(letter)
        at += 1
    raise Malformed("a string is not closed")


def translate(name: str, values: Any, picture: Picture) -> Wanted:
    """Translates a call.

    Raises:
        Malformed: If the call is wrong.
    """
    if not isinstance(name, str) or name not in CALLS:
        raise Malformed(f"there is no action {name!r}")
    given = Arguments(name, values, CALLS[name])
    if name in ("finished", "call_user"):
        return Wanted(control=name, value=given.text("content", ""))
    if name == "take_screenshot":
        return Wanted(picture=picture)
    if name == "wait":
        return Wanted((make.wait(_seconds(given)),))
    if name == "type":
        return Wanted((make.type_text(given.text("content")),))
    if name in ("hotkey", "press", "release"):
        keys = given.text("hotkey" if given.has("hotkey") else "key").split()
        if not keys:
            raise given.error("key is empty")
        if name == "hotkey":
            return Wanted((make.press(*keys),))
        made = [make.key_down(key, hold=60) if name == "press" else make.key_up(key) for key in keys]
        return Wanted(tuple(made))
    if name == "drag":
        ends = [_point(given, one, other) for one, other in (("start_point", "start_box"), ("end_point", "end_box"))]
        return Wanted((make.drag([end for end in ends if end is not None]),))
    if name == "scroll":
        dx, dy = _DIRECTIONS[given.choice("direction", list(_DIRECTIONS))]
        has_place = given.has("point") or given.has("start_box")
        x, y = _point(given, "point", "start_box") if has_place else (None, None)
        return Wanted((make.scroll(_NOTCHES * dx, _NOTCHES * dy, x=x, y=y),))
    if name in ("mouse_down", "mouse_up"):
        has_place = given.has("point") or given.has("start_box")
        x, y = _point(given, "point", "start_box") if has_place else (None, None)
        button = given.choice("button", ("left", "right", "middle"), "left")
        down = make.button_down(x, y, button=button, hold=60)
        return Wanted((down if name == "mouse_down" else make.button_up(x, y, button=button),))
    x, y = _point(given, "point", "start_box")
    if name == "move_to":
        return Wanted((make.move(x, y),))
    button = "right" if name == "right_single" else "left"
    return Wanted((make.click(x, y, button=button, count=2 if name == "left_double" else 1),))


def _seconds(given: Arguments) -> float:
    text = str(given.text("seconds", str(_WAIT)))
    try:
        seconds = float(text)
    except ValueError:
        raise given.error("seconds must be a number") from None
    if not 0 < seconds <= 300:
        raise given.error("seconds must be from 0 to 300")
    return seconds


def _point(given: Arguments, *names: str) -> tuple[int, int]:
    """Reads `<point>x y</point>`, `(x,y)` or `[x0, y0, x1, y1]`, whose middle it returns."""
    name = next((each for each in names if given.has(each)), names[0])
    found = _POINT.fullmatch(given.text(name))
    numbers = [float(each) for each in re.findall(_NUMBER, found.group(1))] if found else []
    if len(numbers) == 4:
        numbers = [(numbers[0] + numbers[2]) // 2, (numbers[1] + numbers[3]) // 2]
    if len(numbers) != 2 or any(each != int(each) or abs(each) >= 1 << 31 for each in numbers):
        raise given.error(f"{name} must be a point in whole numbers")
    return int(numbers[0]), int(numbers[1])


class _Computer:
    """Settings and state; see `Computer`."""

    def __init__(
        self, desktop: Any, *, version: str = "1.5", confirm: Confirm | None = None
    ) -> None:
        super().__init__(desktop)  # type: ignore[call-arg]
        if version not in ("1.0", "1.5", "2"):
            raise DeskdError(f"there is no version {version!r}; choose 1.0, 1.5 or 2")
        self._confirm = hook(confirm, "confirm")
        # The model's own resizing keeps a picture whose sides are multiples of 28.
        fit = Fit(max_side=1920, multiple_of=_SIDE, max_pixels=16384 * _SIDE * _SIDE)
        self._session = Session(Picture(fit=fit), grid=None if version == "1.5" else 1000)

    def _perform(self, answer: str) -> Flow[Turn]:
        try:
            calls = [(name, dict(values)) for name, values in parse(answer)]
        except Malformed as error:
            return (yield from turn(self._session, None, [("", {}, translated(error))]))
        return (yield from self._calls(calls))

    def _calls(self, calls: list[tuple[str, dict[str, Any]]]) -> Flow[Turn]:
        made = []
        for name, values in calls:
            try:
                made.append((name, values, translate(name, values, self._session.picture)))
            except (Malformed, DeskdError) as error:
                made.append((name, values, translated(error)))
        return (yield from turn(self._session, self._confirm, made))


class Computer(_Computer, TextDriver):
    """UI-TARS on a `Desktop`.

    Args:
        desktop: The desktop.
        version: `1.0`, `1.5` or `2`.
        confirm: Asks a person before each action. Only the answer `True` allows it.
    """

    def perform(self, answer: str) -> Turn:
        """Performs the actions in an answer."""
        return self._run(self._perform(answer))

    def call(self, calls: list[tuple[str, dict[str, Any]]]) -> Turn:
        """Performs function calls of version 2: names and arguments."""
        return self._run(self._calls(calls))


class AsyncComputer(_Computer, AsyncTextDriver):
    """UI-TARS on an `AsyncDesktop`; see `Computer`."""

    async def perform(self, answer: str) -> Turn:
        """Performs the actions in an answer."""
        return await self._run(self._perform(answer))

    async def call(self, calls: list[tuple[str, dict[str, Any]]]) -> Turn:
        """Performs function calls of version 2."""
        return await self._run(self._calls(calls))
