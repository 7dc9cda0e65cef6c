"""Scripts as models write them for pyautogui, unchanged after `deskd.pyautogui.install()`."""

from __future__ import annotations

import pathlib
import sys
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from parts import Daemon, Window, XServer
from PIL import Image

from deskd import Desktop, InvalidRequest, actions
from deskd import pyautogui as module

Script = Callable[..., dict[str, Any]]


@pytest.fixture
def script(desktop: Desktop, window: Window, monkeypatch: pytest.MonkeyPatch) -> Iterator[Script]:
    """Runs a script that gets points of the window as `text` and `area`. Returns its variables."""
    for name in ("PAUSE", "FAILSAFE", "FAILSAFE_POINTS"):
        monkeypatch.setattr(module, name, getattr(module, name))
    monkeypatch.delitem(sys.modules, "pyautogui", raising=False)
    module.connect(desktop)
    module.install()
    desktop.move(640, 750, settle=0)

    def run(code: str, **given: Any) -> dict[str, Any]:
        names = {"text": window.in_text(), "area": window.in_area(500, 100), **given}
        exec(compile(textwrap.dedent(code), "script", "exec"), names)
        return names

    yield run
    sys.modules.pop("pyautogui", None)


def place(event: dict[str, Any]) -> tuple[float, float]:
    return event["root_x"], event["root_y"]


def test_a_form(script: Script, window: Window) -> None:
    """What a model writes most often."""
    made = script(
        """
        import pyautogui
        import time

        # Step 1: focus the field
        pyautogui.click(text[0], text[1])
        time.sleep(0.1)

        # Step 2: fill it in
        pyautogui.write("Hello wrold", interval=0.01)
        pyautogui.press("backspace", presses=4, interval=0.01)
        pyautogui.typewrite("orld!\\n")
        pyautogui.hotkey("ctrl", "a")
        pyautogui.hotkey("ctrl", "c")
        pyautogui.press("end")
        pyautogui.hotkey("ctrl", "v")
        pyautogui.press(["enter", "tab"])
        where = pyautogui.position()
        """
    )
    window.until_text("Hello world!\nHello world!\n\n\t")
    assert made["where"] == window.in_text()


def test_size_and_position(script: Script, server: XServer) -> None:
    made = script(
        """
        import pyautogui as pg

        width, height = pg.size()
        screenWidth = pg.size().width
        pg.moveTo(width // 2, height // 2, duration=0.05)
        middle = pg.position()
        pg.moveTo(100, 150)
        pg.move(20, -30)
        pg.moveRel(0, 10)
        x, y = pg.position()
        pg.moveTo(None, 300)
        inside = pg.onScreen(1279, 799), pg.onScreen((1280, 0)), pg.onScreen(-1, 5)
        """
    )
    assert (made["width"], made["height"], made["screenWidth"]) == (1280, 800, 1280)
    assert made["middle"] == (640, 400) and (made["x"], made["y"]) == (120, 130)
    assert server.pointer() == (120, 300)
    assert made["inside"] == (True, False, False)


def test_clicks(script: Script, window: Window) -> None:
    script(
        """
        from pyautogui import *

        click(area)
        rightClick(area[0] + 40, area[1])
        middleClick(x=area[0] + 80, y=area[1])
        doubleClick(area[0], area[1] + 40)
        tripleClick(area[0] + 40, area[1] + 40)
        click(x=area[0] + 80, y=area[1] + 40, clicks=2, interval=0.6, button="right")
        click(button=SECONDARY)
        click(area[0] + 120, area[1] + 40, button=1)
        """
    )
    window.until("release", 12)
    presses = window.find("press")
    assert [each["button"] for each in presses] == [1, 3, 2, 1, 1, 1, 1, 1, 3, 3, 3, 1]
    assert [each["count"] for each in presses[3:8]] == [1, 2, 1, 2, 3]
    assert [each["count"] for each in presses[8:]] == [1] * 4
    x, y = window.in_area(500, 100)
    assert place(presses[0]) == (x, y) and place(presses[-2]) == (x + 80, y + 40)


