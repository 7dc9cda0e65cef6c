"""The desktop SDK of E2B, unmodified, on a desktop whose scrot and xdotool are links to deskd. Only
its way to run a command and to read a file is replaced: both happen on this machine."""

from __future__ import annotations

import io
import os
import pathlib
import subprocess
import types
from typing import Any

import PIL.Image
import pytest
from e2b_desktop import Sandbox


@pytest.fixture
def sandbox(daemon: Any, tmp_path: pathlib.Path) -> Any:
    links = tmp_path / "links"
    links.mkdir()
    subprocess.run([daemon.program, "install-links", links], check=True, capture_output=True)
    environment = {
        **os.environ,
        "PATH": f"{links}:{os.environ['PATH']}",
        "DISPLAY": daemon.display,
        "DESKD_SERVER": daemon.address,
    }

    def run(command: str, **_: Any) -> Any:
        done = subprocess.run(
            ["bash", "-c", command], capture_output=True, text=True, env=environment
        )
        assert done.returncode == 0, (command, done.stderr)
        return types.SimpleNamespace(stdout=done.stdout, stderr=done.stderr, exit_code=0)

    class Local(Sandbox):
        def __init__(self) -> None:
            self._display = daemon.display

        commands = property(lambda self: types.SimpleNamespace(run=run))  # type: ignore[assignment]
        files = property(  # type: ignore[assignment]
            lambda self: types.SimpleNamespace(
                read=lambda path, format: bytearray(pathlib.Path(path).read_bytes()),
                remove=lambda path: os.remove(path),
            )
        )

    return Local()


def test_an_unmodified_sdk_works(sandbox: Any, daemon: Any) -> None:
    shot = PIL.Image.open(io.BytesIO(sandbox.screenshot()))
    assert shot.size == (1280, 800)
    assert sandbox.get_screen_size() == (1280, 800)
    sandbox.move_mouse(123, 45)
    assert sandbox.get_cursor_position() == (123, 45)
    daemon.focus()
    sandbox.left_click(400, 350)
    # Longer than a chunk, with characters that xdotool loses.
    sandbox.write("the SDK types 'this' in chunks: é漢🙂", delay_in_ms=1)
    sandbox.press("enter")
    daemon.until_received("the SDK types 'this' in chunks: é漢🙂\n")
    sandbox.press(["ctrl", "u"])
    for direction in ("up", "down"):
        sandbox.scroll(direction, 3)
    for click in (sandbox.double_click, sandbox.right_click, sandbox.middle_click):
        click(20, 30)
        assert sandbox.get_cursor_position() == (20, 30)
    sandbox.press("esc")
    sandbox.drag((300, 300), (350, 320))
    assert sandbox.get_cursor_position() == (350, 320)
    sandbox.mouse_press("left")
    sandbox.mouse_release("left")
    sandbox.wait(10)
