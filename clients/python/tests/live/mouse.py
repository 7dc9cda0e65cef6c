"""The pointer: clicks, movements, drags, the wheel, and the spaces that points refer to."""

from __future__ import annotations

from typing import Any

import pytest
from parts import Daemon, Window, XServer

from deskd import Fit, InvalidRequest, Picture, StaleTarget, actions

QUICK = {"settle": 0}
"""Most of these tests do not look at the screen after the step."""


def last(window: Window, kind: str) -> dict[str, Any]:
    return window.until(kind)[-1]


def place(event: dict[str, Any]) -> tuple[float, float]:
    return event["root_x"], event["root_y"]


CLICKS = {
    "click": ({}, 1, 1),
    "double_click": ({}, 1, 2),
    "triple_click": ({}, 1, 3),
    "right_click": ({}, 3, 1),
    "middle_click": ({}, 2, 1),
    "click back": ({"button": "back"}, 8, 1),
    "click forward": ({"button": "forward"}, 9, 1),
    "click wheel": ({"button": "wheel"}, 2, 1),
    "click twice": ({"count": 2, "button": "right"}, 3, 2),
}


@pytest.mark.parametrize("name", CLICKS)
async def test_clicks(desktop: Any, window: Window, server: XServer, name: str) -> None:
    options, button, count = CLICKS[name]
    at = window.in_area(500, 100)
    step = await getattr(desktop, name.split()[0])(*at, **QUICK, **options)
    window.until("release", count)
    presses = window.find("press")
    assert [each["button"] for each in presses] == [button] * count
    assert [each["count"] for each in presses] == list(range(1, count + 1))
    assert {place(each) for each in presses} == {at}
    assert step.is_done and step.results[0].status == "DONE" and not step.replayed
    assert step.results[0].pointer == server.pointer() == await desktop.cursor() == at


async def test_click_where_the_pointer_is(desktop: Any, window: Window, server: XServer) -> None:
    at = window.in_area(470, 33)
    server.run("xdotool", "mousemove", *map(str, at))
    await desktop.click(**QUICK)
    assert place(last(window, "press")) == at


@pytest.mark.parametrize("modifiers", ["ctrl+shift", ["ctrl", "shift"]])
async def test_click_with_modifiers(desktop: Any, window: Window, modifiers: Any) -> None:
    await desktop.click(*window.in_area(500, 100), modifiers=modifiers, **QUICK)
    assert set(last(window, "press")["state"]) >= {"ctrl", "shift"}
    assert await desktop.pressed() == []


async def test_move(desktop: Any, server: XServer) -> None:
    step = await desktop.move(17, 790)
    assert server.pointer() == (17, 790) == await desktop.cursor() == step.results[0].pointer
    await desktop.move(1279, 0, modifiers="alt", **QUICK)
    assert server.pointer() == (1279, 0)


async def test_drag(desktop: Any, window: Window) -> None:
    path = [window.in_area(450, 50), window.in_area(700, 200), window.in_area(500, 220)]
    await desktop.drag(*path, modifiers="shift", seconds=0.1)
    assert place(last(window, "release")) == path[-1]
    press, release = window.find("press")[0], window.find("release")[0]
    moved = [place(each) for each in window.find("motion")]
    assert place(press) == path[0] and press["button"] == release["button"] == 1
    assert "shift" in release["state"] and path[1] in moved and len(moved) > 5


async def test_drag_with_another_button(desktop: Any, window: Window) -> None:
    await desktop.drag(window.in_area(450, 50), window.in_area(460, 60), button="right", **QUICK)
    assert last(window, "release")["button"] == window.find("press")[0]["button"] == 3


async def test_drag_and_drop(desktop: Any, window: Window) -> None:
    await desktop.drag(window.in_area(100, 100), window.in_area(600, 100))
    assert last(window, "drop")["text"] == "dragged"


