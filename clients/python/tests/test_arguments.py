"""Arguments with wrong values, which are refused before anything is sent."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from deskd import AsyncDesktop, Desktop, Fit, Frame, InvalidRequest, Picture, actions, conditions
from deskd.v1 import desktop_pb2 as pb
from deskd.window import Window


class Silent(Desktop):
    """A desktop that must not be called."""

    def _once(self, path: Any, *_: Any) -> Any:
        raise AssertionError(f"{path} was called")


class AsyncSilent(AsyncDesktop):
    """The same as coroutines."""

    async def _once(self, path: Any, *_: Any) -> Any:
        raise AssertionError(f"{path} was called")


DESKTOP: Any = Silent("127.0.0.1:1")
NAMES = 'give names such as "ctrl+s" or ["ctrl", "s"]'
WHOLE = "give a whole number, at least 0"
FLAG = "give True or False"
CONDITION = "make one with the functions of deskd.conditions"
MADE: Any = actions
MAKE: Any = Desktop
FRAME = Frame(b"", "png", 1, 1, None, (1, 1), "f")


def window(id: Any) -> Window:
    """A window with an id that is wrong."""
    empty: Any = None
    return Window(id, "", "", "", None, "", empty, empty, (), "", "", True)


def refused(call: Any, message: str) -> None:
    """Asserts that a call raises `InvalidRequest` with this message."""
    with pytest.raises(InvalidRequest, match=f"^{re.escape(message)}") as failed:
        call()
    assert failed.value.reason == "INVALID_FIELD"
    assert failed.value.status == "INVALID_ARGUMENT"


@pytest.mark.parametrize("value", [-1, 1 << 31, 1.5, "5", True, float("nan"), []])
def test_numbers(value: Any) -> None:
    said = f"is {value!r}; {WHOLE}"
    for call, name in (
        (lambda: MADE.press("a", repeat=value), "repeat"),
        (lambda: MADE.type_text("a", rate=value), "rate"),
        (lambda: DESKTOP.press("a", repeat=value), "repeat"),
        (lambda: DESKTOP.type("a", rate=value), "rate"),
        (lambda: DESKTOP.screenshot(quality=value), "quality"),
        (lambda: DESKTOP.screenshot(max_bytes=value), "max_bytes"),
        (lambda: DESKTOP.screenshot(fit=Fit(max_side=value)), "max_side"),
        (lambda: DESKTOP.screenshot(fit=Fit(max_pixels=value)), "max_pixels"),
        (lambda: DESKTOP.screenshot(fit=Fit(multiple_of=value)), "multiple_of"),
        (lambda: DESKTOP.screenshot(fit=Fit(tile=value)), "tile"),
        (lambda: DESKTOP.screenshot(fit=Fit(tile=1, max_tiles=value)), "max_tiles"),
        (lambda: Desktop("a:1", picture=Picture(quality=value)), "quality"),
        (lambda: next(DESKTOP.watch(max_fps=value)), "max_fps"),
        (lambda: DESKTOP.stack.resize((5, 5), dpi=value), "dpi"),
        (lambda: conditions.appears(pid=value), "pid"),
        (lambda: DESKTOP.windows.list(pid=value), "pid"),
    ):
        refused(call, f"{name} {said}")


@pytest.mark.parametrize("value", ["no", 1, 0, []])
def test_flags(value: Any) -> None:
    said = f"is {value!r}; {FLAG}"
    for name in ("frame", "stop_at_first", "unproved", "no_pacing", "check"):
        refused(lambda name=name: DESKTOP.wait(0, **{name: value}), f"{name} {said}")
    refused(lambda: DESKTOP.screenshot(cursor=value), f"cursor {said}")
    refused(lambda: DESKTOP.screenshot(unproved=value), f"unproved {said}")
    refused(lambda: DESKTOP.screenshot(fit=Fit(may_enlarge=value)), f"may_enlarge {said}")
    refused(lambda: next(DESKTOP.watch(regions=value)), f"regions {said}")
    refused(lambda: next(DESKTOP.watch(unproved=value)), f"unproved {said}")
    refused(lambda: DESKTOP.wait_ready(1, allow_unsettled=value), f"allow_unsettled {said}")
    refused(lambda: DESKTOP.wait_for(conditions.changes(), check=value), f"check {said}")
    refused(lambda: DESKTOP.windows.close("x", check=value), f"check {said}")
    refused(lambda: DESKTOP.stack.up(wait=value), f"wait {said}")


def test_actions() -> None:
    for value in (5, 0, False, {"ctrl": 1}, b"ctrl"):
        for make in (
            lambda **options: MADE.click(1, 2, **options),
            lambda **options: MADE.move(1, 2, **options),
            lambda **options: MADE.drag([(1, 2)], **options),
            lambda **options: MADE.scroll(0, 1, **options),
            lambda **options: DESKTOP.click(1, 2, **options),
        ):
            call = lambda make=make, value=value: make(modifiers=value)  # noqa: E731
            refused(call, f"modifiers is {value!r}; {NAMES}")
        refused(lambda value=value: MADE.keys(value), f"keys is {value!r}; {NAMES}")
        refused(lambda value=value: MADE.press(value), f"keys is {value!r}; {NAMES}")
    for call in (MADE.press, DESKTOP.press, DESKTOP.key, lambda: MADE.press([])):
        refused(call, "no key is given; give names")
    refused(lambda: DESKTOP.hold(seconds=1), "no key is given; give names")
    refused(lambda: DESKTOP.hold("a", seconds=None), "seconds is None; give seconds, at least 0")
    for name in (["ctrl", 5], [None]):
        with pytest.raises(InvalidRequest, match="there is no key"):
            MADE.click(1, 2, modifiers=name)
    refused(lambda: MADE.paste("a", chord=5), "chord is 5; give a string")
    refused(lambda: MADE.drag(5), "path is 5; give a list of (x, y)")
    refused(lambda: MADE.drag("12"), "path is '12'; give a list of (x, y)")
    for place in (5, (1, 2, 3), "12", (None, None), None):
        said = f"a point of the path is {place!r}; give (x, y)"
        refused(lambda place=place: MADE.drag([(1, 2), place]), said)
        refused(lambda place=place: DESKTOP.drag((1, 2), place), said)
    refused(lambda: MADE.scroll(0, 1, unit=[]), "unit is []; choose notch or pixel")
    refused(lambda: MADE.screenshot(5), "capture is 5; give a Picture")
    refused(lambda: MADE.screenshot(FRAME), "capture is Frame(")
    for value in ("x", None, {}):
        said = f"the condition is {value!r}; {CONDITION}"
        refused(lambda value=value: MADE.wait_for(value), said)
        refused(lambda value=value: DESKTOP.wait_for(value), said)
        refused(lambda value=value: conditions.any_of(value), said)
        refused(lambda value=value: conditions.all_of(conditions.changes(), value), said)


def test_actions_that_are_right() -> None:
    plain = MADE.click(1, 2)
    for value in ((), [], "", None):
        assert MADE.click(1, 2, modifiers=value) == plain
    assert MADE.click(1, 2, modifiers=("ctrl",)) == MADE.click(1, 2, modifiers="ctrl")
    assert MADE.drag(iter([[1, 2], (3, 4)])) == MADE.drag([(1, 2), (3, 4)])
    picture = Picture(size=(5, 5))
    assert MADE.screenshot(picture) == MADE.screenshot(picture.message())
    assert MADE.press("a", repeat=0).key.repeat == 0


def test_steps() -> None:
    refused(lambda: DESKTOP.wait(0, expect="x"), "expect is 'x'; give a frame")
    refused(lambda: DESKTOP.wait(0, picture=5), "picture is 5; give a Picture")
    refused(lambda: DESKTOP.wait(0, picture=5, frame=False), "picture is 5; give a Picture")
    refused(lambda: DESKTOP.wait(0, settle=False), "settle is False; give seconds, at least 0")
    refused(lambda: DESKTOP.wait(0, settle="1"), "settle is '1'; give seconds, at least 0")
    refused(lambda: DESKTOP.wait(0, quiet=-1), "quiet is -1; give seconds, at least 0")
    spaces = "give a frame, its id, (width, height) or None"
    refused(lambda: DESKTOP.click(1, 2, space=5), f"space is 5; {spaces}")
    refused(lambda: DESKTOP.act(5), "the actions are 5; give a list of actions")
    refused(lambda: DESKTOP.act(actions.wait(0)), "the actions are ")
    make = "make actions with the functions of deskd.actions"
    refused(lambda: DESKTOP.act([5]), f"element 1 of the actions is 5; {make}")
    refused(lambda: DESKTOP.act([actions.wait(0), {}]), f"element 2 of the actions is {{}}; {make}")


def test_pictures() -> None:
    refused(lambda: DESKTOP.screenshot(fit=5), "fit is 5; give a Fit")
    refused(lambda: DESKTOP.screenshot(fit={"max_side": 5}), "fit is {'max_side': 5}; give a Fit")
    refused(lambda: DESKTOP.screenshot(picture=5), "picture is 5; give a Picture")
    refused(lambda: DESKTOP.screenshot(picture=0), "picture is 0; give a Picture")
    refused(lambda: next(DESKTOP.watch(picture={})), "picture is {}; give a Picture")
    refused(lambda: MAKE("a:1", picture=5), "picture is 5; give a Picture")
    refused(lambda: DESKTOP.screenshot(format=[]), "format is []; choose png")
    refused(lambda: DESKTOP.screenshot(space=5), "space is 5; give a frame")
    for value in (5, {}, b"f"):
        said = f"if_changed_since is {value!r}; give a frame or its id"
        refused(lambda value=value: DESKTOP.screenshot(if_changed_since=value), said)
    said = "picture and its fields exclude each other; put the fields into the picture"
    refused(lambda: DESKTOP.screenshot(picture=Picture(), format="jpeg"), said)


def test_other_calls() -> None:
    for value in (5, "xterm", {"title": "x"}):
        said = f"windows is {value!r}; give a list of titles or dictionaries"
        refused(lambda value=value: DESKTOP.wait_ready(1, windows=value), said)
    refused(lambda: DESKTOP.wait_ready(1, windows=[5]), "window 5 is no title; give a title")
    refused(lambda: DESKTOP.wait_ready(1, windows=[{"title": 5}]), "title is 5; give a string")
    refused(lambda: DESKTOP.windows.close(window(5)), "the id of the window is 5; give a string")
    refused(lambda: DESKTOP.windows.close(5), "title is 5; give a string")
    refused(lambda: DESKTOP.stack.up(0), "size is 0; give (width, height)")
    said = "the server is 5; give unix:/path, host:port or exec:command"
    refused(lambda: MAKE(5), said)
    refused(lambda: MAKE("a:1", token=5), "the token is a value of type int; give a string")
    refused(lambda: MAKE("a:1", token_file=5), "5 is no path; give the name of a file")
    refused(lambda: MAKE("a:1", tls_ca=5), "5 is no path; give the name of a file")


def test_asynchronous_calls() -> None:
    desktop: Any = AsyncSilent("127.0.0.1:1")
    for call, message in (
        (lambda: desktop.press(), "no key is given"),
        (lambda: desktop.screenshot(cursor="no"), f"cursor is 'no'; {FLAG}"),
        (lambda: desktop.wait(0, expect="x"), "expect is 'x'; give a frame"),
        (lambda: anext(desktop.watch(max_fps=-1)), f"max_fps is -1; {WHOLE}"),
        (lambda: desktop.screenshot(timeout=1e12), "timeout is"),
        (lambda: desktop.windows.close("x", timeout=1e12), "timeout is"),
    ):
        refused(lambda call=call: asyncio.run(_await(call)), message)


async def _await(call: Any) -> Any:
    return await call()


@pytest.mark.parametrize(
    "value", [float("inf"), 1e12, 86_400.5, 10**400, 0, -1, float("nan"), "5", True]
)
def test_timeouts(value: Any) -> None:
    said = f"timeout is {value!r}; give seconds above 0, at most 86,400"
    refused(lambda: Desktop("a:1", timeout=value), said)
    refused(lambda: DESKTOP.screenshot(timeout=value), said)
    refused(lambda: DESKTOP.click(1, 2, timeout=value), said)
    refused(lambda: next(DESKTOP.watch(timeout=value)), said)
    refused(lambda: DESKTOP.stack.down(timeout=value), said)
    refused(lambda: DESKTOP.stack.up(timeout=value), said)
    if value == 0:
        # The time of a wait may be 0.
        return
    refused(lambda: DESKTOP.wait_ready(value), said)
    refused(lambda: DESKTOP.wait_for(conditions.changes(), value), said)
    refused(lambda: DESKTOP.windows.close("x", timeout=value), said)


def test_the_longest_times() -> None:
    given: list[float] = []

    class Noting(Desktop):
        def _once(self, path: Any, request: Any, response: Any, timeout: float, *_: Any) -> Any:
            given.append(timeout)
            if path.endswith("GetInfo"):
                return pb.GetInfoResponse(instance_id="i")
            return response()

    desktop = Noting("127.0.0.1:1", timeout=86_400)
    desktop.screenshot()
    desktop.wait_for(conditions.changes(), 86_400, check=False)
    desktop.wait_for(conditions.changes(), 0, check=False)
    # The time that actions take by themselves does not make a call longer than a day.
    slow = actions.type_text("a" * 60_000, rate=1)
    desktop.act([slow, slow], check=False)
    assert all(each <= 86_400 for each in given)
    assert given[0] > 86_000 and 4 < given[2] <= 5
