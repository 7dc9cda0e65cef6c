"""OpenCUA, and every model that writes pyautogui code: the code is read, never run.

    model = opencua.Computer(desktop)
    messages = [{"role": "system", "content": …}, model.start(task)]
    turn = model.perform(answer)         # text with a block of Python code
    messages.append(turn.message())

Accepted are calls of `pyautogui` and `computer` with literal arguments, and `time.sleep`. Anything
else is refused before the first action. To run code that a model wrote with all of Python, use
`deskd.pyautogui`.
"""

from __future__ import annotations

import ast
import re
from typing import Any

from .. import actions as make
from ..actions import Action
from ..errors import DeskdError
from ..options import Fit, Picture
from ..values import flag
from .fields import Arguments, Malformed, check_answer
from .flow import Confirm, Flow, Session, Wanted, hook
from .text import AsyncTextDriver, TextDriver, Turn, translated, turn

__all__ = ["AsyncComputer", "Computer", "parse", "translate"]

_BLOCK = re.compile(r"```(?:python|code)?\s*\n(.*?)```", re.DOTALL)
GRID = 10_000
"""Size of the grid to which coordinates from 0 to 1 are converted."""

_PLACE = ("x", "y")
FUNCTIONS: dict[str, tuple[str, ...]] = {
    "pyautogui.click": (*_PLACE, "clicks", "interval", "button", "duration"),
    "pyautogui.leftClick": (*_PLACE, "interval", "duration"),
    "pyautogui.doubleClick": (*_PLACE, "interval", "button", "duration"),
    "pyautogui.tripleClick": (*_PLACE, "interval", "button", "duration"),
    "pyautogui.rightClick": (*_PLACE, "interval", "duration"),
    "pyautogui.middleClick": (*_PLACE, "interval", "duration"),
    "pyautogui.moveTo": (*_PLACE, "duration"),
    "pyautogui.dragTo": (*_PLACE, "duration", "button"),
    "pyautogui.mouseDown": (*_PLACE, "button"),
    "pyautogui.mouseUp": (*_PLACE, "button"),
    "pyautogui.scroll": ("clicks", *_PLACE),
    "pyautogui.vscroll": ("clicks", *_PLACE),
    "pyautogui.hscroll": ("clicks", *_PLACE),
    "pyautogui.write": ("message", "interval"),
    "pyautogui.typewrite": ("message", "interval"),
    "pyautogui.press": ("keys", "presses", "interval"),
    "pyautogui.hotkey": ("keys", "interval"),
    "pyautogui.keyDown": ("key",),
    "pyautogui.keyUp": ("key",),
    "pyautogui.sleep": ("seconds",),
    "time.sleep": ("seconds",),
    "computer.triple_click": _PLACE,
    "computer.tripleClick": _PLACE,
    "computer.wait": ("seconds",),
    "computer.terminate": ("status", "answer"),
}
"""The functions with their parameters, in order."""

_CLICKS = {
    "click": ("left", 1),
    "leftClick": ("left", 1),
    "doubleClick": ("left", 2),
    "tripleClick": ("left", 3),
    "triple_click": ("left", 3),
    "rightClick": ("right", 1),
    "middleClick": ("middle", 1),
}
_BUTTONS = ("left", "middle", "right")


def parse(answer: str) -> list[tuple[str, dict[str, Any]]]:
    """Returns the calls in the last block of code of an answer: names and arguments.

    Raises:
        Malformed: If there is no call, or the code has anything but calls with literal arguments.
    """
    check_answer(answer)
    blocks = _BLOCK.findall(answer)
    code = blocks[-1] if blocks else answer
    try:
        tree = ast.parse(code.strip())
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Malformed(f"this is no Python code: {error}") from None
    calls = []
    for statement in tree.body:
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            continue
        if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Call):
            kind = type(statement).__name__
            raise Malformed(f"line {statement.lineno} is no call but {kind}")
        calls.append(_call(statement.value))
    if not calls:
        raise Malformed("the answer has no call")
    return calls


def _call(call: ast.Call) -> tuple[str, dict[str, Any]]:
    owner, name = call.func, ""
    if isinstance(owner, ast.Attribute) and isinstance(owner.value, ast.Name):
        name = f"{owner.value.id}.{owner.attr}"
    elif isinstance(owner, ast.Name):
        name = owner.id
    if name not in FUNCTIONS:
        raise Malformed(f"there is no function {name[:80]!r}")
    known = FUNCTIONS[name]
    try:
        given = [ast.literal_eval(each) for each in call.args]
        named = {str(each.arg): ast.literal_eval(each.value) for each in call.keywords}
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        raise Malformed(f"{name}: the arguments must be literals") from None
    if name == "pyautogui.hotkey" and not (len(given) == 1 and isinstance(given[0], (list, tuple))):
        given = [given]
    if len(given) == 1 and isinstance(given[0], (list, tuple)) and known[:2] == _PLACE:
        given = list(given[0])
    if len(given) > len(known):
        raise Malformed(f"{name}: too many arguments")
    values = dict(zip(known, given, strict=False))
    doubled = [each for each in named if each in values]
    if doubled or len(named) != len(call.keywords):
        raise Malformed(f"{name}: an argument is given twice")
    return name, {**values, **named}


