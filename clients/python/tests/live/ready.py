"""What the daemon says of itself and of the desktop."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from parts import Daemon, Window, XServer

from deskd import DeadlineExceeded, InvalidRequest, Unsupported
from deskd.v1 import desktop_pb2, frame_pb2, stack_pb2


async def test_info_and_size(desktop: Any, server: XServer) -> None:
    info = await desktop.info()
    assert info.display == server.display and info.connected and len(info.instance_id) == 32
    assert info.limits.max_streams > 0
    named = {each.feature for each in info.features if each.available}
    assert desktop_pb2.FEATURE_ACT in named and desktop_pb2.FEATURE_FIT in named
    assert await desktop.screen_size() == (1280, 800)


async def test_ready(desktop: Any) -> None:
    reply = await desktop.wait_ready(20)
    assert reply.evidence.verdict == frame_pb2.PAINT_VERDICT_READY


@pytest.mark.parametrize(
    "expected", ["receiver", {"title": "receiv"}, {"class": "GTK.PY", "title": "receiver"}]
)
async def test_windows_that_are_there(desktop: Any, expected: Any) -> None:
    reply = await desktop.wait_ready(20, windows=[expected])
    assert reply.evidence.verdict == frame_pb2.PAINT_VERDICT_READY


async def test_a_window_that_comes_later(own: Any, connect: Any) -> None:
    server = own(XServer)
    desktop = connect(own(Daemon, server.display).address)
    shown = []

    def show() -> None:
        time.sleep(0.7)
        shown.append(own(Window, server, 0, 0, 900, 700))

    thread = threading.Thread(target=show)
    thread.start()
    await desktop.wait_ready(30, windows=["receiver"])
    thread.join()
    assert (await desktop.screenshot()).to_pil().getpixel((300, 100)) == (255, 255, 255)


async def test_a_window_that_does_not_come(desktop: Any) -> None:
    with pytest.raises(DeadlineExceeded) as late:
        await desktop.wait_ready(0.8, windows=[{"class": "firefox"}])
    assert late.value.reason == "NOT_PAINTED" and "firefox" in late.value.message
    assert "0.8 s" in late.value.message


@pytest.mark.parametrize("windows", [[{"name": "x"}], [{}], ["x"] * 17])
async def test_wrong_windows(desktop: Any, windows: Any) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await desktop.wait_ready(5, windows=windows)
    assert refused.value.reason in ("INVALID_FIELD", "LIMIT_EXCEEDED")


async def test_content_that_moves(desktop: Any) -> None:
    reply = await desktop.wait_ready(20, allow_unsettled=True)
    assert reply.evidence.verdict == frame_pb2.PAINT_VERDICT_READY


@pytest.mark.parametrize(
    ("name", "arguments"), [("up", ((800, 600),)), ("down", ()), ("resize", ((800, 600),))]
)
async def test_no_stack(desktop: Any, name: str, arguments: Any) -> None:
    with pytest.raises(Unsupported) as refused:
        await getattr(desktop.stack, name)(*arguments)
    assert refused.value.reason == "STACK_NOT_MANAGED"
    assert refused.value.status == "FAILED_PRECONDITION"


async def test_a_display_of_another_program(desktop: Any) -> None:
    up = await desktop.stack.up(timeout=20)
    assert up.result == stack_pb2.UP_RESULT_UP
    status = await desktop.stack.status()
    assert not status.managed and not status.components


async def test_repr(connect: Any) -> None:
    assert "Desktop('127.0.0.1:1')" in repr(connect("127.0.0.1:1"))