def test_drags_and_the_wheel(script: Script, window: Window) -> None:
    script(
        """
        import pyautogui

        pyautogui.moveTo(*area)
        pyautogui.dragTo(area[0] + 60, area[1] + 30, duration=0.1, button="left")
        pyautogui.drag(30, 0, 0.1, button="right")
        pyautogui.mouseDown()
        pyautogui.moveTo(area[0], area[1] + 50)
        pyautogui.mouseUp()
        pyautogui.scroll(3)
        pyautogui.scroll(-200 // 100, x=area[0], y=area[1])
        pyautogui.hscroll(1)
        """
    )
    scrolls = window.until("scroll", 6)
    x, y = window.in_area(500, 100)
    presses, releases = window.find("press"), window.find("release")
    assert [place(each) for each in presses] == [(x, y), (x + 60, y + 30), (x + 90, y + 30)]
    assert [place(each) for each in releases] == [(x + 60, y + 30), (x + 90, y + 30), (x, y + 50)]
    assert [each["button"] for each in presses] == [1, 3, 1]
    assert [(each["dx"], each["dy"]) for each in scrolls] == [(0, -1)] * 3 + [(0, 1)] * 2 + [(1, 0)]
    assert place(scrolls[3]) == (x, y)


def test_keys_that_stay_down(script: Script, window: Window) -> None:
    """The examples of pyautogui's documentation."""
    script(
        """
        import pyautogui

        pyautogui.write("selected")
        pyautogui.keyDown("shift")
        pyautogui.press("left")
        pyautogui.press("left")
        pyautogui.press("left")
        pyautogui.keyUp("shift")
        pyautogui.press("delete")
        with pyautogui.hold("shift"):
            pyautogui.press(["left", "left"])
        pyautogui.press("del")
        pyautogui.keyDown("ctrl")
        pyautogui.click(area[0], area[1])
        pyautogui.keyUp("ctrl")
        """
    )
    window.until_text("sel")
    assert window.until("press")[0]["state"] == ["ctrl"]


@pytest.mark.parametrize(
    ("name", "received"),
    [
        ("esc", "Escape"),
        ("escape", "Escape"),
        ("return", "Return"),
        ("space", "space"),
        ("pageup", "Page_Up"),
        ("pgdn", "Page_Down"),
        ("home", "Home"),
        ("f5", "F5"),
        ("win", "Super_L"),
        ("winright", "Super_R"),
        ("altleft", "Alt_L"),
        ("ctrlright", "Control_R"),
        ("shiftright", "Shift_R"),
        ("capslock", "Caps_Lock"),
        ("printscreen", "Print"),
        ("num5", "KP_5"),
        ("add", "KP_Add"),
        ("divide", "KP_Divide"),
        ("volumeup", "AudioRaiseVolume"),
        ("browserback", "Back"),
        ("playpause", "AudioPlay"),
        ("!", "exclam"),
        ("+", "plus"),
        ("?", "question"),
    ],
)
def test_key_names(script: Script, window: Window, name: str, received: str) -> None:
    script("import pyautogui; pyautogui.press(name)", name=name)
    if name == "capslock":
        script("import pyautogui; pyautogui.press('capslock')")
    window.until("key-release")
    assert received in {each["name"] for each in window.find("key-press")}


def test_every_key_exists(desktop: Desktop, window: Window) -> None:
    """The daemon checks the keys of a step that it then refuses for another reason."""
    unknown = []
    for name in module.KEYBOARD_KEYS:
        with pytest.raises(InvalidRequest) as refused:
            desktop.act([actions.press(module._key(name)), actions.click(5000, 5000)])
        if refused.value.reason != "OUT_OF_SCREEN":
            unknown.append(name)
    assert unknown == [] and len(module.KEYBOARD_KEYS) > 170
    assert window.find("key-press") == []