def translate(name: str, values: Any, relative: bool) -> Wanted:
    """Translates a call. `relative`: coordinates are fractions from 0 to 1.

    Raises:
        Malformed: If the call is wrong.
    """
    if name not in FUNCTIONS:
        raise Malformed(f"there is no function {name!r}")
    given = Arguments(name, values, FUNCTIONS[name])
    if name == "computer.terminate":
        status = given.choice("status", ("success", "failure"), "success")
        done = "finished" if status == "success" else "failed"
        return Wanted(control=done, value=given.text("answer", ""))
    return Wanted(tuple(_actions(name.partition(".")[2], given, relative)))


def _actions(name: str, given: Arguments, relative: bool) -> list[Action]:
    for each in ("interval", "duration"):
        # deskd keeps its own time between events; a number that is none is still a mistake.
        if given.has(each):
            given.number(each, 0, 300)
    if name in ("sleep", "wait"):
        seconds = given.number("seconds", 0, 300, 3.0 if name == "wait" else None)
        return [make.wait(seconds)] if seconds else []
    if name in ("write", "typewrite"):
        text = given.text("message")
        return [make.type_text(text)] if text else []
    if name == "press":
        keys = [given.text("keys")] if given.is_text("keys") else given.strings("keys")
        presses = given.whole("presses", 1, 100, 1)
        return [make.press(key, repeat=presses) for key in map(_key, keys)]
    if name == "hotkey":
        return [make.press(*map(_key, given.strings("keys")))]
    if name in ("keyDown", "keyUp"):
        key = _key(given.text("key"))
        return [make.key_down(key, hold=60) if name == "keyDown" else make.key_up(key)]
    at = _place(given, relative) if given.has("x") or given.has("y") else (None, None)
    if name in ("scroll", "vscroll", "hscroll"):
        clicks = given.whole("clicks", -1000, 1000)
        # Positive numbers scroll up and to the right.
        dx, dy = (clicks, 0) if name == "hscroll" else (0, -clicks)
        return [make.scroll(dx, dy, x=at[0], y=at[1])] if clicks else []
    if name == "moveTo":
        x, y = _place(given, relative)
        return [make.move(x, y)]
    button = given.choice("button", _BUTTONS, "left") if given.knows("button") else "left"
    if name == "dragTo":
        x, y = _place(given, relative)
        down = make.button_down(button=button, hold=60)
        return [down, make.move(x, y), make.button_up(button=button)]
    if name == "mouseDown":
        return [make.button_down(*at, button=button, hold=60)]
    if name == "mouseUp":
        return [make.button_up(*at, button=button)]
    own, count = _CLICKS[name]
    if name == "click":
        count = given.whole("clicks", 1, 3, 1)
    button = button if name in ("click", "doubleClick", "tripleClick") else own
    return [make.click(*at, button=button, count=count)]


def _key(name: str) -> str:
    """pyautogui's names that are no keysyms or vendors' names."""
    return {"winleft": "Super_L", "winright": "Super_R", "prtsc": "Print"}.get(name, name)


def _place(given: Arguments, relative: bool) -> tuple[int, int]:
    if not relative:
        return given.xy()
    x, y = given.number("x", 0, 1), given.number("y", 0, 1)
    # 1 is the edge, which is outside: the daemon refuses it.
    return int(x * GRID), int(y * GRID)


class _Computer:
    """Settings and state; see `Computer`."""

    def __init__(
        self, desktop: Any, *, relative: bool = False, confirm: Confirm | None = None
    ) -> None:
        super().__init__(desktop)  # type: ignore[call-arg]
        self._confirm, self._relative = hook(confirm, "confirm"), flag(relative, "relative")
        fit = Fit(max_side=1920, multiple_of=28, max_pixels=12_845_056)
        self._session = Session(Picture(fit=fit), grid=GRID if relative else None)

    def _perform(self, answer: str) -> Flow[Turn]:
        try:
            calls = parse(answer)
        except Malformed as error:
            return (yield from turn(self._session, None, [("", {}, translated(error))]))
        made = []
        for name, values in calls:
            try:
                made.append((name, values, translate(name, values, self._relative)))
            except (Malformed, DeskdError) as error:
                made.append((name, values, translated(error)))
        return (yield from turn(self._session, self._confirm, made))


class Computer(_Computer, TextDriver):
    """A model that writes pyautogui code, on a `Desktop`.

    Args:
        desktop: The desktop.
        relative: Whether coordinates are fractions from 0 to 1. Otherwise they are pixels of the
            picture, whose sides are multiples of 28.
        confirm: Asks a person before each action. Only the answer `True` allows it.
    """

    def perform(self, answer: str) -> Turn:
        """Performs the calls in an answer."""
        return self._run(self._perform(answer))


class AsyncComputer(_Computer, AsyncTextDriver):
    """A model that writes pyautogui code, on an `AsyncDesktop`; see `Computer`."""

    async def perform(self, answer: str) -> Turn:
        """Performs the calls in an answer."""
        return await self._run(self._perform(answer))
