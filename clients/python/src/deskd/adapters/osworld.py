"""OSWorld's action spaces: pyautogui code, and the dictionaries of `computer_13`.

    environment = osworld.Computer(desktop)
    turn = environment.step(action)      # "pyautogui.click(10, 20)", "DONE", or a dictionary

Coordinates are pixels of the screen, in which OSWorld takes its screenshots.
"""

from __future__ import annotations

from typing import Any

from .. import actions as make
from ..actions import Action
from ..errors import DeskdError
from ..options import Picture
from . import opencua
from .fields import Arguments, Malformed
from .flow import Confirm, Flow, Session, Wanted, hook
from .text import AsyncTextDriver, TextDriver, Turn, translated, turn

__all__ = ["AsyncComputer", "Computer", "translate"]

_PLACE = ("x", "y")
ACTIONS: dict[str, tuple[str, ...]] = {
    "MOVE_TO": _PLACE,
    "CLICK": ("button", *_PLACE, "num_clicks"),
    "MOUSE_DOWN": ("button",),
    "MOUSE_UP": ("button",),
    "RIGHT_CLICK": _PLACE,
    "DOUBLE_CLICK": _PLACE,
    "DRAG_TO": _PLACE,
    "SCROLL": ("dx", "dy"),
    "TYPING": ("text",),
    "PRESS": ("key",),
    "KEY_DOWN": ("key",),
    "KEY_UP": ("key",),
    "HOTKEY": ("keys",),
    "WAIT": (),
    "FAIL": (),
    "DONE": (),
}
"""The actions of `computer_13` with their parameters."""

_CONTROL = {"DONE": "finished", "FAIL": "failed"}
WAIT = 3.0
"""Seconds that `WAIT` takes, which names no duration."""


def translate(action: Any) -> Wanted:
    """Translates a dictionary of `computer_13`.

    Raises:
        Malformed: If it is wrong.
    """
    if not isinstance(action, dict):
        raise Malformed("the action is no object")
    name = action.get("action_type")
    if not isinstance(name, str) or name not in ACTIONS:
        raise Malformed(f"there is no action {name!r}")
    rest = {key: value for key, value in action.items() if key not in ("action_type", "parameters")}
    values = action.get("parameters", rest)
    given = Arguments(name, {} if values is None else values, ACTIONS[name])
    if name in _CONTROL:
        return Wanted(control=_CONTROL[name])
    return Wanted(tuple(_actions(name, given)))


def _actions(name: str, given: Arguments) -> list[Action]:
    if name == "WAIT":
        return [make.wait(WAIT)]
    if name == "TYPING":
        return [make.type_text(given.text("text"))]
    if name == "PRESS":
        return [make.press(given.text("key"))]
    if name == "KEY_DOWN":
        return [make.key_down(given.text("key"), hold=60)]
    if name == "KEY_UP":
        return [make.key_up(given.text("key"))]
    if name == "HOTKEY":
        return [make.press(*given.strings("keys"))]
    if name == "SCROLL":
        # Positive numbers scroll up and to the right, as pyautogui's do.
        dx, dy = given.whole("dx", -1000, 1000, 0), given.whole("dy", -1000, 1000, 0)
        return [make.scroll(dx, -dy)] if dx or dy else []
    if name == "MOVE_TO":
        return [make.move(*given.xy())]
    if name == "DRAG_TO":
        return [make.button_down(hold=60), make.move(*given.xy()), make.button_up()]
    at = given.xy() if given.has("x") or given.has("y") else (None, None)
    button = given.choice("button", ("left", "middle", "right"), "left") if given.knows("button") else "left"
    if name == "MOUSE_DOWN":
        return [make.button_down(button=button, hold=60)]
    if name == "MOUSE_UP":
        return [make.button_up(button=button)]
    if name == "CLICK":
        return [make.click(*at, button=button, count=given.whole("num_clicks", 1, 3, 1))]
    count = 2 if name == "DOUBLE_CLICK" else 1
    return [make.click(*at, button="right" if name == "RIGHT_CLICK" else "left", count=count)]


class _Computer:
    """Settings and state; see `Computer`."""

    def __init__(self, desktop: Any, *, confirm: Confirm | None = None) -> None:
        super().__init__(desktop)  # type: ignore[call-arg]
        self._confirm = hook(confirm, "confirm")
        self._session = Session(Picture())

    def _step(self, action: Any) -> Flow[Turn]:
        name = action.get("action_type") if isinstance(action, dict) else action
        if isinstance(action, str) and action.strip() in ("WAIT", "FAIL", "DONE"):
            action = {"action_type": action.strip()}
        try:
            if isinstance(action, str):
                calls = opencua.parse(action)
                made = [(called, each, opencua.translate(called, each, False)) for called, each in calls]
            else:
                made = [(str(name), action, translate(action))]
        except (Malformed, DeskdError) as error:
            made = [(str(name), {}, translated(error))]
        return (yield from turn(self._session, self._confirm, made))


class Computer(_Computer, TextDriver):
    """OSWorld's actions on a `Desktop`.

    Args:
        desktop: The desktop.
        confirm: Asks a person before each action. Only the answer `True` allows it.
    """

    def step(self, action: Any) -> Turn:
        """Performs an action: code, a word, or a dictionary."""
        return self._run(self._step(action))


class AsyncComputer(_Computer, AsyncTextDriver):
    """OSWorld's actions on an `AsyncDesktop`; see `Computer`."""

    async def step(self, action: Any) -> Turn:
        """Performs an action."""
        return await self._run(self._step(action))