def test_screenshots(script: Script, server: XServer, tmp_path: pathlib.Path) -> None:
    server.paint("#123456")
    made = script(
        """
        import pyautogui

        im1 = pyautogui.screenshot()
        im2 = pyautogui.screenshot(path)
        im3 = pyautogui.screenshot(region=(1000, 20, 30, 40))
        colour = pyautogui.pixel(1000, 20)
        same = pyautogui.pixelMatchesColor(1000, 20, colour)
        other = (colour[0] + 9, colour[1], colour[2])
        near = pyautogui.pixelMatchesColor(1000, 20, other, tolerance=10)
        far = pyautogui.pixelMatchesColor(1000, 20, (255, 255, 255), tolerance=10)
        """,
        path=str(tmp_path / "screen.png"),
    )
    truth = server.picture()
    assert made["im1"].tobytes() == made["im2"].tobytes() == truth.tobytes()
    assert Image.open(tmp_path / "screen.png").convert("RGB").tobytes() == truth.tobytes()
    assert made["im3"].tobytes() == truth.crop((1000, 20, 1030, 60)).tobytes()
    assert made["colour"] == truth.getpixel((1000, 20))
    assert (made["same"], made["near"], made["far"]) == (True, True, False)
    server.paint()


def test_movements_with_a_tween(script: Script, server: XServer) -> None:
    script(
        """
        import pyautogui

        pyautogui.moveTo(200, 200, 0.05, pyautogui.easeInQuad)
        pyautogui.moveTo(300, 200, 0.05, tween=pyautogui.easeInOutQuad)
        pyautogui.dragTo(310, 200, 0.05, pyautogui.linear)
        pyautogui.moveTo(400, 210, 0.05, pyautogui.easeOutElastic)
        """
    )
    assert server.pointer() == (400, 210)


def test_key_lists(script: Script) -> None:
    made = script(
        """
        import pyautogui

        known = all(pyautogui.isValidKey(each) for each in ("enter", "a", "f12", "ctrl"))
        unknown = pyautogui.isValidKey("no such key")
        listed = "backspace" in pyautogui.KEYBOARD_KEYS
        """
    )
    assert (made["known"], made["unknown"], made["listed"]) == (True, False, True)


@pytest.mark.parametrize("corner", [(0, 0), (1279, 0), (0, 799), (1279, 799)])
def test_failsafe(script: Script, server: XServer, window: Window, corner: tuple[int, int]) -> None:
    server.run("xdotool", "mousemove", *map(str, corner))
    with pytest.raises(module.FailSafeException):
        script("import pyautogui; pyautogui.click(*area)")
    with pytest.raises(module.PyAutoGUIException):
        script("import pyautogui; pyautogui.write('never')")
    script("import pyautogui; pyautogui.FAILSAFE = False; pyautogui.write('z')")
    window.until_text("z")
    assert window.find("press") == []


def test_pause(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(module._time, "sleep", slept.append)
    script(
        """
        import pyautogui

        pyautogui.moveTo(10, 20)
        pyautogui.PAUSE = 0.7
        pyautogui.moveTo(20, 20, duration=0.3)
        pyautogui.PAUSE = 0
        pyautogui.moveTo(30, 20)
        pyautogui.sleep(0.2)
        """
    )
    assert slept == [0.1, 0.3, 0.7, 0.2]


def test_text_of_any_script(script: Script, window: Window) -> None:
    script("import pyautogui; pyautogui.write('naïve Ωmega 日本語')")
    window.until_text("naïve Ωmega 日本語")


def test_errors(script: Script, window: Window) -> None:
    for code, error in [
        ("pyautogui.click(5000, 20)", InvalidRequest),
        ("pyautogui.press('no such key')", InvalidRequest),
        ("pyautogui.click(area, button='fourth')", module.PyAutoGUIException),
        ("pyautogui.locateOnScreen('button.png')", NotImplementedError),
        ("pyautogui.alert('text')", NotImplementedError),
    ]:
        with pytest.raises(error):
            script("import pyautogui\n" + code)
    assert window.find("press", "key-press") == []


def test_without_connect(
    daemon: Daemon, server: XServer, window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_desktop", None)
    monkeypatch.setenv("DESKD_SERVER", daemon.address)
    module.moveTo(321, 123, _pause=False)
    assert server.pointer() == (321, 123)
    module._connected().close()
