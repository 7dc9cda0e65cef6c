"""Windows, and the results of changes and waits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .conditions import match
from .errors import ActionFailed
from .frame import Rect, rect
from .v1 import window_pb2, windows_pb2
from .values import invalid, pixel, text

__all__ = ["ConditionState", "Waited", "Window", "WindowChange"]


@dataclass(frozen=True)
class Window:
    """A top-level window. All places are in pixels of the screen, and may lie outside it.

    Attributes:
        id: Names this window in later calls, also when its title changes.
        title: Its title.
        class_name: The class of its program (WM_CLASS), such as `Thunar`.
        instance: The instance name (WM_CLASS), such as `thunar`.
        pid: The process that created it. None if not known.
        program: The name of that process's program. Empty if not known.
        frame: The window with its decoration.
        client: Its content.
        states: Names such as `focused`, `minimized`, `maximized`, `fullscreen`, `modal`.
        kind: `normal`, `dialog`, `menu`, `tooltip`, `dock`, `desktop` and others.
        transient_for: The id of the window that it belongs to. Empty if there is none.
        is_viewable: Whether it is mapped on the present workspace. It may be covered.
    """

    id: str
    title: str
    class_name: str
    instance: str
    pid: int | None
    program: str
    frame: Rect
    client: Rect
    states: tuple[str, ...]
    kind: str
    transient_for: str
    is_viewable: bool
    message: Any = field(default=None, repr=False, compare=False)

    @property
    def is_focused(self) -> bool:
        """Whether it has the keyboard focus."""
        return "focused" in self.states


@dataclass(frozen=True)
class WindowChange:
    """What became of a change of a window.

    Attributes:
        outcome: `DONE`, `ALREADY`, `ADJUSTED`, `NOT_DONE` or `UNSUPPORTED`.
        window: The window afterwards. None if it has ended.
        text: One sentence that says what happened.
        appeared: Windows that appeared meanwhile, such as the question whether to save.
    """

    outcome: str
    window: Window | None
    text: str
    appeared: tuple[Window, ...]

    def check(self) -> WindowChange:
        """Returns the change itself.

        Raises:
            ActionFailed: If the window is not as requested.
        """
        if self.outcome in ("DONE", "ALREADY"):
            return self
        raise ActionFailed(self.text, reason=self.outcome)


@dataclass(frozen=True)
class ConditionState:
    """The state of a window or region condition when a wait ended.

    Attributes:
        is_met: Whether it was met.
        windows: The windows on the screen that match.
        has_changed: Whether the region changed since the wait began.
        rested: Seconds since the region's last change, or since the wait began.
    """

    is_met: bool
    windows: tuple[Window, ...]
    has_changed: bool
    rested: float


@dataclass(frozen=True)
class Waited:
    """The end of a wait for a condition.

    Attributes:
        is_met: Whether the condition was met.
        states: The state of each window and region condition, in order.
        windows: If it was not met: the windows on the screen, the topmost first.
        seconds: Duration of the wait.
    """

    is_met: bool
    states: tuple[ConditionState, ...]
    windows: tuple[Window, ...]
    seconds: float

    def check(self) -> Waited:
        """Returns the wait itself.

        Raises:
            ActionFailed: If the condition was not met. The message names the windows there were.
        """
        if self.is_met:
            return self
        shown = ", ".join(repr(each.title) for each in self.windows[:8]) or "no windows"
        text = f"the condition was not met within {self.seconds:.1f} s; on the screen: {shown}"
        raise ActionFailed(text, reason="CONDITION_NOT_MET")


def window(message: Any) -> Window:
    """Converts a protobuf `Window`."""
    states = (window_pb2.WindowState.Name(each) for each in message.states if each in _STATES)
    kind = window_pb2.WindowKind.Name(message.kind) if message.kind in _KINDS else ""
    return Window(
        id=message.id,
        title=message.title,
        class_name=getattr(message, "class"),
        instance=message.instance,
        pid=message.pid if message.HasField("pid") else None,
        program=message.program,
        frame=rect(message.frame),
        client=rect(message.client),
        states=tuple(each.removeprefix("WINDOW_STATE_").lower() for each in states),
        kind=kind.removeprefix("WINDOW_KIND_").lower(),
        transient_for=message.transient_for,
        is_viewable=message.viewable,
        message=message,
    )


_STATES = window_pb2.WindowState.values()
_KINDS = window_pb2.WindowKind.values()


def change(message: Any) -> WindowChange:
    """Converts a protobuf `ChangeWindowResponse`."""
    name = windows_pb2.WindowOutcome.Name(message.outcome)
    return WindowChange(
        outcome=name.removeprefix("WINDOW_OUTCOME_"),
        window=window(message.window) if message.HasField("window") else None,
        text=message.message,
        appeared=tuple(map(window, message.appeared)),
    )


def waited(message: Any) -> Waited:
    """Converts a protobuf `WaitReport`."""
    states = (
        ConditionState(
            is_met=each.met,
            windows=tuple(map(window, each.windows)),
            has_changed=each.changed,
            rested=each.rested.ToNanoseconds() / 1e9,
        )
        for each in message.states
    )
    return Waited(
        is_met=message.met,
        states=tuple(states),
        windows=tuple(map(window, message.windows)),
        seconds=message.waited.ToNanoseconds() / 1e9,
    )


def target(of: Window | str, class_: str = "") -> Any:
    """The protobuf `WindowTarget` of a window, or of a part of a title that only it has."""
    if isinstance(of, Window):
        text(of.id, "the id of the window")
        return window_pb2.WindowTarget(id=of.id)
    made = window_pb2.WindowTarget()
    made.match.CopyFrom(match(of, class_))
    return made


def place(x: Any, y: Any, width: Any, height: Any) -> Any:
    """The protobuf `WindowPlacement`. What is None stays as it is."""
    names = {"x": x, "y": y, "width": width, "height": height}
    given = {name: pixel(value, name) for name, value in names.items() if value is not None}
    if not given:
        raise invalid("no place is given; give x, y, width or height")
    for name in ("width", "height"):
        if given.get(name, 1) < 1:
            raise invalid(f"{name} is {given[name]}; give at least 1 pixel")
    return windows_pb2.WindowPlacement(**given)
