"""Conditions: what `Desktop.wait_for` and `actions.wait_for` wait for.

    desktop.wait_for(conditions.appears("Save As"))
    desktop.wait_for(conditions.any_of(conditions.appears("Done"), conditions.appears("Error")))

A title is a part of a window's title, and its case matters. A class is the complete class or
instance name (WM_CLASS), and its case does not matter. Regions are in pixels of the call's space.
"""

from __future__ import annotations

from typing import Any

from .actions import checked_condition
from .options import region as region_message
from .v1 import condition_pb2 as pb
from .v1 import window_pb2
from .v1.condition_pb2 import Condition as Condition
from .values import duration, invalid, text, whole

__all__ = [
    "Condition",
    "all_of",
    "any_of",
    "appears",
    "changes",
    "disappears",
    "gets_focus",
    "rests",
]


def match(title: str = "", class_: str = "", pid: int | None = None, kind: str = "") -> Any:
    """The protobuf `WindowMatch` of these properties.

    Raises:
        InvalidRequest: If none is given, or there is no such kind.
    """
    for name, value in (("title", title), ("class_", class_), ("kind", kind)):
        text(value, name)
    if not (title or class_ or kind) and pid is None:
        raise invalid("no window is named; give a title, a class, a process or a kind")
    made = window_pb2.WindowMatch(title=title, pid=whole(pid, "pid"))
    setattr(made, "class", class_)
    if kind:
        known = window_pb2.WindowKind.keys()
        if f"WINDOW_KIND_{kind.upper()}" not in known[1:]:
            names = ", ".join(name.removeprefix("WINDOW_KIND_").lower() for name in known[1:])
            raise invalid(f"there is no kind of window {kind!r}; choose one of {names}")
        made.kind = window_pb2.WindowKind.Value(f"WINDOW_KIND_{kind.upper()}")
    return made


def appears(title: str = "", *, class_: str = "", pid: int | None = None, kind: str = "") -> Condition:
    """A window that matches is on the screen."""
    return _window(pb.WINDOW_EVENT_APPEARS, title, class_, pid, kind)


def disappears(
    title: str = "", *, class_: str = "", pid: int | None = None, kind: str = ""
) -> Condition:
    """No window that matches is on the screen."""
    return _window(pb.WINDOW_EVENT_DISAPPEARS, title, class_, pid, kind)


def gets_focus(
    title: str = "", *, class_: str = "", pid: int | None = None, kind: str = ""
) -> Condition:
    """A window that matches has the keyboard focus."""
    return _window(pb.WINDOW_EVENT_GETS_FOCUS, title, class_, pid, kind)


def changes(region: Any = None) -> Condition:
    """A part of the screen (x, y, width, height) changes; without one, the screen. In a step, it
    is compared with the beginning of the step or the end of its last `wait_for`."""
    return _region(pb.REGION_EVENT_CHANGES, region)


def rests(region: Any = None, *, quiet: float = 0.5) -> Condition:
    """A part of the screen does not change for some seconds, at most 10."""
    made = _region(pb.REGION_EVENT_RESTS, region)
    made.region.quiet.CopyFrom(duration(quiet, "quiet"))
    return made


def any_of(*conditions: Condition) -> Condition:
    """At least one of the conditions is met."""
    return Condition(any=pb.Conditions(conditions=map(checked_condition, conditions)))


def all_of(*conditions: Condition) -> Condition:
    """All of the conditions are met at the same moment."""
    return Condition(all=pb.Conditions(conditions=map(checked_condition, conditions)))


def _window(event: Any, title: str, class_: str, pid: int | None, kind: str) -> Condition:
    wanted = pb.WindowCondition(event=event)
    wanted.match.CopyFrom(match(title, class_, pid, kind))
    return Condition(window=wanted)


def _region(event: Any, region: Any) -> Condition:
    made = pb.RegionCondition(event=event)
    if region is not None:
        made.region.CopyFrom(region_message(region))
    return Condition(region=made)
