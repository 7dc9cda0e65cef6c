"""Errors of this package. Each carries the daemon's `reason`, a name of `deskd.v1.Reason`.

`deskd.v1` lists the reasons, and `docs/reference/reasons.md` of the project says what to do about
each.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .program import Launch
    from .step import Step

__all__ = [
    "ActionFailed",
    "CaptureFailed",
    "DeadlineExceeded",
    "DeskdError",
    "InvalidRequest",
    "NotInControl",
    "OutcomeUnknown",
    "PermissionRefused",
    "StaleTarget",
    "StreamEnded",
    "Unavailable",
    "Unsupported",
]


class DeskdError(Exception):
    """The daemon refused a call, or no daemon answered.

    Attributes:
        reason: Name of the cause, for example `OUT_OF_SCREEN`. Empty if the daemon did not send one,
            for example because no daemon answered.
        status: Name of the gRPC status, for example `OUT_OF_RANGE`. Empty if there was no call.
        message: What failed, why, and what to do.
    """

    def __init__(self, message: str, *, reason: str = "", status: str = "") -> None:
        super().__init__(f"{message} [{reason}]" if reason else message)
        self.message = message
        self.reason = reason
        self.status = status


class InvalidRequest(DeskdError):
    """A field of the request is wrong. The daemon did nothing. Correct the request."""


class StaleTarget(DeskdError):
    """The request does not fit the present desktop: another size, another X server, a frame from
    before control changed hands, an unknown frame, program or recording, a window that is not there
    or not the only one, or a format that the clipboard does not have. The daemon did nothing. Look
    at the desktop and decide again."""


class NotInControl(DeskdError):
    """Another holder is in control of the input: a person (HUMAN_IN_CONTROL) or another agent
    (LEASE_HELD); or the caller's own lease has ended (LEASE_ENDED). The daemon did nothing.
    `desktop.control.wait` waits until the caller may act again."""


class OutcomeUnknown(DeskdError):
    """It is not known whether the step was done. Take a new screenshot and decide again."""


class PermissionRefused(DeskdError):
    """The caller is not allowed to make the call: token, user id, a read-only daemon, or the log of the
    daemon itself."""


class Unsupported(DeskdError):
    """The daemon or the X server lacks a feature that the call needs."""


class Unavailable(DeskdError):
    """No daemon answered, or the desktop or the folder of the logs cannot be used at present. Retries
    did not help."""


class DeadlineExceeded(DeskdError):
    """The call did not end in time."""


class StreamEnded(DeskdError):
    """A stream of frames ended and could not be resumed."""


class CaptureFailed(DeskdError):
    """The image is a failure card. Raised only by `Frame.check`."""


class ActionFailed(DeskdError):
    """An action of a step was not done. Earlier actions of the step stay done.

    Attributes:
        step: The whole step, with a result for each action, if it is known.
        launch: The launch of a program that painted no window, if that failed.
    """

    def __init__(
        self,
        message: str,
        *,
        reason: str = "",
        step: Step | None = None,
        launch: Launch | None = None,
    ) -> None:
        super().__init__(message, reason=reason)
        self.step = step
        self.launch = launch


_BY_REASON: dict[str, type[DeskdError]] = {
    "OUTCOME_UNKNOWN": OutcomeUnknown,
    "UNKNOWN_FRAME": StaleTarget,
    "FRAME_IS_CARD": StaleTarget,
    "STALE_GENERATION": StaleTarget,
    "STALE_EPOCH": StaleTarget,
    "CONTROL_CHANGED": StaleTarget,
    "UNKNOWN_WINDOW": StaleTarget,
    "AMBIGUOUS_WINDOW": StaleTarget,
    "FORMAT_NOT_OFFERED": StaleTarget,
    "UNKNOWN_PROGRAM": StaleTarget,
    "UNKNOWN_RECORDING": StaleTarget,
    "HUMAN_IN_CONTROL": NotInControl,
    "LEASE_HELD": NotInControl,
    "LEASE_ENDED": NotInControl,
    "PROGRAM_NOT_FOUND": InvalidRequest,
    "PROGRAM_NOT_STARTED": InvalidRequest,
    "OUT_OF_SCREEN": InvalidRequest,
    "EXTENSION_MISSING": Unsupported,
    "UNSUPPORTED_FEATURE": Unsupported,
    "STACK_NOT_MANAGED": Unsupported,
    "READ_ONLY": PermissionRefused,
    "RECORDING_PROTECTED": PermissionRefused,
    "RECORDING_UNAVAILABLE": Unavailable,
}

_BY_STATUS: dict[str, type[DeskdError]] = {
    "INVALID_ARGUMENT": InvalidRequest,
    "OUT_OF_RANGE": InvalidRequest,
    "UNAUTHENTICATED": PermissionRefused,
    "PERMISSION_DENIED": PermissionRefused,
    "UNIMPLEMENTED": Unsupported,
    "UNAVAILABLE": Unavailable,
    "RESOURCE_EXHAUSTED": Unavailable,
    "DEADLINE_EXCEEDED": DeadlineExceeded,
}


def with_message(error: DeskdError, message: str) -> DeskdError:
    """Returns a copy of an error with another message."""
    made = copy.copy(error)
    made.message = message
    made.args = (f"{message} [{error.reason}]" if error.reason else message,)
    return made


def of_status(status: str, reason: str, message: str) -> DeskdError:
    """Returns the error for a gRPC status."""
    kind = _BY_REASON.get(reason) or _BY_STATUS.get(status) or DeskdError
    return kind(message, reason=reason, status=status)
