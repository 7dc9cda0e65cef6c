"""Steps: several actions in one call, their results, and how a step fails."""

from __future__ import annotations

from typing import Any

import pytest
from parts import Daemon, Window, XServer

from deskd import (
    ActionFailed,
    InvalidRequest,
    Picture,
    StaleTarget,
    Unavailable,
    Unsupported,
    actions,
)
from deskd.v1 import desktop_pb2


async def test_several_actions_in_order(desktop: Any, window: Window) -> None:
    step = await desktop.act(
        [
            actions.click(*window.in_text()),
            actions.type_text("one "),
            actions.press("Return"),
            actions.paste("two"),
            actions.click(*window.in_area(500, 100), button="right"),
            actions.wait(0.05),
        ]
    )
    window.until_text("one \ntwo")
    assert window.until("press")[-1]["button"] == 3
    assert step.outcome == "DONE" and step.is_done and step.failure is None
    assert [each.status for each in step.results] == ["DONE"] * 6
    assert [each.characters for each in step.results] == [0, 4, 0, 3, 0, 0]
    assert step.results[4].pointer == window.in_area(500, 100) == step.frame.pointer
    assert step.check() is step and len(step.operation_id) == 32


async def test_pictures_within_a_step(desktop: Any, window: Window) -> None:
    part = Picture(region=(*window.origin, 200, 40), format="webp").message()
    step = await desktop.act(
        [
            actions.screenshot(part),
            actions.type_text("seen"),
            actions.screenshot(part),
            actions.screenshot(),
        ],
        picture=Picture(size=(160, 100)),
    )
    before, _, after, whole = (each.frame for each in step.results)
    assert before.format == after.format == "webp" and before.size == (200, 40)
    assert before.to_pil().tobytes() != after.to_pil().tobytes()
    assert whole.size == (1280, 800) and step.frame.size == (160, 100)
    assert step.results[0].settle is None and step.results[2].settle.state == "QUIET"
    assert step.results[1].frame is None


async def test_frame_and_settling(desktop: Any, window: Window) -> None:
    step = await desktop.type("a", frame=False, settle=0)
    assert step.frame is None and step.settle.state == "SKIPPED"
    step = await desktop.type("b", picture=Picture(format="jpeg"), quiet=0.5)
    assert step.frame.format == "jpeg" and step.settle.state == "QUIET"
    assert step.settle.waited >= 0.5 and step.settle.changed is not None
    assert step.settle.changed.x >= window.origin[0]
    step = await desktop.move(3, 3, settle=0.7, no_pacing=True)
    assert step.settle.state == "NO_CHANGE" and step.settle.changed is None
    window.until_text("ab")


async def test_all_are_checked_first(desktop: Any, window: Window) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await desktop.act([actions.type_text("never"), actions.press("NoSuchKey")])
    assert (refused.value.reason, refused.value.status) == ("UNKNOWN_KEY", "INVALID_ARGUMENT")
    assert "NoSuchKey" in refused.value.message and "[UNKNOWN_KEY]" in str(refused.value)
    await desktop.type("z", settle=0)
    window.until_text("z")


async def test_stop_at_first(desktop: Any, window: Window) -> None:
    wrong = [
        actions.type_text("done"),
        actions.click(5000, 10),
        actions.type_text("never"),
        actions.press("NoSuchKey"),
    ]
    with pytest.raises(ActionFailed) as failed:
        await desktop.act(wrong, stop_at_first=True)
    step = failed.value.step
    assert failed.value.reason == "OUT_OF_SCREEN" == step.failure.reason
    assert step.outcome == "PARTIAL" and not step.is_done
    statuses = [each.status for each in step.results]
    assert statuses == ["DONE", "FAILED", "NOT_EXECUTED", "NOT_EXECUTED"]
    assert step.results[0].characters == 4 and step.frame.size == (1280, 800)
    window.until_text("done")
    step = await desktop.act(wrong[1:], stop_at_first=True, check=False)
    assert (step.outcome, step.results[0].status) == ("PARTIAL", "FAILED")
    with pytest.raises(ActionFailed):
        step.check()
    assert window.text == "done"


async def test_deadline_in_a_step(desktop: Any, window: Window) -> None:
    with pytest.raises(ActionFailed) as failed:
        await desktop.act([actions.type_text("a"), actions.wait(20)], timeout=1.0)
    step = failed.value.step
    assert step.outcome == "DEADLINE" and step.results[0].status == "DONE"
    window.until_text("a")


async def test_expect(desktop: Any, window: Window) -> None:
    frame = await desktop.screenshot(size=(320, 200))
    await desktop.type("x", expect=frame, settle=0)
    card = await desktop.screenshot(max_bytes=1)
    with pytest.raises(StaleTarget) as refused:
        await desktop.type("never", expect=card)
    assert refused.value.reason == "FRAME_IS_CARD"
    await desktop.type("y", expect=frame, settle=0)
    window.until_text("xy")


@pytest.mark.parametrize("number", [0, 101])
async def test_number_of_actions(desktop: Any, number: int) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await desktop.act([actions.move(1, 1)] * number)
    assert refused.value.reason in ("INVALID_FIELD", "LIMIT_EXCEEDED")


async def test_a_generator_of_actions(desktop: Any, window: Window) -> None:
    await desktop.act((actions.type_text(each) for each in "abc"), settle=0)
    window.until_text("abc")


async def test_message_of_another_client(desktop: Any, window: Window) -> None:
    made = desktop_pb2.ActRequest()
    made.actions.add().type.text = "proto"
    await desktop.act(made.actions, settle=0)
    window.until_text("proto")


async def test_another_x_server(own: Any, connect: Any) -> None:
    server = own(XServer)
    own(Window, server, 0, 0, 900, 600)
    desktop = connect(own(Daemon, server.display).address)
    frame = await desktop.screenshot(unproved=True)
    server.restart()
    own(Window, server, 0, 0, 900, 600)
    for call in ({"expect": frame}, {"space": frame}):
        with pytest.raises(StaleTarget) as refused:
            await desktop.click(5, 5, unproved=True, **call)
        assert refused.value.reason == "STALE_GENERATION"


async def test_no_window_takes_text(own: Any, connect: Any) -> None:
    server = own(XServer)
    desktop = connect(own(Daemon, server.display).address)
    with pytest.raises(ActionFailed) as failed:
        await desktop.type("text", unproved=True)
    assert failed.value.reason == "NOT_TAKEN"
    assert failed.value.step.results[0].characters == 0


async def test_an_x_server_without_input(own: Any, connect: Any) -> None:
    server = own(XServer, "-extension", "XTEST")
    own(Window, server, 0, 0, 900, 600)
    desktop = connect(own(Daemon, server.display).address)
    assert (await desktop.screenshot(unproved=True)).size == (1280, 800)
    with pytest.raises(Unsupported) as refused:
        await desktop.type("text", unproved=True)
    assert (refused.value.reason, refused.value.status) == ("EXTENSION_MISSING", "UNAVAILABLE")


async def test_another_daemon_has_the_input(
    own: Any, connect: Any, desktop: Any, server: XServer
) -> None:
    await desktop.move(1, 1, settle=0)
    second = connect(own(Daemon, server.display).address)
    with pytest.raises(Unavailable) as refused:
        await second.move(2, 2, unproved=True)
    assert refused.value.reason == "INPUT_TAKEN"
    assert server.pointer() == (1, 1) == await second.cursor()
