"""Windows and conditions."""

from __future__ import annotations

from typing import Any

import pytest
from parts import Daemon, Window, XServer

from deskd import ActionFailed, InvalidRequest, StaleTarget, actions, conditions


async def test_windows_are_listed(desktop: Any, window: Window) -> None:
    found = await desktop.windows.list("receiv")
    assert [each.title for each in found] == ["receiver"]
    one = found[0]
    assert (one.client.x, one.client.y) == tuple(window.origin)
    assert (one.client.width, one.client.height) == tuple(window.size)
    assert one.is_viewable and one.pid == window.process.pid and one.class_name == "Gtk.py"
    assert one.id in {each.id for each in await desktop.windows.list()}
    assert await desktop.windows.list(class_="no such class") == []
    with pytest.raises(InvalidRequest, match="no kind of window 'round'"):
        await desktop.windows.list(kind="round")


async def test_windows_are_changed(own: Any, connect: Any) -> None:
    server = own(XServer)
    own(Window, server, 100, 60, 400, 300)
    windows = connect(own(Daemon, server.display).address).windows
    one = (await windows.list("receiver"))[0]
    active = await windows.activate(one)
    assert active.outcome in ("DONE", "ALREADY") and active.window.is_focused
    moved = await windows.place("receiver", x=30, y=40)
    assert moved.outcome == "DONE" and (moved.window.frame.x, moved.window.frame.y) == (30, 40)
    wide = await windows.place(one, width=500, height=320, timeout=1)
    assert (wide.window.frame.width, wide.window.frame.height) == (500, 320)
    # Only a window manager can do these, and none runs.
    assert (await windows.restore(one)).outcome == "ALREADY"
    for change in (windows.minimize, windows.maximize, windows.fullscreen):
        with pytest.raises(ActionFailed, match="no window manager") as failed:
            await change(one)
        assert failed.value.reason == "UNSUPPORTED"
    assert (await windows.minimize(one, check=False)).outcome == "UNSUPPORTED"
    closed = await windows.close(one)
    assert closed.window is None and closed.outcome == "DONE"
    with pytest.raises(StaleTarget) as gone:
        await windows.activate(one)
    assert gone.value.reason == "UNKNOWN_WINDOW"
    for wrong in ({}, {"width": 0}, {"x": "left"}):
        with pytest.raises(InvalidRequest):
            await windows.place("receiver", **wrong)


async def test_conditions_are_awaited(desktop: Any) -> None:
    there = await desktop.wait_for(conditions.appears("receiver"))
    assert there.is_met and there.states[0].windows[0].title == "receiver"
    other = conditions.appears(class_="firefox")
    either = await desktop.wait_for(conditions.any_of(other, conditions.appears("receiver")))
    assert [each.is_met for each in either.states] == [False, True]
    with pytest.raises(ActionFailed, match="receiver") as failed:
        await desktop.wait_for(conditions.all_of(other, conditions.appears("receiver")), 0.2)
    assert failed.value.reason == "CONDITION_NOT_MET"
    late = await desktop.wait_for(conditions.disappears("receiver"), 0.2, check=False)
    assert not late.is_met and late.seconds >= 0.2
    assert [each.title for each in late.windows] == ["receiver"]
    rests = await desktop.wait_for(conditions.rests((0, 0, 50, 50), quiet=0.1))
    assert rests.states[0].rested >= 0.1
    with pytest.raises(InvalidRequest):
        await desktop.wait_for(conditions.changes((1270, 0, 50, 50)))
    with pytest.raises(InvalidRequest, match="no window is named"):
        await desktop.wait_for(conditions.gets_focus())


async def test_a_step_waits(desktop: Any, window: Window) -> None:
    x, y = window.in_area(0, 0)
    step = await desktop.act(
        [
            actions.type_text("x"),
            actions.wait_for(conditions.changes(), timeout=5),
            actions.wait_for(conditions.rests((x, y, 20, 20), quiet=0.1)),
        ]
    )
    assert step.results[1].waited.is_met and step.results[1].waited.states[0].has_changed
    with pytest.raises(ActionFailed) as failed:
        await desktop.act([actions.wait_for(conditions.appears("no such window"), timeout=0.1)])
    assert failed.value.reason == "CONDITION_NOT_MET"
    report = failed.value.step.results[0].waited
    assert not report.is_met and report.windows[0].title == "receiver"