async def test_scroll(desktop: Any, window: Window) -> None:
    at = window.in_area(500, 100)
    await desktop.scroll(dy=3, x=at[0], y=at[1])
    down = window.until("scroll", 3)
    assert sum(each["dy"] for each in down) == 3 and place(down[0]) == at
    await desktop.scroll(-2, modifiers="ctrl", **QUICK)
    both = window.until("scroll", 5)[3:]
    assert sum(each["dx"] for each in both) == -2
    assert all("ctrl" in each["state"] for each in both)
    await desktop.scroll(dy=-310, unit="pixel", **QUICK)
    assert sum(each["dy"] for each in window.until("scroll", 8)[5:]) == -3


async def test_points_of_the_default_size(connect: Any, daemon: Daemon, window: Window) -> None:
    desktop = connect(daemon.address, size=(640, 400))
    at = window.in_area(500, 100)
    await desktop.click(at[0] // 2, at[1] // 2, **QUICK)
    # The middle of a pixel that stands for two by two pixels.
    assert place(last(window, "press")) == (at[0] // 2 * 2 + 1, at[1] // 2 * 2 + 1)
    await desktop.click(*at, space=None, **QUICK)
    assert place(window.until("press", 2)[1]) == at
    with pytest.raises(InvalidRequest) as refused:
        await desktop.click(640, 0)
    assert refused.value.reason == "OUT_OF_SCREEN"


async def test_points_of_the_last_picture(connect: Any, daemon: Daemon, window: Window) -> None:
    desktop = connect(daemon.address, picture=Picture(fit=Fit(max_side=320)))
    with pytest.raises(InvalidRequest):
        await desktop.click(10, 10)
    frame = await desktop.screenshot()
    assert frame.size == (320, 200)
    await desktop.click(150, 150, frame=False, **QUICK)
    assert place(last(window, "press")) == (602, 602)
    # A picture with options of its own is not the one that the model sees.
    await desktop.screenshot(size=(64, 40))
    await desktop.click(149, 150, **QUICK)
    assert place(window.until("press", 2)[1]) == (598, 602)
    # The frame after a step is.
    step = await desktop.click(151, 150)
    assert step.frame.size == (320, 200)
    assert place(window.until("press", 3)[2]) == (606, 602)


async def test_points_of_a_frame_and_of_a_part(desktop: Any, window: Window) -> None:
    part = await desktop.screenshot(region=(500, 400, 200, 200), size=(100, 100))
    await desktop.click(50, 60, space=part, **QUICK)
    assert place(last(window, "press")) == (601, 521)
    await desktop.act([actions.click(51, 60)], space=part.frame_id, **QUICK)
    assert place(window.until("press", 2)[1]) == (603, 521)
    with pytest.raises(InvalidRequest) as refused:
        await desktop.click(100, 0, space=part)
    assert refused.value.reason == "OUT_OF_SCREEN"
    with pytest.raises(StaleTarget) as unknown:
        await desktop.click(1, 1, space="no-such-frame")
    assert unknown.value.reason == "UNKNOWN_FRAME"


@pytest.mark.parametrize(
    ("x", "y"),
    [(1280, 0), (-1, 5), (10, 800), (1.5, 2), ("1", 2), (None, 3), (True, 1), (1 << 40, 1)],
)
async def test_points_that_do_not_exist(desktop: Any, server: XServer, x: Any, y: Any) -> None:
    before = server.pointer()
    with pytest.raises(InvalidRequest) as refused:
        await desktop.click(x, y)
    outside = isinstance(x, int) and not isinstance(x, bool) and x < 1 << 31
    assert refused.value.reason == ("OUT_OF_SCREEN" if outside else "INVALID_FIELD")
    assert server.pointer() == before


async def test_whole_floats_are_pixels(desktop: Any, server: XServer) -> None:
    await desktop.move(100.0, 200.0, **QUICK)
    assert server.pointer() == (100, 200)
