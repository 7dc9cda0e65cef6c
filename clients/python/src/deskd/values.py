"""Conversions of numbers and pairs, which refuse wrong values as the daemon would."""

from __future__ import annotations

import operator
from typing import Any

from google.protobuf.duration_pb2 import Duration

from .errors import InvalidRequest

__all__ = [
    "MAX_TIMEOUT",
    "callable_or_none",
    "duration",
    "flag",
    "invalid",
    "limited",
    "pixel",
    "text",
    "timeout_of",
    "wait_timeout",
    "whole",
]

MAX_TIMEOUT = 86_400
"""Maximum seconds of a call. gRPC accepts no deadline that is much later."""


def invalid(message: str) -> InvalidRequest:
    """The error for a wrong argument, as the daemon would send it."""
    return InvalidRequest(message, reason="INVALID_FIELD", status="INVALID_ARGUMENT")


def pixel(value: Any, name: str) -> int:
    """Returns a coordinate as a whole number of pixels.

    Raises:
        InvalidRequest: If it is not a whole number within 32 bits.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise invalid(f"{name} is {value!r}; give a whole number of pixels")
    if value != value or value in (float("inf"), float("-inf")) or int(value) != value:
        raise invalid(f"{name} is {value!r}; give a whole number of pixels")
    if not -(1 << 31) <= value < 1 << 31:
        raise invalid(f"{name} is {value!r}, which no screen has; give a pixel of the screen")
    return int(value)


def whole(value: Any, name: str, *, bits: int = 31) -> int | None:
    """Returns a whole number of at least 0, or None if none is given.

    Raises:
        InvalidRequest: For any other value, and for a number beyond `bits` bits.
    """
    if value is None:
        return None
    try:
        number = -1 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = -1
    if not 0 <= number < 1 << bits:
        raise invalid(f"{name} is {value!r}; give a whole number, at least 0")
    return number


def duration(seconds: Any, name: str = "duration") -> Duration:
    """Converts seconds.

    Raises:
        InvalidRequest: If the time is negative or not a number.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise invalid(f"{name} is {seconds!r}; give seconds, at least 0")
    if not 0 <= seconds < 1e9:
        raise invalid(f"{name} is {seconds!r}; give seconds, at least 0")
    message = Duration()
    message.FromNanoseconds(round(seconds * 1e9))
    return message


def limited(seconds: Any, name: str, most: float) -> Duration:
    """Converts seconds within a limit.

    Raises:
        InvalidRequest: If the time is negative, longer than `most` seconds, or not a number.
    """
    made = duration(seconds, name)
    if seconds > most:
        raise invalid(f"{name} is {seconds!r}; give at most {most:g} seconds")
    return made


def timeout_of(seconds: Any) -> float:
    """Returns the time of a call in seconds.

    Raises:
        InvalidRequest: If it is not above 0, or longer than a day.
    """
    is_number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
    if not is_number or not 0 < seconds <= MAX_TIMEOUT:
        raise invalid(f"timeout is {seconds!r}; give seconds above 0, at most 86,400")
    return float(seconds)


def wait_timeout(seconds: Any) -> float:
    """Returns the time of a call in which the daemon waits, in seconds: somewhat longer than the
    wait.

    Raises:
        InvalidRequest: If the wait is negative, or longer than a day. A wait may be 0.
    """
    is_zero = seconds == 0 and not isinstance(seconds, bool)
    return min((0.0 if is_zero else timeout_of(seconds)) + 5, MAX_TIMEOUT)


def flag(value: Any, name: str) -> bool:
    """Returns true or false.

    Raises:
        InvalidRequest: For any other value.
    """
    if not isinstance(value, bool):
        raise invalid(f"{name} is {value!r}; give True or False")
    return value


def text(value: Any, name: str) -> str:
    """Returns a string.

    Raises:
        InvalidRequest: For any other value, and for a string that has lone surrogates.
    """
    if not isinstance(value, str) or not is_sendable(value):
        raise invalid(f"{name} is {value!r}; give a string")
    return value


def is_sendable(value: str) -> bool:
    """Whether a string has no lone surrogates, which no encoding can carry."""
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def callable_or_none(value: Any, name: str) -> None:
    """Accepts functions and None.

    Raises:
        InvalidRequest: For any other value.
    """
    if value is not None and not callable(value):
        raise invalid(f"{name} is {value!r}; give a function")
