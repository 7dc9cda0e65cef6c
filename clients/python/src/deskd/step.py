"""The result of a step: one `act` call with its actions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .errors import ActionFailed, OutcomeUnknown
from .frame import Failure, Frame, Rect, failure, frame, rect
from .v1 import desktop_pb2 as pb
from .window import Waited, waited

__all__ = ["ActionResult", "Settle", "Step"]


@dataclass(frozen=True)
class Settle:
    """How the screen came to rest.

    Attributes:
        state: `QUIET`, `NO_CHANGE`, `TIMEOUT`, `DEADLINE` or `SKIPPED`.
        changed: The smallest rectangle around all changes, in screen pixels. None if nothing changed.
        waited: Seconds that the wait took.
    """

    state: str
    changed: Rect | None
    waited: float


@dataclass(frozen=True)
class ActionResult:
    """What became of one action.

    Attributes:
        status: `DONE`, `FAILED`, `NOT_EXECUTED` or `UNKNOWN`.
        failure: Why it failed. None if it did not.
        pointer: Position of the pointer after the action, in screen pixels, read back from the X
            server. None if not known.
        characters: For `type` and `paste`: number of characters that were delivered.
        frame: For `screenshot`: the picture or a failure card.
        settle: For `screenshot`: how the screen settled before the picture.
        waited: For `wait_for`: how the wait ended.
    """

    status: str
    failure: Failure | None
    pointer: tuple[int, int] | None
    characters: int
    frame: Frame | None
    settle: Settle | None
    waited: Waited | None = None
    message: Any = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class Step:
    """A step that the daemon executed, completely or in part.

    Attributes:
        outcome: `DONE`, `PARTIAL`, `CANCELLED`, `DEADLINE` or `UNKNOWN`.
        results: One result for each action, in order.
        settle: How the screen settled after the last action.
        frame: The screen after the step, or a failure card. None if the step was made without one.
        replayed: Whether the step was executed by an earlier attempt of the same call.
        operation_id: The idempotency key of the step.
    """

    outcome: str
    results: tuple[ActionResult, ...]
    settle: Settle
    frame: Frame | None
    replayed: bool
    operation_id: str

    @property
    def is_done(self) -> bool:
        """Whether all actions were done."""
        return self.outcome == "DONE"

    @property
    def failure(self) -> Failure | None:
        """The failure of the action at which the step ended, if it has one."""
        return next((each.failure for each in self.results if each.failure), None)

    def check(self) -> Step:
        """Returns the step itself.

        Raises:
            OutcomeUnknown: If the outcome is `UNKNOWN`.
            ActionFailed: If an action was not done.
        """
        if self.outcome == "DONE":
            return self
        why = self.failure
        text = why.message if why else f"the step ended with the outcome {self.outcome}"
        reason = why.reason if why else self.outcome
        if self.outcome == "UNKNOWN":
            raise OutcomeUnknown(text, reason=reason)
        raise ActionFailed(text, reason=reason, step=self)


def _name(enum: Any, value: int, prefix: str) -> str:
    return enum.Name(value).removeprefix(prefix) if value in enum.values() else str(value)


def settle(message: Any) -> Settle:
    """Converts a protobuf `SettleReport`."""
    return Settle(
        state=_name(pb.SettleState, message.state, "SETTLE_STATE_"),
        changed=rect(message.changed) if message.HasField("changed") else None,
        waited=message.waited.ToNanoseconds() / 1e9,
    )


def _result(message: Any) -> ActionResult:
    return ActionResult(
        status=_name(pb.ActionStatus, message.status, "ACTION_STATUS_"),
        failure=failure(message.failure) if message.HasField("failure") else None,
        pointer=(message.pointer.x, message.pointer.y) if message.HasField("pointer") else None,
        characters=message.characters,
        frame=frame(message.frame) if message.HasField("frame") else None,
        settle=settle(message.settle) if message.HasField("settle") else None,
        waited=waited(message.wait_for) if message.HasField("wait_for") else None,
        message=message,
    )


def step(message: Any, operation_id: str) -> Step:
    """Converts a protobuf `ActResponse`."""
    return Step(
        outcome=_name(pb.ActOutcome, message.outcome, "ACT_OUTCOME_"),
        results=tuple(_result(each) for each in message.results),
        settle=settle(message.settle),
        frame=frame(message.frame) if message.HasField("frame") else None,
        replayed=message.replayed,
        operation_id=operation_id,
    )
