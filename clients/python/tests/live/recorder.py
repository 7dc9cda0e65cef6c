"""Recordings: logs of the daemon."""

from __future__ import annotations

import os
import pathlib
import random
import stat
import subprocess
import threading
import time
from datetime import datetime, timezone
from typing import Any

import pytest
from parts import Daemon, Relay, XServer, program

from deskd import DeskdError, Desktop, InvalidRequest, PermissionRefused, StaleTarget, Unavailable

MIB = 1 << 20
UNKNOWN = "20200101T000000-nothing-0000"


def logs(daemon: Daemon) -> pathlib.Path:
    """The folder of a daemon without `--log-dir`."""
    return daemon.folder / "deskd.sock.logs"


async def test_a_run_is_recorded(desktop: Any, daemon: Daemon, tmp_path: pathlib.Path) -> None:
    began = await desktop.recorder.start("checkout", max_bytes=16 * MIB, max_duration=600)
    assert "checkout" in began.id and began.recording and not began.of_daemon
    assert (began.end_reason, began.lost, began.error) == ("", 0, "")
    assert abs((datetime.now(timezone.utc) - began.began_at).total_seconds()) < 20
    await desktop.move(40, 12)
    listed = next(each for each in await desktop.recorder.list() if each.id == began.id)
    assert listed.recording and listed.began_at == began.began_at
    part = await desktop.recorder.fetch(began, tmp_path / "part")
    assert part.id == began.id and part.recording
    await desktop.move(80, 24)
    ended = await desktop.recorder.stop(began)
    assert (ended.id, ended.recording, ended.end_reason) == (began.id, False, "STOPPED")
    assert await desktop.recorder.stop(began.id) == ended
    file = tmp_path / "run.deskdlog"
    assert await desktop.recorder.fetch(began.id, str(file)) == ended
    content = file.read_bytes()
    assert len(content) == ended.bytes
    assert content == (logs(daemon) / f"{began.id}.deskdlog").read_bytes()
    assert content.startswith((tmp_path / "part").read_bytes())
    assert {stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()} == {0o600}
    export = [program(), "log", "export", str(file), "--to", "html"]
    subprocess.run(export, check=True, stdout=subprocess.DEVNULL, timeout=60)
    assert (tmp_path / "run.html").stat().st_size > 0


async def test_a_recording_ends_after_its_time(desktop: Any) -> None:
    began = await desktop.recorder.start(max_duration=1)
    for _ in range(200):
        found = next(each for each in await desktop.recorder.list() if each.id == began.id)
        if not found.recording:
            break
        time.sleep(0.05)
    assert (found.recording, found.end_reason) == (False, "DURATION")


async def test_only_some_calls_record_at_a_time(desktop: Any) -> None:
    made = [await desktop.recorder.start("one") for _ in range(4)]
    try:
        assert len({each.id for each in made}) == 4
        begin = time.monotonic()
        with pytest.raises(Unavailable) as refused:
            await desktop.recorder.start("more")
        assert refused.value.reason == "QUEUE_FULL" and time.monotonic() - begin < 10
    finally:
        for each in made:
            await desktop.recorder.stop(each)


async def test_a_file_is_new(desktop: Any, tmp_path: pathlib.Path) -> None:
    made = await desktop.recorder.stop(await desktop.recorder.start())
    file = tmp_path / "file"
    file.write_text("content")
    with pytest.raises(FileExistsError):
        await desktop.recorder.fetch(made, file)
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with pytest.raises(FileExistsError):
        await desktop.recorder.fetch(made, tmp_path / "link")
    with pytest.raises(FileNotFoundError):
        await desktop.recorder.fetch(made, tmp_path / "nowhere" / "file")
    assert file.read_text() == "content" and len(list(tmp_path.iterdir())) == 2


async def test_an_unknown_recording(desktop: Any, tmp_path: pathlib.Path) -> None:
    for call in (
        lambda: desktop.recorder.stop(UNKNOWN),
        lambda: desktop.recorder.fetch(UNKNOWN, tmp_path / "file"),
    ):
        with pytest.raises(StaleTarget) as refused:
            await call()
        assert (refused.value.reason, refused.value.status) == ("UNKNOWN_RECORDING", "NOT_FOUND")
    assert list(tmp_path.iterdir()) == []


async def test_the_log_of_the_daemon(
    own: Any, connect: Any, server: XServer, tmp_path: pathlib.Path
) -> None:
    daemon = own(Daemon, server.display, "--log-dir", str(tmp_path / "logs"))
    recorder = connect(daemon.address).recorder
    (made,) = await recorder.list()
    assert made.of_daemon and made.recording
    with pytest.raises(PermissionRefused) as refused:
        await recorder.stop(made)
    assert refused.value.reason == "RECORDING_PROTECTED"
    assert (await recorder.fetch(made, tmp_path / "file")).id == made.id
    daemon.restart()
    former = next(each for each in await recorder.list() if each.id == made.id)
    assert (former.recording, former.end_reason) == (False, "")


