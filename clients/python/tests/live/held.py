"""Keys and buttons that stay down after a step."""

from __future__ import annotations

from typing import Any

import pytest
from parts import Window

from deskd import ActionFailed, DeskdError, actions


async def test_held_keys(desktop: Any, window: Window) -> None:
    await desktop.act([actions.key_down("shift"), actions.key_down("F6", hold=60)], settle=0)
    assert sorted(await desktop.pressed()) == ["F6", "shift"]
    await desktop.act([actions.key_up("F6")], settle=0)
    assert await desktop.pressed() == ["shift"]
    assert await desktop.release_all() == ["shift"]
    assert await desktop.pressed() == [] == await desktop.release_all()
    window.until("key-release", 2)
    assert {each["name"] for each in window.find("key-release")} >= {"F6", "Shift_L"}


async def test_held_button(desktop: Any, window: Window) -> None:
    start, end = window.in_area(450, 50), window.in_area(480, 90)
    await desktop.act([actions.button_down(*start, button="right")], settle=0)
    assert await desktop.pressed() == ["right button"]
    window.until("press")
    await desktop.move(*end, settle=0)
    window.until("motion")
    await desktop.act([actions.button_up(button="right")], settle=0)
    release = window.until("release")[0]
    assert (release["button"], release["root_x"], release["root_y"]) == (3, *end)
    assert await desktop.pressed() == []


async def test_hold_time(desktop: Any, window: Window) -> None:
    await desktop.act([actions.key_down("F6", hold=0.3)], settle=0)
    release = window.until("key-release")[0]
    # Without a further call, and not at once.
    assert release["time"] - window.find("key-press")[0]["time"] >= 200
    assert await desktop.pressed() == []


async def test_text_with_a_held_key_is_refused(desktop: Any, window: Window) -> None:
    await desktop.act([actions.key_down("ctrl")], settle=0)
    with pytest.raises(DeskdError) as refused:
        await desktop.type("text")
    assert refused.value.reason == "INPUT_HELD" and not isinstance(refused.value, ActionFailed)
    await desktop.release_all()
    await desktop.type("text")
    window.until_text("text")
