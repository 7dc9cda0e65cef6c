"""Programs: launched by a session helper, with xterm as the program."""

from __future__ import annotations

import datetime
import os
import pathlib
import signal
import threading
from typing import Any

import pytest
from parts import Daemon, Helper, Relay, XServer, until

from deskd import (
    ActionFailed,
    DeskdError,
    InvalidRequest,
    PermissionRefused,
    StaleTarget,
    Unavailable,
)


@pytest.fixture
def helper(own: Any, server: XServer) -> Helper:
    """A session helper on the display of most tests."""
    made: Helper = own(Helper, server)
    return made


@pytest.fixture
def served(own: Any, server: XServer, helper: Helper) -> Daemon:
    """A daemon with this helper."""
    made: Daemon = own(Daemon, server.display, "--session-helper", helper.socket)
    return made


async def test_a_program_is_launched_and_ended(served: Daemon, connect: Any) -> None:
    programs = connect(served.address).programs
    before = datetime.datetime.now(datetime.timezone.utc)
    words = ("xterm", "-title", "launched", "-e", "sleep", "60")
    made = await programs.launch(*words, wait_window=20)
    assert made.outcome == "WINDOW_PAINTED" and made.window.title == "launched"
    assert 0 < made.painted_after < 20 and made.output == "" and made.text
    one = made.program
    assert one.id and one.name == "xterm" and not one.has_ended
    assert abs((one.launched_at - before).total_seconds()) < 20
    os.kill(one.pid, 0)
    assert "message" not in repr(one)

    first = (await programs.list())[0]
    assert first.id == one.id and [each.title for each in first.windows] == ["launched"]
    ended = await programs.signal(one, timeout=10)
    assert ended.has_ended and ended.processes >= 2 and ended.program.id == one.id
    (after,) = [each for each in await programs.list() if each.id == one.id]
    assert after.has_ended and after.windows == ()


async def test_words_folder_and_environment_arrive(
    served: Daemon, connect: Any, tmp_path: pathlib.Path
) -> None:
    programs = connect(served.address).programs
    script = 'pwd; echo "$GREETING|$1|$DISPLAY"; exit 3'
    words = ("sh", "-c", script, "sh", "two words; $HOME 'é'")
    made = await programs.launch(*words, folder=str(tmp_path), env={"GREETING": "hello"})
    assert made.outcome == "STARTED" and made.window is None and made.painted_after is None
    name = made.program.id
    written = await programs.output(name)
    # The end may be known before the last output.
    while not written.program.has_ended or written.text.count("\n") < 2:
        written = await programs.output(name)
    lines = written.text.splitlines()
    assert lines[0] == str(tmp_path)
    assert lines[1].startswith("hello|two words; $HOME 'é'|:")
    assert written.total_bytes == len(written.text.encode())
    assert written.program.exit_code == 3 and written.program.signal is None
    same = await programs.output(made.program)
    assert same.text == written.text


async def test_a_program_without_a_window(served: Daemon, connect: Any) -> None:
    programs = connect(served.address).programs
    with pytest.raises(ActionFailed) as failed:
        await programs.launch("sh", "-c", "echo no display; exit 4", wait_window=10)
    assert failed.value.reason == "ENDED" and failed.value.launch.program.exit_code == 4
    assert failed.value.launch.output == "no display\n"
    assert failed.value.message == failed.value.launch.text and failed.value.step is None
    quiet = await programs.launch("sleep", "60", wait_window=0.3, check=False)
    assert quiet.outcome == "NO_WINDOW" and not quiet.program.has_ended
    killed = await programs.signal(quiet.program.id, "kill", timeout=10)
    assert killed.has_ended and killed.program.signal == signal.SIGKILL
    for name, number in (("interrupt", signal.SIGINT), ("hang_up", signal.SIGHUP)):
        made = await programs.launch("sleep", "60")
        assert (await programs.signal(made.program, name, timeout=10)).program.signal == number


async def test_a_menu_entry_and_a_uri(
    own: Any, server: XServer, connect: Any, tmp_path: pathlib.Path
) -> None:
    entry = tmp_path / "shown.desktop"
    shows = "xterm -title shown -n %u -e sleep 60"
    entry.write_text(f"[Desktop Entry]\nType=Application\nName=Shown\nExec={shows}\n")
    helper = own(Helper, server)
    served = own(Daemon, server.display, "--session-helper", helper.socket)
    programs = connect(served.address).programs
    options = {"wait_window": 20, "check": False}
    made = await programs.launch_entry(str(entry), "file:///usr/share", **options)
    assert made.outcome == "WINDOW_PAINTED" and made.window.title == "shown"
    command = pathlib.Path(f"/proc/{made.program.pid}/cmdline").read_text()
    assert "\0-n\0file:///usr/share\0" in command
    assert (await programs.signal(made.program, timeout=10)).has_ended

    browser, opened = tmp_path / "browser", tmp_path / "opened"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}.new && mv {opened}.new {opened}\n')
    browser.chmod(0o755)
    # xdg-open must find no other browser.
    env = {"BROWSER": str(browser), "XDG_DATA_DIRS": str(tmp_path)}
    await programs.open("https://example.com/?a=b&c", env=env)
    until(opened.exists, "the browser has the URI")
    assert opened.read_text() == "https://example.com/?a=b&c\n"


