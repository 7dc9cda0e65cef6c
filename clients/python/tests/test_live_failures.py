"""What happens when the daemon or the X server ends, hangs, or never was there."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from parts import Daemon, Relay, Window, XServer, until

from deskd import (
    CaptureFailed,
    DeadlineExceeded,
    DeskdError,
    Desktop,
    OutcomeUnknown,
    Unavailable,
    actions,
)

SLOW = "abcdefghijklmnopqrstuvwxyz" * 2
"""A text that takes some seconds with the rate below."""


class Place(NamedTuple):
    """A desktop that the test may end."""

    server: XServer
    window: Window
    daemon: Daemon
    desktop: Desktop


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[XServer, Window, Daemon]]:
    """The parts of a desktop whose daemon the tests end, but not its X server."""
    server = XServer()
    window = Window(server)
    daemon = Daemon(server.display, tmp_path_factory.mktemp("ended"))
    yield server, window, daemon
    daemon.end()
    window.end()
    server.end()


@pytest.fixture
def place(parts: tuple[XServer, Window, Daemon]) -> Iterator[Place]:
    """A desktop whose daemon the test may end."""
    server, window, daemon = parts
    if not daemon.is_running:
        daemon.start()
    with daemon.desktop() as desktop:
        desktop.wait_ready(20)
        window.clear(server)
        yield Place(server, window, daemon, desktop)


@pytest.fixture
def whole(own: Any) -> Iterator[Place]:
    """A desktop whose X server the test may end. It is not proved that it is painted."""
    server = own(XServer)
    window = own(Window, server)
    daemon = own(Daemon, server.display)
    with daemon.desktop() as desktop:
        yield Place(server, window, daemon, desktop)


def meanwhile(action: Callable[[], None]) -> threading.Thread:
    """Does something beside the test."""
    thread = threading.Thread(target=action)
    thread.start()
    return thread


def at_rest(window: Window) -> str:
    """The text of the window, after no character has come for a while."""
    last, since = window.text, time.monotonic()
    while time.monotonic() - since < 0.5:
        if window.text != last:
            last, since = window.text, time.monotonic()
        time.sleep(0.01)
    return last


# --- The daemon ends ---


@pytest.mark.parametrize("how", ["kill", "end"])
def test_restarted_between_calls(place: Place, how: str) -> None:
    place.desktop.type("one ")
    getattr(place.daemon, how)()
    place.daemon.start()
    step = place.desktop.type("two")
    assert step.is_done and not step.replayed
    assert at_rest(place.window) == "one two"


def test_started_during_the_call(place: Place) -> None:
    place.desktop.type("one ")
    place.daemon.kill()

    def later() -> None:
        time.sleep(0.4)
        place.daemon.start()

    thread = meanwhile(later)
    try:
        # No daemon can have received this step.
        assert place.desktop.type("two", timeout=15).is_done
    finally:
        thread.join()
    assert at_rest(place.window) == "one two"


def test_restarted_in_the_middle_of_a_step(place: Place) -> None:
    def restart() -> None:
        until(lambda: len(place.window.text) >= 3, "the first characters have arrived")
        place.daemon.restart()

    thread = meanwhile(restart)
    try:
        with pytest.raises(OutcomeUnknown) as unknown:
            place.desktop.act([actions.type_text(SLOW, rate=20)], timeout=20)
    finally:
        thread.join()
    assert unknown.value.reason == "OUTCOME_UNKNOWN"
    text = at_rest(place.window)
    assert text and SLOW.startswith(text) and len(text) < len(SLOW)
    place.desktop.type("!")
    assert at_rest(place.window) == text + "!"


def test_killed_in_the_middle_of_a_step(place: Place) -> None:
    def kill() -> None:
        until(lambda: len(place.window.text) >= 3, "the first characters have arrived")
        place.daemon.kill()

    thread = meanwhile(kill)
    try:
        with pytest.raises(OutcomeUnknown):
            place.desktop.act([actions.type_text(SLOW, rate=20)], timeout=2)
    finally:
        thread.join()
    text = at_rest(place.window)
    assert text and SLOW.startswith(text) and len(text) < len(SLOW)


def test_stopped_in_the_middle_of_a_step(place: Place) -> None:
    process = place.daemon.process
    assert process is not None

    def stop() -> None:
        until(lambda: len(place.window.text) >= 3, "the first characters have arrived")
        process.send_signal(signal.SIGSTOP)

    thread = meanwhile(stop)
    try:
        with pytest.raises(OutcomeUnknown):
            place.desktop.act([actions.type_text(SLOW, rate=20)], timeout=1.2)
    finally:
        thread.join()
        process.send_signal(signal.SIGCONT)
    assert SLOW.startswith(at_rest(place.window))


def test_a_broken_connection_does_not_repeat_a_step(place: Place, own: Any) -> None:
    relay = own(Relay, place.daemon.address)
    with Desktop(relay.address) as desktop:
        desktop.cursor()

        def cut() -> None:
            until(lambda: len(place.window.text) >= 3, "the first characters have arrived")
            relay.cut()

        thread = meanwhile(cut)
        step = desktop.act([actions.type_text(SLOW[:30], rate=20)], timeout=20, check=False)
        thread.join()
    assert step.replayed and relay.connections == 2
    # The daemon cancels a step whose caller disconnects, unless a retry comes before.
    text = at_rest(place.window)
    assert step.outcome in ("DONE", "CANCELLED")
    assert text == SLOW[: step.results[0].characters]


# --- The X server ends ---


def test_no_x_server(whole: Place) -> None:
    assert not whole.desktop.screenshot(unproved=True).is_card
    whole.server.kill()
    frame = whole.desktop.screenshot(timeout=1.5)
    assert frame.is_card and frame.failure is not None and frame.failure.retryable
    assert frame.failure.reason in ("NO_DISPLAY", "X_CONNECTION_LOST")
    assert frame.to_pil().size == frame.size and frame.region is None
    with pytest.raises(CaptureFailed) as failed:
        frame.check()
    assert failed.value.reason == frame.failure.reason
    with Desktop(whole.daemon.address, timeout=0.5) as hurried:
        for call in (hurried.cursor, lambda: hurried.click(1, 1, unproved=True)):
            with pytest.raises((Unavailable, DeadlineExceeded)):
                call()
    whole.server.restart()
    assert not whole.desktop.screenshot(unproved=True).is_card


def test_x_server_killed_in_the_middle_of_a_step(whole: Place) -> None:
    def kill() -> None:
        until(lambda: len(whole.window.text) >= 3, "the first characters have arrived")
        whole.server.kill()

    thread = meanwhile(kill)
    try:
        with pytest.raises(OutcomeUnknown) as unknown:
            whole.desktop.act([actions.type_text(SLOW, rate=20)], timeout=3, unproved=True)
    finally:
        thread.join()
    assert unknown.value.reason in ("X_CONNECTION_LOST", "NO_DISPLAY")


def test_a_stream_over_the_end_of_an_x_server(whole: Place) -> None:
    stream = whole.desktop.watch(unproved=True, timeout=20)
    assert not next(stream).is_card
    whole.server.kill()
    frame = next(frame for frame in stream if frame.is_card)
    assert frame.failure is not None and frame.failure.retryable
    whole.server.restart()
    frame = next(frame for frame in stream if not frame.is_card)
    assert frame.size == (1280, 800)
    stream.close()


def test_a_stopped_x_server(whole: Place) -> None:
    assert not whole.desktop.screenshot(unproved=True).is_card
    whole.server.process.send_signal(signal.SIGSTOP)
    try:
        frame = whole.desktop.screenshot(timeout=1.0, unproved=True)
        assert frame.is_card and frame.failure is not None
        assert frame.failure.reason == "X_UNRESPONSIVE"
        assert whole.desktop.info().display == whole.server.display
    finally:
        whole.server.process.send_signal(signal.SIGCONT)
    assert not whole.desktop.screenshot(timeout=10, unproved=True).is_card


def test_a_display_that_never_was(own: Any) -> None:
    with own(Daemon, ":9999").desktop() as desktop:
        with pytest.raises(DeskdError):
            desktop.screen_size()
        assert desktop.screenshot(timeout=0.5).is_card
        with pytest.raises(Unavailable) as failed:
            desktop.click(1, 1, timeout=0.5)
        assert failed.value.reason == "NO_DISPLAY"


# --- There is no daemon ---


@pytest.mark.parametrize("address", ["unix:{}/none.sock", "127.0.0.1:9"])
def test_no_daemon(address: str, tmp_path: Any) -> None:
    with Desktop(address.format(tmp_path), timeout=0.5) as desktop:
        for call in (
            desktop.screenshot,
            lambda: desktop.click(1, 1),
            lambda: next(desktop.watch()),
        ):
            with pytest.raises(Unavailable) as failed:
                call()
            assert failed.value.status == "UNAVAILABLE" and failed.value.reason == ""


def test_a_daemon_that_does_not_answer(place: Place) -> None:
    assert place.daemon.process is not None
    place.daemon.process.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(DeadlineExceeded):
            place.desktop.screenshot(timeout=0.5)
    finally:
        place.daemon.process.send_signal(signal.SIGCONT)
    assert not place.desktop.screenshot().is_card
