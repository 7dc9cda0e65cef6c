"""Who is in control of the input."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .v1 import control_pb2 as pb
from .values import duration, flag, invalid, text

__all__ = ["ControlState"]


@dataclass(frozen=True)
class ControlState:
    """Who is in control of the input.

    Attributes:
        epoch: Rises each time control changes hands.
        holder: The name of who is in control. Empty if nobody holds a lease: then every caller may
            act.
        is_person: Whether that is a person.
        reason: Why the holder took control.
        remaining: Seconds until the lease ends if it is not renewed. None without a lease.
        last_end: Why the last lease ended: `GIVEN`, `EXPIRED` or `TAKEN`. Empty if none has.
    """

    epoch: int
    holder: str
    is_person: bool
    reason: str
    remaining: float | None
    last_end: str
    message: Any = field(default=None, repr=False, compare=False)


def control_state(state: Any) -> ControlState:
    """Converts the protobuf `ControlState`."""
    lease = state.lease if state.HasField("lease") else None
    end = pb.LeaseEnd.Name(state.last_end).removeprefix("LEASE_END_")
    return ControlState(
        epoch=state.control_epoch,
        holder=lease.holder if lease else "",
        is_person=lease is not None and lease.kind == pb.LEASE_KIND_PERSON,
        reason=lease.reason if lease else "",
        remaining=lease.remaining.ToTimedelta().total_seconds() if lease else None,
        last_end="" if end == "UNSPECIFIED" else end,
        message=state,
    )


def take_request(holder: Any, reason: Any, person: Any, ttl: Any) -> Any:
    """The request of `TakeControl`."""
    if not holder:
        raise invalid("holder is empty; give a name for people to see")
    kind = pb.LEASE_KIND_PERSON if flag(person, "person") else pb.LEASE_KIND_AGENT
    request = pb.TakeControlRequest(
        kind=kind, holder=text(holder, "holder"), reason=text(reason, "reason")
    )
    request.ttl.CopyFrom(duration(ttl, "ttl"))
    return request