async def test_a_launch_that_is_sent_again_starts_nothing(
    own: Any, served: Daemon, connect: Any, tmp_path: pathlib.Path
) -> None:
    relay = own(Relay, served.address)
    programs = connect(relay.address).programs
    started = tmp_path / "started"
    # The answer to the first call is lost with its connection.
    await programs.list()
    relay.is_mute = True

    def cut() -> None:
        until(started.exists, "the program has started")
        relay.is_mute = False
        relay.cut()

    thread = threading.Thread(target=cut)
    thread.start()
    made = await programs.launch("sh", "-c", f"echo once >> {started}; sleep 60")
    thread.join()
    assert relay.connections == 2 and started.read_text() == "once\n"
    assert [each.id for each in await programs.list() if each.id] == [made.program.id]
    await programs.signal(made.program, "kill")


async def test_refusals_of_programs(served: Daemon, own: Any, server: XServer, connect: Any) -> None:
    programs = connect(served.address).programs
    for call, kind, reason in (
        (lambda: programs.launch("no-such-program"), InvalidRequest, "PROGRAM_NOT_FOUND"),
        (lambda: programs.launch_entry("no.such.entry"), InvalidRequest, "PROGRAM_NOT_FOUND"),
        (lambda: programs.launch("true", folder="/nowhere"), InvalidRequest, "PROGRAM_NOT_STARTED"),
        (lambda: programs.launch("true", folder="here"), InvalidRequest, "INVALID_FIELD"),
        (lambda: programs.open("no uri"), InvalidRequest, "INVALID_FIELD"),
        (lambda: programs.output("p0"), StaleTarget, "UNKNOWN_PROGRAM"),
        (lambda: programs.signal("p0"), StaleTarget, "UNKNOWN_PROGRAM"),
    ):
        with pytest.raises(DeskdError) as refused:
            await call()
        assert (type(refused.value), refused.value.reason) == (kind, reason)
    alone = connect(own(Daemon, server.display).address, timeout=0.5).programs
    with pytest.raises(Unavailable) as refused:
        await alone.launch("true")
    assert refused.value.reason == "NO_SESSION_HELPER"
    readable = connect(own(Daemon, server.display, "--read-only").address).programs
    with pytest.raises(PermissionRefused):
        await readable.launch("true")


async def test_wrong_arguments_of_programs(desktop: Any) -> None:
    programs = desktop.programs
    (other,) = [each for each in await programs.list() if each.windows]
    assert other.id == "" and other.launched_at is None
    for call, why in (
        (lambda: programs.launch(), "no program is given"),
        (lambda: programs.launch(["xterm"]), "word 1 is"),
        (lambda: programs.launch("xterm", 5), "word 2 is 5"),
        (lambda: programs.launch("a\ud800"), "word 1 is"),
        (lambda: programs.launch("xterm", folder=3), "folder is 3"),
        (lambda: programs.launch("xterm", env=["A=secret"]), "env is of type list"),
        (lambda: programs.launch("xterm", env={"A": 5}), "the value of 'A' in env"),
        (lambda: programs.launch("xterm", env={5: "secret"}), "a name in env is 5"),
        (lambda: programs.launch("xterm", wait_window=121), "at most 120 seconds"),
        (lambda: programs.launch("xterm", wait_window=-1), "wait_window is -1"),
        (lambda: programs.launch("xterm", wait_window=True), "wait_window is True"),
        (lambda: programs.launch("xterm", wait_window=float("nan")), "wait_window is nan"),
        (lambda: programs.launch("xterm", check="no"), "check is 'no'"),
        (lambda: programs.launch("xterm", timeout=-1), "timeout is -1"),
        (lambda: programs.launch_entry(3), "entry is 3"),
        (lambda: programs.launch_entry("a", 3), "URI 1 is 3"),
        (lambda: programs.open(None), "uri is None"),
        (lambda: programs.output(5), "the program is 5"),
        (lambda: programs.output(other), "did not launch the program"),
        (lambda: programs.signal("p1", "stop"), "there is no signal 'stop'; choose one of terminate"),
        (lambda: programs.signal("p1", 9), "there is no signal 9"),
        (lambda: programs.signal("p1", timeout=31), "at most 30 seconds"),
    ):
        with pytest.raises(InvalidRequest, match=why) as refused:
            await call()
        assert refused.value.reason == "INVALID_FIELD" and "secret" not in str(refused.value)
    with pytest.raises(TypeError):
        await programs.launch("xterm", wait=3)
