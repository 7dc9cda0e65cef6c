"""The recorder of a desktop. `recorder_sync.py` is generated from this file."""

from __future__ import annotations

import builtins
import os
from typing import TYPE_CHECKING

from .calls import RECORDER, requires
from .recorder import Download, Recording, id_of, new_file, recording_of, start_request
from .v1 import recorder_pb2 as pb

if TYPE_CHECKING:
    from .desktop_async import AsyncDesktop

__all__ = ["AsyncRecorder"]

_NEEDED = requires({"recorder"})


class AsyncRecorder:
    """The recorder of a desktop: `desktop.recorder`.

        recording = await desktop.recorder.start("checkout")
        await desktop.click(640, 400)
        await desktop.recorder.stop(recording)
        await desktop.recorder.fetch(recording, "run.deskdlog")

    A log has every step with its result, the changes of the screen, and the frames that callers
    received. The command `deskd log` shows, exports and replays it. Typed text is not in it, unless
    the daemon was started with `--log-typed-text`. The pictures are: keep it secret.
    """

    def __init__(self, desktop: AsyncDesktop) -> None:
        self._desktop = desktop

    async def start(
        self,
        name: str = "",
        *,
        max_bytes: int | None = None,
        max_duration: float | None = None,
    ) -> Recording:
        """Begins a log. At most 4 calls record at a time.

        The call is made once: a call that is made again could begin a second log. If it fails without
        a reason, `list` shows whether the log has begun.

        Args:
            name: A part of the file's name: at most 48 letters, digits, `-` and `_`.
            max_bytes: Maximum size of the file, at least 1 MiB and at most that of the daemon. After
                seven eighths, no more pictures are stored; at the maximum, the log ends. Default: that
                of the daemon.
            max_duration: Seconds after which the log ends, from 1 to 86,400. Default: without a limit.
        """
        request = start_request(name, max_bytes, max_duration)
        path, reply = RECORDER + "StartRecording", pb.StartRecordingResponse
        allowed = self._desktop._defaults.timeout
        made = await self._desktop._once(path, request, reply, allowed, _NEEDED)
        return recording_of(made.recording)

    async def stop(self, recording: Recording | str) -> Recording:
        """Ends a log, which is complete afterwards. `recording` is a recording or its id. A log that
        has ended stays as it is.

        Raises:
            StaleTarget: If there is no such log.
            PermissionRefused: If it is the log of the daemon itself.
        """
        request = pb.StopRecordingRequest(recording_id=id_of(recording))
        path, reply = RECORDER + "StopRecording", pb.StopRecordingResponse
        made = await self._desktop._call(path, request, reply, None, _NEEDED)
        return recording_of(made.recording)

    async def list(self) -> builtins.list[Recording]:
        """Returns the logs, the newest first. When another begins, the daemon deletes the oldest ones
        beyond its limits."""
        request = pb.ListRecordingsRequest()
        path, reply = RECORDER + "ListRecordings", pb.ListRecordingsResponse
        made = await self._desktop._call(path, request, reply, None, _NEEDED)
        return [recording_of(each) for each in made.recordings]

    async def fetch(self, recording: Recording | str, path: str | os.PathLike[str]) -> Recording:
        """Copies a log to a new file that only its owner can read. Returns the state of the log.

        Of a log that still records, the file has what is written so far. If the connection breaks,
        the copy continues where it stopped. If the call fails, the file is removed.

        Args:
            recording: A recording or its id.
            path: The file, for example `run.deskdlog`.

        Raises:
            FileExistsError: If the file exists.
            StaleTarget: If there is no such log.
            DeadlineExceeded: If nothing arrives within the timeout of the desktop.
        """
        wanted = id_of(recording)
        with new_file(path) as file:
            download = Download(wanted, file)
            await self._desktop._receive_each(
                RECORDER + "FetchRecording",
                download.request,
                pb.FetchRecordingResponse,
                download.take,
                _NEEDED,
            )
            return download.end()
