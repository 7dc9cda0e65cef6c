"""Programs, and the results of launching them and of signals."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from .errors import ActionFailed
from .v1 import programs_pb2 as pb
from .values import invalid, is_sendable, limited, text
from .window import Window, window

__all__ = ["Launch", "Program", "ProgramOutput", "Signalled"]

MAX_WAIT = 120
"""Maximum seconds to wait for a window."""
MAX_SIGNAL = 30
"""Maximum seconds to wait for the end of a program."""


@dataclass(frozen=True)
class Program:
    """A program of the desktop.

    Attributes:
        id: Names a launched program in later calls. Empty if deskd did not launch it.
        pid: The process that was launched, or that has the windows.
        name: Its name.
        launched_at: When it was launched. None if deskd did not launch it.
        windows: Its windows, the topmost first. Only in the results of `list`.
        exit_code: The code with which the launched process ended by itself. None if it did not.
        signal: The number of the signal that ended the launched process. None if none did.
    """

    id: str
    pid: int
    name: str
    launched_at: datetime | None
    windows: tuple[Window, ...]
    exit_code: int | None
    signal: int | None
    message: Any = field(default=None, repr=False, compare=False)

    @property
    def has_ended(self) -> bool:
        """Whether the launched process has ended. Other processes of the program may still run."""
        return self.exit_code is not None or self.signal is not None


@dataclass(frozen=True)
class Launch:
    """The result of a launch.

    Attributes:
        program: The program.
        outcome: `STARTED`, `WINDOW_PAINTED`, `WINDOW_BLANK`, `NO_WINDOW` or `ENDED`.
        window: The window that it painted, or has. None if there is none.
        text: One sentence that says what happened.
        output: The end of what the program wrote, if it has ended without a window.
        painted_after: Seconds from the start of the program to its painted window.
    """

    program: Program
    outcome: str
    window: Window | None
    text: str
    output: str
    painted_after: float | None

    def check(self) -> Launch:
        """Returns the launch itself.

        Raises:
            ActionFailed: If a window was awaited, and the program painted none. The program may
                run: the error has the `launch`.
        """
        if self.outcome in ("STARTED", "WINDOW_PAINTED"):
            return self
        raise ActionFailed(self.text, reason=self.outcome, launch=self)


@dataclass(frozen=True)
class ProgramOutput:
    """What a launched program wrote to its standard output and standard error.

    Attributes:
        text: The last 64 KiB. Bytes that are not UTF-8 are replaced.
        total_bytes: Number of bytes that it wrote, also of those that are not kept.
        program: The program.
    """

    text: str
    total_bytes: int
    program: Program


@dataclass(frozen=True)
class Signalled:
    """The result of a signal.

    Attributes:
        has_ended: Whether all processes of the program have ended.
        processes: Number of processes that got the signal.
        program: The program.
    """

    has_ended: bool
    processes: int
    program: Program


def program(message: Any) -> Program:
    """Converts a protobuf `Program`."""
    how = message.end.WhichOneof("how")
    launched = message.HasField("launched_at")
    return Program(
        id=message.id,
        pid=message.pid,
        name=message.name,
        launched_at=message.launched_at.ToDatetime(timezone.utc) if launched else None,
        windows=tuple(map(window, message.windows)),
        exit_code=message.end.exit_code if how == "exit_code" else None,
        signal=message.end.signal if how == "signal" else None,
        message=message,
    )


def launch(message: Any) -> Launch:
    """Converts a protobuf `LaunchResponse`."""
    painted = message.HasField("painted_after")
    return Launch(
        program=program(message.program),
        outcome=pb.LaunchOutcome.Name(message.outcome).removeprefix("LAUNCH_OUTCOME_"),
        window=window(message.window) if message.HasField("window") else None,
        text=message.message,
        output=message.output,
        painted_after=message.painted_after.ToNanoseconds() / 1e9 if painted else None,
    )


def output(message: Any) -> ProgramOutput:
    """Converts a protobuf `ReadOutputResponse`."""
    return ProgramOutput(message.output, message.total_bytes, program(message.program))


def signalled(message: Any) -> Signalled:
    """Converts a protobuf `SignalProgramResponse`."""
    return Signalled(message.ended, message.signalled, program(message.program))


def launch_request(folder: Any, env: Any, wait_window: Any) -> Any:
    """The protobuf `LaunchRequest`, without its program. Its id is new: a launch that is sent again
    starts nothing."""
    request = pb.LaunchRequest(folder=text(folder, "folder"), operation_id=uuid.uuid4().hex)
    if env is not None:
        if not isinstance(env, Mapping):
            kind = type(env).__name__
            raise invalid(f"env is of type {kind}; give a dictionary of names and values")
        for name, value in env.items():
            text(name, "a name in env")
            # A value may be a secret.
            if not isinstance(value, str) or not is_sendable(value):
                kind = type(value).__name__
                raise invalid(f"the value of {name!r} in env is no valid string ({kind})")
            request.environment[name] = value
    if wait_window is not None:
        request.wait_window.CopyFrom(limited(wait_window, "wait_window", MAX_WAIT))
    return request


def words_of(words: Sequence[Any], what: str) -> list[str]:
    """Returns a list of strings."""
    return [text(word, f"{what} {number + 1}") for number, word in enumerate(words)]


def id_of(of: Any) -> str:
    """Returns the id of a program, or an id itself.

    Raises:
        InvalidRequest: For any other value, and for a program that deskd did not launch.
    """
    if isinstance(of, Program) and not of.id:
        raise invalid(f"deskd did not launch the program {of.name!r}; give a launched one")
    if not isinstance(of, (Program, str)):
        raise invalid(f"the program is {of!r}; give a Program or its id")
    return text(of.id if isinstance(of, Program) else of, "the id of the program")


def signal_request(of: Any, signal: Any, timeout: Any) -> Any:
    """The protobuf `SignalProgramRequest`."""
    names = [each.removeprefix("PROGRAM_SIGNAL_").lower() for each in pb.ProgramSignal.keys()]
    if not isinstance(signal, str) or signal not in names[1:]:
        known = ", ".join(names[1:])
        raise invalid(f"there is no signal {signal!r}; choose one of {known}")
    number = pb.ProgramSignal.Value(f"PROGRAM_SIGNAL_{signal.upper()}")
    request = pb.SignalProgramRequest(id=id_of(of), signal=number)
    request.timeout.CopyFrom(limited(timeout, "timeout", MAX_SIGNAL))
    return request