async def test_a_folder_that_cannot_be_used(
    own: Any, connect: Any, server: XServer, tmp_path: pathlib.Path
) -> None:
    daemon = own(Daemon, server.display)
    recorder = connect(daemon.address).recorder
    made = await recorder.stop(await recorder.start())
    logs(daemon).chmod(0o777)
    begin = time.monotonic()
    for call in (
        recorder.start,
        recorder.list,
        lambda: recorder.fetch(made, tmp_path / "file"),
    ):
        with pytest.raises(Unavailable) as refused:
            await call()
        assert refused.value.reason == "RECORDING_UNAVAILABLE"
    assert time.monotonic() - begin < 10 and not (tmp_path / "file").exists()


async def test_a_start_is_sent_once(own: Any, connect: Any, daemon: Daemon) -> None:
    relay = own(Relay, daemon.address)
    recorder = connect(relay.address).recorder
    before = {each.id for each in await recorder.list()}
    relay.is_mute = True
    with Desktop(daemon.address) as other:

        def begun() -> list[Any]:
            # A file that is listed but does not record yet is removed when its call is cancelled.
            listed = other.recorder.list()
            return [each for each in listed if each.recording and each.id not in before]

        def cut() -> None:
            end = time.monotonic() + 20
            while not begun() and time.monotonic() < end:
                time.sleep(0.01)
            relay.is_mute = False
            relay.cut()

        thread = threading.Thread(target=cut)
        thread.start()
        with pytest.raises(DeskdError) as lost:
            await recorder.start("once")
        thread.join()
        assert lost.value.reason == ""
        time.sleep(0.5)
        (made,) = begun()
        other.recorder.stop(made)


async def test_a_copy_continues_after_a_lost_connection(
    own: Any, connect: Any, daemon: Daemon, tmp_path: pathlib.Path
) -> None:
    relay = own(Relay, daemon.address)
    recorder = connect(relay.address).recorder
    await recorder.stop(await recorder.start())
    # Of a log of an earlier instance, the daemon does not read the content.
    content = random.randbytes(96 * MIB)
    large = logs(daemon) / "20200101T000000-large-0000.deskdlog"
    large.write_bytes(content)
    file = tmp_path / "file"

    def cut() -> None:
        end = time.monotonic() + 20
        while time.monotonic() < end and not (file.exists() and file.stat().st_size > MIB):
            time.sleep(0.001)
        relay.cut()

    thread = threading.Thread(target=cut)
    thread.start()
    try:
        made = await recorder.fetch(large.stem, file)
    finally:
        thread.join()
        large.unlink()
    assert (made.bytes, made.recording, made.end_reason) == (len(content), False, "")
    assert file.read_bytes() == content and relay.connections == 2


async def test_an_incomplete_file_is_removed(
    own: Any, connect: Any, daemon: Daemon, tmp_path: pathlib.Path
) -> None:
    relay = own(Relay, daemon.address)
    recorder = connect(relay.address, timeout=1).recorder
    made = await recorder.stop(await recorder.start())
    relay.is_mute = True
    begin = time.monotonic()
    with pytest.raises(DeskdError) as lost:
        await recorder.fetch(made, tmp_path / "file")
    assert lost.value.status == "DEADLINE_EXCEEDED" and time.monotonic() - begin < 10
    assert list(tmp_path.glob("file*")) == []


async def test_wrong_arguments_of_the_recorder(desktop: Any, tmp_path: pathlib.Path) -> None:
    recorder = desktop.recorder
    before = await recorder.list()
    for call, why in (
        (lambda: recorder.start(5), "name is 5"),
        (lambda: recorder.start("a\ud800"), "give a string"),
        (lambda: recorder.start("a b"), "name"),
        (lambda: recorder.start("a" * 49), "name"),
        (lambda: recorder.start(max_bytes=0), "max_bytes is 0"),
        (lambda: recorder.start(max_bytes=1000), "max_bytes"),
        (lambda: recorder.start(max_bytes=1 << 40), "max_bytes"),
        (lambda: recorder.start(max_bytes=1 << 70), "max_bytes"),
        (lambda: recorder.start(max_bytes=1.5), "max_bytes is 1.5"),
        (lambda: recorder.start(max_duration=0), "max_duration"),
        (lambda: recorder.start(max_duration=1e6), "max_duration"),
        (lambda: recorder.start(max_duration="long"), "max_duration is 'long'"),
        (lambda: recorder.stop(5), "the recording is 5"),
        (lambda: recorder.stop(""), "recording_id"),
        (lambda: recorder.fetch("../file", tmp_path / "file"), "recording_id"),
        (lambda: recorder.fetch(None, tmp_path / "file"), "the recording is None"),
    ):
        with pytest.raises(InvalidRequest, match=why):
            await call()
    assert await recorder.list() == before and os.listdir(tmp_path) == []
