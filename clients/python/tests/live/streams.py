"""Streams of frames."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from parts import Daemon, Window, XServer

from deskd import DeskdError, InvalidRequest, Picture

RAW = Picture(format="raw", cursor=False)


async def test_first_frame_and_changes(desktop: Any, server: XServer) -> None:
    stream = desktop.watch(picture=Picture(format="png", cursor=False))
    first = await anext(stream)
    assert first.format == "png" and first.size == (1280, 800) and first.changed == ()
    server.paint("#305010")
    second = await anext(stream)
    assert second.frame_id != first.frame_id
    assert second.to_pil().tobytes() == server.picture().tobytes()
    await stream.aclose()
    server.paint()


async def test_regions_make_the_whole_picture(
    desktop: Any, server: XServer, window: Window
) -> None:
    stream = desktop.watch(regions=True, picture=RAW, max_fps=30)
    frame = await anext(stream)
    assert frame.format == "raw" and frame.changed == ()
    for number in range(4):
        server.run("xdotool", "type", f"line {number}")
        server.run("xdotool", "key", "Return")
        truth = server.picture()
        while frame.to_pil().tobytes() != truth.tobytes():
            frame = await asyncio.wait_for(anext(stream), 10)
        assert frame.changed and not frame.is_card
        fresh = await desktop.screenshot(picture=RAW)
        assert fresh.image == frame.image and fresh.stride == frame.stride
        assert all(0 <= each.x < 1280 and each.width > 0 for each in frame.changed)
        assert sum(each.width * each.height for each in frame.changed) < 1280 * 800
    await stream.aclose()


async def test_regions_of_a_part(desktop: Any, server: XServer, window: Window) -> None:
    x, y = window.origin
    part = Picture(region=(x - 7, y - 5, 301, 203), cursor=False)
    stream = desktop.watch(regions=True, picture=part)
    frame = await anext(stream)
    assert frame.size == (301, 203) and frame.format == "raw"
    server.run("xdotool", "type", "text of a part")
    truth = server.picture().crop((x - 7, y - 5, x + 294, y + 198)).tobytes()
    while frame.to_pil().tobytes() != truth:
        frame = await asyncio.wait_for(anext(stream), 10)
    assert all(each.x + each.width <= 301 and each.x >= 0 for each in frame.changed)
    await stream.aclose()


async def test_a_slow_consumer_gets_the_latest(desktop: Any, server: XServer) -> None:
    stream = desktop.watch(picture=RAW, max_fps=60)
    await anext(stream)
    for number in range(10):
        server.paint(f"#{number}0{number}0{number}0")
    server.paint()
    truth = server.picture().tobytes()
    for _ in range(5):
        frame = await anext(stream)
        if frame.to_pil().tobytes() == truth:
            break
    assert frame.to_pil().tobytes() == truth
    await stream.aclose()


async def test_resumes_after_a_restart(own: Any, connect: Any, server: XServer) -> None:
    daemon = own(Daemon, server.display)
    desktop = connect(daemon.address)
    stream = desktop.watch(regions=True, picture=RAW, timeout=10, unproved=True)
    await anext(stream)
    daemon.kill()
    server.paint("#703070")
    daemon.start()
    frame = await anext(stream)
    while frame.to_pil().tobytes() != server.picture().tobytes():
        frame = await asyncio.wait_for(anext(stream), 10)
    await stream.aclose()
    server.paint()


async def test_resumes_after_a_long_rest(own: Any, connect: Any, server: XServer) -> None:
    """The time for resuming begins when the stream breaks off, not at its last frame."""
    daemon = own(Daemon, server.display)
    desktop = connect(daemon.address)
    stream = desktop.watch(picture=RAW, timeout=1, unproved=True)
    await anext(stream)
    await asyncio.sleep(1.2)
    daemon.kill()
    server.paint("#704070")
    daemon.start()
    frame = await anext(stream)
    assert frame.to_pil().tobytes() == server.picture().tobytes()
    await stream.aclose()
    server.paint()


async def test_ends_if_no_daemon_comes_back(own: Any, connect: Any, server: XServer) -> None:
    daemon = own(Daemon, server.display)
    stream = connect(daemon.address).watch(timeout=0.5, unproved=True)
    await anext(stream)
    daemon.end()
    with pytest.raises(DeskdError) as ended:
        await anext(stream)
    assert ended.value.status == "UNAVAILABLE"
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def test_wrong_requests(desktop: Any) -> None:
    for options in ({"max_fps": 61}, {"regions": True, "picture": Picture(size=(10, 10))}):
        with pytest.raises(InvalidRequest) as refused:
            await anext(desktop.watch(**options))
        assert refused.value.reason in ("INVALID_FIELD", "LIMIT_EXCEEDED")


async def test_calls_beside_a_stream_that_is_not_read(
    desktop: Any, server: XServer, window: Window
) -> None:
    streams = [desktop.watch(picture=RAW, max_fps=60) for _ in range(3)]
    for stream in streams:
        await anext(stream)
    for number in range(1, 9):
        server.paint(f"#00{number}0{number}0")
        frame = await desktop.screenshot(picture=RAW, timeout=5)
        assert frame.to_pil().tobytes() == server.picture().tobytes()
    await desktop.type("still works", timeout=5)
    window.until_text("still works")
    for stream in streams:
        await stream.aclose()
    server.paint()
