"""What the synchronous and the asynchronous client share: requests, retries and errors."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import grpc

from . import errors
from .actions import Action, checked_condition, features, has_point, seconds
from .frame import Frame, Rect, frame, rect
from .options import Picture, picture_of, space
from .v1 import action_pb2, frame_pb2
from .v1 import desktop_pb2 as pb
from .values import MAX_TIMEOUT, duration, flag, invalid, text, timeout_of, whole

DESKTOP = "/deskd.v1.Desktop/"
STACK = "/deskd.v1.Stack/"
WINDOWS = "/deskd.v1.Windows/"
CLIPBOARD = "/deskd.v1.Clipboard/"
CONTROL = "/deskd.v1.Control/"
PROGRAMS = "/deskd.v1.Programs/"
RECORDER = "/deskd.v1.Recorder/"

_RETRIED = ("UNAVAILABLE", "RESOURCE_EXHAUSTED")
"""Statuses of a call that may succeed when it is made again."""
_FINAL = frozenset(
    {
        "INPUT_TAKEN",
        "EXTENSION_MISSING",
        "SCREEN_NOT_FOUND",
        "X_AUTH_REFUSED",
        "RECORDING_UNAVAILABLE",
    }
)
"""Reasons of such a status for which it does not."""


def timeout_error(what: str, seconds: float) -> errors.DeskdError:
    """The error of a call that did not end in time."""
    return errors.DeadlineExceeded(
        f"{what} did not end within {seconds:g} s", reason="DEADLINE", status="DEADLINE_EXCEEDED"
    )


def error_of(failed: grpc.RpcError) -> errors.DeskdError:
    """Converts a gRPC error."""
    status = failed.code().name
    trailers = failed.trailing_metadata() or ()
    reason = next((value for key, value in trailers if key == "deskd-reason"), "")
    if isinstance(reason, bytes):
        reason = reason.decode("ascii", "replace")
    return errors.of_status(status, reason, failed.details() or status)


class Attempts:
    """The time of one call, and the pauses between its attempts."""

    def __init__(self, what: str, timeout: float) -> None:
        timeout = timeout_of(timeout)
        self._what, self._timeout = what, timeout
        self._end = time.monotonic() + timeout
        self._pause = 0.1
        self.number = 0

    def left(self) -> float:
        """Returns the seconds that are left for the next attempt.

        Raises:
            DeadlineExceeded: If the time is over.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise timeout_error(self._what, self._timeout)
        self.number += 1
        return left

    def pause(self, error: errors.DeskdError) -> float:
        """Returns the seconds to wait before the next attempt.

        Raises:
            DeskdError: The error itself, if another attempt is useless or there is no time for it.
        """
        pause = self._pause
        is_final = error.status not in _RETRIED or error.reason in _FINAL
        if is_final or time.monotonic() + pause >= self._end:
            raise error
        self._pause = min(2 * pause, 2.0)
        return pause


_LOST = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "UNKNOWN", "INTERNAL")
"""Statuses of gRPC itself, without a reason of the daemon, for a call that got no answer."""
_NEVER_SENT = ("failed to connect", "DNS resolution failed")
"""How gRPC's messages begin for a call that found no connection. A call whose message changes counts
as sent."""


class StepAttempts(Attempts):
    """The attempts of one step, and what they show about it: whether the daemon may have done it.

    Attributes:
        reply: The last answer whose outcome is UNKNOWN. None if there is none.
    """

    def __init__(self, request: Any, timeout: float) -> None:
        super().__init__("Act", timeout)
        self._request = request
        self._is_sending = self._may_be_done = False
        self._has_waited = self._has_renewed = False
        self._queries = 0
        self.reply: Any = None

    def send(self, instance: str) -> float:
        """Addresses the step to an instance of the daemon, unless another one may have done it.
        Returns the seconds that are left."""
        left = self.left()
        self._is_sending = True
        if not self._may_be_done:
            self._request.instance_id = instance
        # The daemon may learn the outcome later, but not much later.
        return left if self.reply is None else min(left, 2.0)

    def answered(self, reply: Any) -> float | None:
        """Returns None if the answer is final, else the seconds to wait before the next attempt."""
        self._is_sending, self._may_be_done = False, True
        if reply.outcome != pb.ACT_OUTCOME_UNKNOWN or self._queries == 3:
            return None
        self._queries += 1
        self.reply = reply
        return 0.5

    def failed(self, error: errors.DeskdError) -> float:
        """Returns the seconds to wait before the next attempt.

        Raises:
            OutcomeUnknown: If there is none, and the daemon may have done the step.
            DeskdError: The error itself, if there is none, and the daemon did nothing.
        """
        is_lost = error.status in _LOST and not error.reason
        if self._is_sending and is_lost and not error.message.startswith(_NEVER_SENT):
            self._may_be_done = True
        self._is_sending = False
        if not self._may_be_done:
            if error.reason == "OUTCOME_UNKNOWN" and not self._has_renewed:
                # The daemon has restarted, and its former instance never received this step.
                self._has_renewed = True
                return 0.0
            if error.reason == "NOT_PAINTED" and not self._has_waited:
                self._has_waited = True
                return 0.0
        try:
            return self.pause(error)
        except errors.DeskdError:
            if not self._may_be_done or isinstance(error, errors.OutcomeUnknown):
                raise
            text = f"it is not known whether the step was done: {error.message}"
            raise errors.OutcomeUnknown(text, reason=error.reason, status=error.status) from None

    def unready(
        self, refused: errors.DeskdError, error: errors.DeskdError
    ) -> errors.DeskdError:
        """Returns the error of a step that was refused because the desktop was not painted. `error`
        is that of the wait for the desktop."""
        if self._may_be_done:
            text = f"it is not known whether the step was done: {error.message}"
            return errors.OutcomeUnknown(text, reason=error.reason, status=error.status)
        # A timeout would leave open whether the step was done.
        is_late = isinstance(error, errors.DeadlineExceeded) and error.reason != "NOT_PAINTED"
        return refused if is_late else error


