"""Actions: the elements of a step. Give them to `Desktop.act`.

    desktop.act([actions.click(40, 12), actions.type_text("hello"), actions.press("Return")])

Coordinates are pixels of the step's coordinate space: the screen, unless `act` or the `Desktop`
names another one. The daemon refuses a point outside; it never moves it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .errors import InvalidRequest
from .options import Picture
from .v1 import action_pb2 as pb
from .v1 import capture_pb2, condition_pb2, frame_pb2
from .v1.action_pb2 import Action as Action
from .values import duration, invalid, is_sendable, pixel, whole
from .values import text as string

__all__ = [
    "Action",
    "button_down",
    "button_up",
    "click",
    "drag",
    "key_down",
    "key_up",
    "keys",
    "move",
    "paste",
    "press",
    "screenshot",
    "scroll",
    "type_text",
    "wait",
    "wait_for",
]

_BUTTONS = {
    "left": pb.BUTTON_LEFT,
    "middle": pb.BUTTON_MIDDLE,
    "wheel": pb.BUTTON_MIDDLE,
    "right": pb.BUTTON_RIGHT,
    "back": pb.BUTTON_BACK,
    "forward": pb.BUTTON_FORWARD,
}


def target(x: Any, y: Any) -> Any:
    """The place of an action as a protobuf `Target`, or None if neither coordinate is given."""
    if x is None and y is None:
        return None
    return pb.Target(point=frame_pb2.Point(x=pixel(x, "x"), y=pixel(y, "y")))


def button(name: str) -> int:
    """Returns the protobuf value of a button's name.

    Raises:
        InvalidRequest: If there is no such button.
    """
    try:
        return int(_BUTTONS[name])
    except (KeyError, TypeError):
        known = ", ".join(_BUTTONS)
        raise invalid(f"there is no button {name!r}; choose one of {known}") from None


def keys(chord: str | Sequence[str]) -> list[str]:
    """Splits a chord such as `ctrl+shift+s` into key names. A list is returned as it is.

    `+` is itself a key: `ctrl++` is Ctrl and plus.

    Raises:
        InvalidRequest: If it is neither a string nor a list.
    """
    if not isinstance(chord, str):
        return _listed(chord, "keys")
    if chord == "+":
        return ["+"]
    names = chord.replace("++", "+\0").split("+")
    return [name.replace("\0", "+").strip() or name for name in names]


def move(x: int, y: int, *, modifiers: str | Sequence[str] = ()) -> Action:
    """Moves the pointer. `modifiers` are keys that are held meanwhile, such as `ctrl+shift`."""
    return Action(move=pb.MoveAction(to=target(x, y), modifiers=_held(modifiers)))


def click(
    x: int | None = None,
    y: int | None = None,
    *,
    button: str = "left",
    count: int = 1,
    modifiers: str | Sequence[str] = (),
) -> Action:
    """Clicks `count` times (1 to 3); without a point, where the pointer is."""
    made = pb.ClickAction(
        at=target(x, y), button=_button(button), count=_count(count), modifiers=_held(modifiers)
    )
    return Action(click=made)


def button_down(
    x: int | None = None, y: int | None = None, *, button: str = "left", hold: float | None = None
) -> Action:
    """Presses a button, which stays down after the step, at most `hold` seconds (default 10)."""
    made = pb.ButtonDownAction(at=target(x, y), button=_button(button))
    if hold is not None:
        made.hold.CopyFrom(duration(hold, "hold"))
    return Action(button_down=made)


def button_up(x: int | None = None, y: int | None = None, *, button: str = "left") -> Action:
    """Releases a button."""
    return Action(button_up=pb.ButtonUpAction(at=target(x, y), button=_button(button)))


def drag(
    path: Iterable[tuple[int, int]],
    *,
    button: str = "left",
    modifiers: str | Sequence[str] = (),
    seconds: float | None = None,
) -> Action:
    """Presses at the first point, moves through all points, and releases at the last."""
    made = pb.DragAction(path=_path(path), button=_button(button), modifiers=_held(modifiers))
    if seconds is not None:
        made.duration.CopyFrom(duration(seconds))
    return Action(drag=made)


def scroll(
    dx: int = 0,
    dy: int = 0,
    *,
    x: int | None = None,
    y: int | None = None,
    unit: str = "notch",
    modifiers: str | Sequence[str] = (),
) -> Action:
    """Turns the wheel: `dy` down, `dx` to the right, in notches or (`unit="pixel"`) in pixels."""
    units = {"notch": pb.SCROLL_UNIT_NOTCH, "pixel": pb.SCROLL_UNIT_PIXEL}
    if not isinstance(unit, str) or unit not in units:
        raise invalid(f"unit is {unit!r}; choose notch or pixel")
    made = pb.ScrollAction(
        at=target(x, y),
        dx=pixel(dx, "dx"),
        dy=pixel(dy, "dy"),
        unit=units[unit],
        modifiers=_held(modifiers),
    )
    return Action(scroll=made)


def type_text(text: str, *, rate: int | None = None) -> Action:
    """Types text of any script, at most 64 KiB of UTF-8. `rate` limits the characters per second."""
    _text(text)
    return Action(type=pb.TypeAction(text=text, rate=whole(rate, "rate")))


def paste(text: str, *, chord: str = "") -> Action:
    """Pastes text through the clipboard. `chord` is the program's key for it (Shift+Insert)."""
    _text(text)
    return Action(paste=pb.PasteAction(text=text, chord=string(chord, "chord")))


