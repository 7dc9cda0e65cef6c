"""Recordings: logs of the daemon that show a run step by step."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, BinaryIO

from .errors import StreamEnded
from .v1 import log_pb2
from .v1 import recorder_pb2 as pb
from .values import duration, invalid, text, whole

__all__ = ["Recording"]


@dataclass(frozen=True)
class Recording:
    """The state of a log.

    Attributes:
        id: Names the log in later calls.
        bytes: Size of the file in bytes.
        recording: Whether it still records.
        began_at: When it began, by the sandbox's clock, in UTC. Of a log of an earlier instance of
            the daemon: when it was last written.
        end_reason: Why it ended: `STOPPED`, `SHUTDOWN`, `SIZE` or `DURATION`. Empty while it records,
            and for a log of an earlier instance.
        lost: Number of records that are missing.
        of_daemon: Whether it is the log of the daemon itself, which no call can stop.
        error: Why it cannot be written at present. Empty if it can.
    """

    id: str
    bytes: int
    recording: bool
    began_at: datetime
    end_reason: str
    lost: int
    of_daemon: bool
    error: str
    message: Any = field(default=None, repr=False, compare=False)


def recording_of(message: Any) -> Recording:
    """Converts a protobuf `Recording`."""
    end = log_pb2.LogEndReason.Name(message.end_reason).removeprefix("LOG_END_REASON_")
    return Recording(
        id=message.recording_id,
        bytes=message.bytes,
        recording=message.recording,
        began_at=message.began_at.ToDatetime(timezone.utc),
        end_reason="" if end == "UNSPECIFIED" else end,
        lost=message.lost,
        of_daemon=message.of_daemon,
        error=message.error,
        message=message,
    )


def id_of(of: Any) -> str:
    """Returns the id of a recording, or an id itself.

    Raises:
        InvalidRequest: For any other value.
    """
    if not isinstance(of, (Recording, str)):
        raise invalid(f"the recording is {of!r}; give a Recording or its id")
    return text(of.id if isinstance(of, Recording) else of, "the id of the recording")


def start_request(name: Any, max_bytes: Any, max_duration: Any) -> Any:
    """The request of `StartRecording`."""
    request = pb.StartRecordingRequest(name=text(name, "name"))
    if max_bytes is not None:
        request.max_bytes = whole(max_bytes, "max_bytes", bits=63)
        # In the request, 0 stands for the daemon's default.
        if request.max_bytes == 0:
            raise invalid("max_bytes is 0; give at least 1 MiB, or None for the daemon's maximum")
    if max_duration is not None:
        request.max_duration.CopyFrom(duration(max_duration, "max_duration"))
    return request


@contextmanager
def new_file(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Creates a file that only its owner can read. If the block raises, the file is removed.

    Raises:
        FileExistsError: If the path exists.
    """
    place = os.path.abspath(path)
    # The mode x creates the file with O_EXCL.
    file = open(place, "xb", opener=lambda name, flags: os.open(name, flags, 0o600))
    try:
        with file:
            yield file
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(place)
        raise


class Download:
    """A log that is written to a file, piece by piece."""

    def __init__(self, id: str, file: BinaryIO) -> None:
        self._id, self._file = id, file
        self._offset = 0
        self._state: Any = None

    def request(self) -> Any:
        """The request of `FetchRecording` for what is missing."""
        return pb.FetchRecordingRequest(recording_id=self._id, offset=self._offset)

    def take(self, piece: Any) -> None:
        """Writes a piece."""
        self._file.write(piece.data)
        self._offset += len(piece.data)
        if piece.HasField("recording"):
            self._state = piece.recording

    def end(self) -> Recording:
        """Returns the state of the log, which the last piece has.

        Raises:
            StreamEnded: If that piece did not arrive.
        """
        if self._state is None:
            raise StreamEnded("the daemon did not send the end of the log; fetch it again")
        return recording_of(self._state)