def requires(names: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """The header that makes a daemon refuse a call whose fields it does not know."""
    listed = ",".join(sorted(set(names)))
    return (("deskd-require", listed),) if listed else ()


def picture_features(*captures: Any) -> set[str]:
    """Returns the daemon's features that pictures need."""
    found = set()
    for capture in captures:
        if capture is not None and capture.HasField("fit"):
            found.add("fit")
        if capture is not None and capture.format == frame_pb2.IMAGE_FORMAT_WEBP:
            found.add("webp")
    return found


class Defaults:
    """What a client uses for each call that does not say otherwise.

    Attributes:
        picture: The options of pictures. Its size is also the coordinate space of points. If it has
            a `fit`, points are pixels of the last picture of the whole screen.
        timeout: Seconds that a call may take, beside the time that its actions take by themselves.
    """

    def __init__(self, size: tuple[int, int] | None, picture: Picture | None, timeout: float) -> None:
        if size is not None and picture is not None:
            raise invalid("size and picture exclude each other; put the size into the picture")
        self.picture = picture_of(picture) if picture is not None else Picture(size=size)
        self.picture.message()
        self.timeout = timeout_of(timeout)
        self._seen: str | None = None

    def space(self, of: Any, has_points: bool) -> Any:
        """The coordinate space of a call, of which `...` stands for the default."""
        if of is not ...:
            return space(of)
        if self.picture.fit is None or not has_points:
            return space(self.picture.size)
        if self._seen is None:
            raise invalid("points are pixels of the last screenshot; take one first, or give space=")
        return space(self._seen)

    def saw(self, picture: Picture | None, frame: Frame | None) -> None:
        """Notes a frame of the default picture, to whose pixels later points refer."""
        is_default = picture is None and self.picture.region is None
        if is_default and frame is not None and not frame.is_card:
            self._seen = frame.frame_id


class StepRequest:
    """One step: its request, its time and the features that it needs."""

    def __init__(
        self,
        defaults: Defaults,
        actions: Iterable[Action],
        *,
        space: Any,
        picture: Picture | None,
        without_frame: bool,
        stop_at_first: bool,
        settle: float | None,
        quiet: float | None,
        expect: Frame | None,
        unproved: bool,
        no_pacing: bool,
        timeout: float | None,
    ) -> None:
        listed = _listed(actions)
        request = pb.ActRequest(
            operation_id=uuid.uuid4().hex,
            actions=listed,
            coordinate_space=defaults.space(space, any(map(has_point, listed))),
            unproved=flag(unproved, "unproved"),
            no_frame=without_frame,
            no_pacing=flag(no_pacing, "no_pacing"),
        )
        if picture is not None:
            picture_of(picture)
        if not without_frame:
            capture = (picture or defaults.picture).message()
            if capture.ByteSize():
                request.capture.CopyFrom(capture)
        if flag(stop_at_first, "stop_at_first"):
            request.on_failure = pb.ON_FAILURE_STOP_AT_FIRST
        if settle is not None:
            if settle == 0 and not isinstance(settle, bool):
                request.settle.skip = True
            else:
                request.settle.timeout.CopyFrom(duration(settle, "settle"))
        if quiet is not None:
            request.settle.quiet.CopyFrom(duration(quiet, "quiet"))
        if expect is not None and not isinstance(expect, Frame):
            raise invalid(f"expect is {expect!r}; give a frame")
        if expect is not None:
            request.expect.frame_id = expect.frame_id
        self.request = request
        own = sum(seconds(each) for each in request.actions)
        longest = min(defaults.timeout + own, MAX_TIMEOUT)
        self.timeout = timeout if timeout is not None else longest
        needed = {"act"}.union(*(features(each) for each in request.actions))
        needed |= picture_features(
            request.capture if request.HasField("capture") else None,
            *(each.screenshot.capture for each in request.actions if each.HasField("screenshot")),
        )
        if stop_at_first:
            needed.add("on_failure")
        self.metadata = requires(needed)


def _listed(actions: Any) -> list[Any]:
    if not isinstance(actions, Iterable) or isinstance(actions, (str, bytes)):
        raise invalid(f"the actions are {actions!r}; give a list of actions")
    listed = list(actions)
    for number, each in enumerate(listed):
        if not isinstance(each, Action):
            why = f"element {number + 1} of the actions is {each!r}"
            raise invalid(f"{why}; make actions with the functions of deskd.actions")
    return listed


def frame_id(value: Any) -> str:
    """Returns the id of a frame, or an id itself. Without a frame, the id is empty.

    Raises:
        InvalidRequest: For any other value.
    """
    if value is None:
        return ""
    if isinstance(value, Frame):
        return value.frame_id
    if not isinstance(value, str):
        raise invalid(f"if_changed_since is {value!r}; give a frame or its id")
    return text(value, "if_changed_since")


def wait_for_request(condition: Any, timeout: float, of: Any) -> Any:
    """The request of `WaitFor`."""
    request = pb.WaitForRequest(condition=checked_condition(condition))
    request.timeout.CopyFrom(duration(timeout, "timeout"))
    if of is not None:
        request.coordinate_space.CopyFrom(of)
    return request


def watch_request(
    picture: Picture, max_fps: int | None, regions: bool, unproved: bool, since: str
) -> Any:
    """The request of a stream."""
    request = pb.WatchRequest(
        max_fps=whole(max_fps, "max_fps"),
        changed_regions=flag(regions, "regions"),
        unproved=flag(unproved, "unproved"),
        if_changed_since=since,
    )
    request.capture.CopyFrom(picture.message())
    if regions:
        # Changes are laid over raw pixels, which needs no decoder.
        request.capture.format = frame_pb2.IMAGE_FORMAT_RAW_BGRX
    return request


class Canvas:
    """The last picture of a stream of changed regions."""

    def __init__(self) -> None:
        self._last: Frame | None = None

    @property
    def frame_id(self) -> str:
        """The id of the last picture; empty before the first one and after a card."""
        return self._last.frame_id if self._last is not None and not self._last.is_card else ""

    def draw(self, response: Any) -> Frame:
        """Applies one update, and returns the complete picture."""
        if response.WhichOneof("update") == "frame":
            self._last = frame(response.frame)
            return self._last
        last, update = self._last, response.regions
        if last is None or last.region is None:
            raise errors.StreamEnded("the daemon sent changes before a complete frame")
        made, pixels = frame(update.frame), bytearray(last.image)
        changed = []
        for part in update.changed:
            where = rect(part.region)
            x, y = where.x - last.region.x, where.y - last.region.y
            row = 4 * where.width
            for line in range(where.height):
                start = (y + line) * last.stride + 4 * x
                pixels[start : start + row] = part.image[line * row : (line + 1) * row]
            changed.append(Rect(x, y, where.width, where.height))
        values = {**made.__dict__, "image": bytes(pixels), "changed": tuple(changed)}
        values |= {"width": last.width, "height": last.height, "stride": last.stride}
        self._last = Frame(**{**values, "format": "raw"})
        return self._last


def wait_ready_request(
    timeout: float, windows: Sequence[str | dict[str, str]], allow_unsettled: bool
) -> Any:
    """The request of `WaitReady`. A window is a part of its title, or {"class": …, "title": …}."""
    request = pb.WaitReadyRequest(allow_unsettled=flag(allow_unsettled, "allow_unsettled"))
    request.timeout.CopyFrom(duration(timeout, "timeout"))
    if not isinstance(windows, Iterable) or isinstance(windows, (str, bytes, Mapping)):
        raise invalid(f"windows is {windows!r}; give a list of titles or dictionaries")
    for each in windows:
        fields = {"title": each} if isinstance(each, str) else each
        if not isinstance(fields, Mapping):
            raise invalid(f"window {each!r} is no title; give a title, or a dictionary")
        if not set(fields) <= {"title", "class"}:
            raise invalid(f"window {each!r} has unknown fields; give a title, a class or both")
        window = request.expected_windows.add()
        window.title = text(fields.get("title", ""), "title")
        setattr(window, "class", text(fields.get("class", ""), "class"))
    return request


def check_ready(reply: Any, timeout: float) -> None:
    """Raises `DeadlineExceeded` if the desktop is not ready."""
    evidence = reply.evidence
    if evidence.verdict != frame_pb2.PAINT_VERDICT_READY:
        missing = "; ".join(evidence.missing) or "it is not at rest"
        text = f"the desktop was not ready within {timeout:g} s: {missing}"
        raise errors.DeadlineExceeded(text, reason="NOT_PAINTED")


def pressed_name(pressed: Any) -> str:
    """The name of a key or button that is held down: as `key_down` named it, or `left button`."""
    if pressed.WhichOneof("input") == "key":
        return str(pressed.key)
    return f"{action_pb2.Button.Name(pressed.button).removeprefix('BUTTON_').lower()} button"