def press(*chord: str, repeat: int | None = None, hold: float | None = None) -> Action:
    """Presses keys together: `press("ctrl+s")` or `press("ctrl", "s")`."""
    names = keys(chord[0]) if len(chord) == 1 else list(chord)
    if not names:
        raise invalid('no key is given; give names such as "ctrl+s" or "ctrl", "s"')
    made = pb.KeyAction(keys=_names(names), repeat=whole(repeat, "repeat"))
    if hold is not None:
        made.hold.CopyFrom(duration(hold, "hold"))
    return Action(key=made)


def key_down(key: str, *, hold: float | None = None) -> Action:
    """Presses a key, which stays down after the step, at most `hold` seconds (default 10)."""
    made = pb.KeyDownAction(key=_names([key])[0])
    if hold is not None:
        made.hold.CopyFrom(duration(hold, "hold"))
    return Action(key_down=made)


def key_up(key: str) -> Action:
    """Releases a key."""
    return Action(key_up=pb.KeyUpAction(key=_names([key])[0]))


def wait(seconds: float) -> Action:
    """Waits before the next action, at most 300 s."""
    return Action(wait=pb.WaitAction(duration=duration(seconds)))


def wait_for(condition: Any, *, timeout: float | None = None) -> Action:
    """Waits for a condition (see `deskd.conditions`), at most 300 s; default: 10 s. If it is not met,
    the step ends."""
    made = pb.WaitForAction(condition=checked_condition(condition))
    if timeout is not None:
        made.timeout.CopyFrom(duration(timeout, "timeout"))
    return Action(wait_for=made)


def screenshot(capture: Any = None) -> Action:
    """Takes a picture in the middle of a step, at most 4 in one step. `capture` is a `Picture`, or
    its `message()`."""
    if isinstance(capture, Picture):
        capture = capture.message()
    if capture is not None and not isinstance(capture, capture_pb2.CaptureOptions):
        raise invalid(f"capture is {capture!r}; give a Picture")
    return Action(screenshot=pb.ScreenshotAction(capture=capture))


def seconds(action: Action) -> float:
    """Returns the time that an action takes by itself, in seconds."""
    kind = action.WhichOneof("action")
    if kind == "wait":
        return float(action.wait.duration.ToNanoseconds() / 1e9)
    if kind == "drag":
        return float(action.drag.duration.ToNanoseconds() / 1e9)
    if kind == "key":
        repeat = action.key.repeat if action.key.HasField("repeat") else 1
        return float(action.key.hold.ToNanoseconds() / 1e9 * max(repeat, 1))
    if kind == "wait_for":
        limit = action.wait_for
        return float(limit.timeout.ToNanoseconds() / 1e9) if limit.HasField("timeout") else 10.0
    if kind == "type" and action.type.rate:
        return len(action.type.text) / float(action.type.rate)
    return 0.0


def has_point(action: Action) -> bool:
    """Whether an action names a place in a coordinate space."""
    made = getattr(action, action.WhichOneof("action") or "wait")
    fields = {field.name for field, _ in made.ListFields()}
    return bool(fields & {"at", "to", "path"})


def features(action: Action) -> set[str]:
    """Returns the daemon's features that an action needs, beside `act`."""
    kind = action.WhichOneof("action")
    if kind == "type":
        return {"type"}
    if kind == "paste":
        return {"paste"}
    if kind == "screenshot":
        return {"screenshot_action"}
    if kind == "wait_for":
        return {"wait_for"}
    if kind == "move" and action.move.modifiers:
        return {"move_modifiers"}
    return set()


def _button(name: str) -> int:
    return button(name)


def _held(modifiers: str | Sequence[str]) -> list[str]:
    if modifiers is None or modifiers == "":
        return []
    if isinstance(modifiers, str):
        return _names(keys(modifiers))
    return _names(_listed(modifiers, "modifiers"))


def _listed(names: Any, what: str) -> list[Any]:
    """Returns a list of key names, which `_names` checks."""
    if isinstance(names, Iterable) and not isinstance(names, (bytes, Mapping)):
        return list(names)
    raise invalid(f'{what} is {names!r}; give names such as "ctrl+s" or ["ctrl", "s"]')


def _path(path: Any) -> list[Any]:
    if not isinstance(path, Iterable) or isinstance(path, (str, bytes)):
        raise invalid(f"path is {path!r}; give a list of (x, y)")
    made = []
    for place in path:
        if isinstance(place, (str, bytes)) or not isinstance(place, Iterable):
            raise invalid(f"a point of the path is {place!r}; give (x, y)")
        pair = tuple(place)
        if len(pair) != 2 or None in pair:
            raise invalid(f"a point of the path is {place!r}; give (x, y)")
        made.append(target(*pair))
    return made


def checked_condition(value: Any) -> Any:
    """Returns a condition itself.

    Raises:
        InvalidRequest: For any other value.
    """
    if isinstance(value, condition_pb2.Condition):
        return value
    raise invalid(f"the condition is {value!r}; make one with the functions of deskd.conditions")


def _names(names: Sequence[Any]) -> list[str]:
    """Checks the names of keys, which the daemon knows or not, but which must be text."""
    for name in names:
        if not isinstance(name, str) or not is_sendable(name):
            raise InvalidRequest(
                f"there is no key {name!r}", reason="UNKNOWN_KEY", status="INVALID_ARGUMENT"
            )
    return list(names)


def _count(count: int) -> int:
    if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count < 1 << 31:
        raise invalid(f"count is {count!r}; give 1, 2 or 3")
    return count


def _text(text: Any) -> None:
    if not isinstance(text, str):
        raise invalid(f"text is a {type(text).__name__}; give a string")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        where = f"character {error.start} of the text is a lone surrogate"
        raise InvalidRequest(
            f"{where}; give valid Unicode", reason="UNTYPABLE_CHARACTER", status="INVALID_ARGUMENT"
        ) from None
