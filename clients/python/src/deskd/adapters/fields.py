"""Reads the arguments of a model's call. A model may send anything."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["Arguments", "Malformed", "check_answer", "plain"]


class Malformed(ValueError):
    """The arguments of a call are wrong. The text is for the model."""


def check_answer(answer: Any) -> None:
    """Raises `Malformed` if an answer is no text."""
    if not isinstance(answer, str):
        raise Malformed("the answer is no text")


def plain(value: Any) -> Any:
    """Returns an SDK's object as plain dictionaries and lists."""
    if hasattr(value, "model_dump"):
        return value.model_dump(exclude_none=True)
    return value


class Arguments:
    """The arguments of one call.

    Args:
        call: The name of the call, for messages.
        values: The arguments as the model sent them.
        known: The names of all arguments that the call has. Others are refused: an argument that
            is ignored would be an action that the model did not ask for.
    """

    def __init__(self, call: str, values: Any, known: Sequence[str]) -> None:
        if not isinstance(values, Mapping):
            raise Malformed(f"{call}: the arguments are not an object")
        unknown = [str(name) for name in values if name not in known]
        if unknown:
            names = ", ".join(known) or "none"
            raise Malformed(f"{call}: unknown argument {unknown[0]!r}; it has: {names}")
        self._call, self._known = call, known
        self._values = {name: value for name, value in values.items() if value is not None}

    def has(self, name: str) -> bool:
        """Whether the argument was given."""
        return name in self._values

    def knows(self, name: str) -> bool:
        """Whether the call has such an argument."""
        return name in self._known

    def is_text(self, name: str) -> bool:
        """Whether the argument is a string."""
        return isinstance(self._values.get(name), str)

    def error(self, text: str) -> Malformed:
        """The error for an argument."""
        return Malformed(f"{self._call}: {text}")

    def _get(self, name: str) -> Any:
        if name not in self._values:
            raise self.error(f"{name} is required")
        return self._values[name]

    def text(self, name: str, default: str | None = None) -> str:
        """A string."""
        value = default if default is not None and not self.has(name) else self._get(name)
        if not isinstance(value, str):
            raise self.error(f"{name} must be a string")
        return value

    def choice(self, name: str, options: Sequence[str], default: str | None = None) -> str:
        """One of some strings."""
        value = self.text(name, default)
        if value not in options:
            raise self.error(f"{name} must be one of {', '.join(options)}")
        return value

    def flag(self, name: str, default: bool) -> bool:
        """A truth value."""
        value = self._values.get(name, default)
        if not isinstance(value, bool):
            raise self.error(f"{name} must be true or false")
        return value

    def whole(self, name: str, low: int, high: int, default: int | None = None) -> int:
        """A whole number within limits."""
        value = default if default is not None and not self.has(name) else self._get(name)
        number = _whole(value)
        if number is None or not low <= number <= high:
            raise self.error(f"{name} must be a whole number from {low} to {high}")
        return number

    def number(self, name: str, low: float, high: float, default: float | None = None) -> float:
        """A number within limits."""
        value = default if default is not None and not self.has(name) else self._get(name)
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not is_number or not low <= value <= high:
            raise self.error(f"{name} must be a number from {low:g} to {high:g}")
        return float(value)

    def point(self, name: str) -> tuple[int, int]:
        """A pair [x, y] of whole numbers."""
        return self._point(name, self._get(name))

    def points(self, name: str) -> list[tuple[int, int]]:
        """A list of pairs, or of objects with x and y."""
        value = self._get(name)
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise self.error(f"{name} must be a list of points")
        return [self._point(name, each) for each in value]

    def xy(self, x: str = "x", y: str = "y") -> tuple[int, int]:
        """Two arguments that are the coordinates of a point."""
        values = _whole(self._get(x)), _whole(self._get(y))
        if values[0] is None or values[1] is None:
            raise self.error(f"{x} and {y} must be whole numbers")
        return values[0], values[1]

    def region(self, name: str) -> tuple[int, int, int, int]:
        """A list [x0, y0, x1, y1], of which the second corner lies outside. Returns x, y, width
        and height."""
        value = self._get(name)
        is_list = isinstance(value, Sequence) and not isinstance(value, str)
        corners = [_whole(each) for each in value] if is_list else []
        if len(corners) != 4 or any(each is None for each in corners):
            raise self.error(f"{name} must be [x0, y0, x1, y1] in whole numbers")
        left, top, right, bottom = (each or 0 for each in corners)
        if right <= left or bottom <= top:
            raise self.error(f"{name} must have x0 < x1 and y0 < y1")
        return left, top, right - left, bottom - top

    def strings(self, name: str) -> list[str]:
        """A list of strings."""
        value = self._get(name)
        is_list = isinstance(value, Sequence) and not isinstance(value, str)
        if not is_list or not all(isinstance(each, str) and each for each in value):
            raise self.error(f"{name} must be a list of strings")
        return list(value)

    def _point(self, name: str, value: Any) -> tuple[int, int]:
        if isinstance(value, Mapping):
            value = [value.get("x"), value.get("y")]
        is_list = isinstance(value, Sequence) and not isinstance(value, str)
        if not is_list or len(value) != 2:
            raise self.error(f"{name} must be [x, y]")
        x, y = _whole(value[0]), _whole(value[1])
        if x is None or y is None:
            raise self.error(f"{name} must be [x, y] in whole numbers")
        return x, y


def _whole(value: Any) -> int | None:
    """A whole number of at most 32 bits; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if isinstance(value, float) and (not math.isfinite(value) or value != int(value)):
        return None
    number = int(value)
    return number if -(1 << 31) <= number < 1 << 31 else None
