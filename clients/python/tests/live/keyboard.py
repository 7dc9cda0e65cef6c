"""The keyboard: text, paste and keys."""

from __future__ import annotations

from typing import Any

import pytest
from parts import Window, XServer, until

from deskd import ActionFailed, InvalidRequest

QUICK = {"settle": 0, "frame": False}
"""Most of these tests do not look at the screen after the step."""

SCRIPTS = {
    "latin": "The quick brown fox: 3.5 % of “naïve” Straße, tab\tand\nnew line €",
    "cyrillic and greek": "Съешь же ещё этих мягких булок — Ξεσκεπάζω τὴν ψυχοφθόρα",
    "chinese and japanese": "天地玄黃,宇宙洪荒。いろはにほへと",
    "right to left, emoji": "نص حكيم له سر قاطع 👩‍🚀 🎉",
}


@pytest.mark.parametrize("script", SCRIPTS)
async def test_typed_text_arrives_exactly(desktop: Any, window: Window, script: str) -> None:
    text = SCRIPTS[script]
    step = await desktop.type(text, **QUICK)
    window.until_text(text)
    assert step.results[0].characters == len(text)


async def test_type_with_a_rate(desktop: Any, window: Window) -> None:
    await desktop.type("slow", rate=50, **QUICK)
    window.until_text("slow")
    times = [each["time"] for each in window.find("key-press")]
    assert len(times) == 4 and times[-1] - times[0] >= 45


@pytest.mark.parametrize("script", SCRIPTS)
async def test_paste(desktop: Any, window: Window, script: str) -> None:
    text = SCRIPTS[script]
    step = await desktop.paste(text, **QUICK)
    window.until_text(text)
    assert step.results[0].characters == len(text)


async def test_paste_with_a_chord(desktop: Any, window: Window) -> None:
    await desktop.paste("one ", chord="ctrl+v")
    window.until_text("one ")
    with pytest.raises(ActionFailed) as failed:
        await desktop.paste("two", chord="ctrl+F9", **QUICK)
    assert failed.value.reason == "NOT_TAKEN"
    assert failed.value.step.results[0].failure.reason == "NOT_TAKEN"
    assert window.text == "one "


async def test_press_and_key(desktop: Any, window: Window) -> None:
    await desktop.type("abc")
    await desktop.press("Left", repeat=2, **QUICK)
    await desktop.key("BackSpace", **QUICK)
    await desktop.press("shift", "End", **QUICK)
    await desktop.key("ctrl+x")
    await desktop.press("ctrl+v", **QUICK)
    await desktop.press("ctrl", "v", **QUICK)
    await desktop.press("+", **QUICK)
    window.until_text("bcbc+")


async def test_hold(desktop: Any, window: Window) -> None:
    await desktop.hold("F12", seconds=0.4, **QUICK)
    release = window.until("key-release")[-1]
    press = window.find("key-press")[0]
    assert press["name"] == release["name"] == "F12"
    assert release["time"] - press["time"] >= 400


async def test_wait(desktop: Any, server: XServer) -> None:
    step = await desktop.wait(0.05)
    assert step.is_done and step.results[0].message.elapsed.ToMilliseconds() >= 50
    assert step.frame.size == (1280, 800)


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (("press", "NoSuchKey"), "UNKNOWN_KEY"),
        (("press", ""), "UNKNOWN_KEY"),
        (("press",), "INVALID_FIELD"),
        (("type", ""), "INVALID_FIELD"),
        (("type", "a\0b"), "UNTYPABLE_CHARACTER"),
        (("type", "a\ud800"), "UNTYPABLE_CHARACTER"),
        (("type", b"bytes"), "INVALID_FIELD"),
        (("type", "x" * 65537), "LIMIT_EXCEEDED"),
        (("paste", "a\x1b[201~"), "UNTYPABLE_CHARACTER"),
        (("wait", 0), "INVALID_FIELD"),
        (("wait", -1), "INVALID_FIELD"),
        (("wait", 301), "LIMIT_EXCEEDED"),
        (("wait", float("nan")), "INVALID_FIELD"),
    ],
)
async def test_refused(desktop: Any, window: Window, call: tuple[Any, ...], reason: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await getattr(desktop, call[0])(*call[1:])
    assert refused.value.reason == reason
    # Nothing was sent: the next character is the first.
    await desktop.type("z", **QUICK)
    window.until_text("z")


async def test_the_clipboard_comes_back(desktop: Any, window: Window, server: XServer) -> None:
    server.copy("kept")
    await desktop.paste("pasted")
    window.until_text("pasted")
    until(lambda: server.clipboard() == "kept", "the clipboard has its former content")
