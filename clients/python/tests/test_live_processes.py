"""One client in several threads, processes and event loops."""

from __future__ import annotations

import asyncio
import gc
import pathlib
import subprocess
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from parts import Daemon, Window, XServer, until

from deskd import AsyncDesktop, DeskdError, Desktop, Picture, actions


def test_threads_use_one_desktop(desktop: Desktop, window: Window) -> None:
    """More threads than the daemon lets wait for the input."""
    letters = "abcdefghijklmnopqrstuvwx"

    def work(letter: str) -> str:
        assert desktop.screenshot(format="raw").size == (1280, 800)
        step = desktop.act([actions.type_text(letter)], settle=0, frame=False)
        assert step.is_done and not step.replayed
        desktop.cursor()
        return step.operation_id

    with ThreadPoolExecutor(24) as pool:
        operations = list(pool.map(work, letters))
    assert len(set(operations)) == 24
    until(lambda: len(window.text) >= 24, "all letters have arrived")
    assert sorted(window.text) == sorted(letters)


def test_threads_over_a_restart(own: Any) -> None:
    server = own(XServer)
    window = own(Window, server)
    daemon = own(Daemon, server.display)
    with daemon.desktop() as desktop:
        desktop.wait_ready(20)
        daemon.restart()

        def work(letter: str) -> bool:
            return desktop.act([actions.type_text(letter)], settle=0, frame=False).is_done

        with ThreadPoolExecutor(12) as pool:
            assert all(pool.map(work, "abcdefghijkl"))
        until(lambda: len(window.text) >= 12, "all letters have arrived")
        assert sorted(window.text) == list("abcdefghijkl")


def test_close_during_calls(daemon: Daemon, window: Window) -> None:
    """A call during `close` succeeds or is cancelled, and a later one opens the connection again."""
    desktop, stop, ends = Desktop(daemon.address), threading.Event(), set()
    part = Picture(region=(0, 0, 8, 8))

    def close() -> None:
        while not stop.wait(0.002):
            desktop.close()

    thread = threading.Thread(target=close)
    thread.start()
    try:
        for _ in range(1000):
            try:
                assert desktop.screenshot(picture=part).size == (8, 8)
                ends.add("DONE")
            except DeskdError as error:
                ends.add(error.status)
            if len(ends) == 2:
                break
    finally:
        stop.set()
        thread.join()
    assert ends == {"DONE", "CANCELLED"}
    assert desktop.screenshot().size == (1280, 800)
    desktop.close()


@pytest.mark.parametrize("kind", ["synchronous", "asynchronous"])
def test_fork(daemon: Daemon, window: Window, kind: str) -> None:
    program = pathlib.Path(__file__).with_name("fork_program.py")
    subprocess.run([sys.executable, str(program), kind, daemon.address], check=True, timeout=60)
    window.until_text("parent child parentchild ")


def test_event_loops_in_turn(daemon: Daemon, window: Window) -> None:
    desktop = AsyncDesktop(daemon.address)

    async def work(letter: str) -> None:
        await desktop.act([actions.type_text(letter)], frame=False, settle=0)
        stream = desktop.watch()
        assert (await anext(stream)).size == (1280, 800)
        await stream.aclose()

    for letter in "abc":
        asyncio.run(work(letter))
    window.until_text("abc")
    asyncio.run(desktop.close())


def test_event_loops_at_the_same_time(daemon: Daemon, window: Window) -> None:
    desktop, both = AsyncDesktop(daemon.address), threading.Barrier(2)

    async def work() -> int:
        both.wait(10)
        frames = await asyncio.gather(*(desktop.screenshot(format="raw") for _ in range(20)))
        return sum(frame.size == (1280, 800) for frame in frames)

    with ThreadPoolExecutor(2) as pool:
        made = [pool.submit(lambda: asyncio.run(work())) for _ in range(2)]
        assert [each.result(30) for each in made] == [20, 20]


def test_tasks_use_one_desktop(daemon: Daemon, window: Window) -> None:
    async def run() -> None:
        async with AsyncDesktop(daemon.address) as desktop:

            async def work(letter: str) -> None:
                assert (await desktop.screenshot()).size == (1280, 800)
                await desktop.act([actions.type_text(letter)], frame=False, settle=0)

            await asyncio.gather(*(work(letter) for letter in "abcdefghijklmnopqrst"))

    asyncio.run(run())
    until(lambda: len(window.text) >= 20, "all letters have arrived")
    assert sorted(window.text) == list("abcdefghijklmnopqrst")


def test_a_cancelled_task_releases_what_it_held(daemon: Daemon, window: Window) -> None:
    async def run() -> None:
        async with AsyncDesktop(daemon.address) as desktop:
            task = asyncio.create_task(desktop.hold("F6", seconds=30))
            await asyncio.to_thread(window.until, "key-press")
            task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                pass
            else:
                raise AssertionError("the task was not cancelled")
            await asyncio.to_thread(window.until, "key-release")
            assert await desktop.pressed() == []
            await desktop.type("x")

    asyncio.run(run())
    window.until_text("x")


def test_clients_are_freed(daemon: Daemon) -> None:
    desktop = Desktop(daemon.address)
    desktop.cursor()
    stream = desktop.watch()
    next(stream)
    seen = weakref.ref(desktop._connection)
    stream.close()
    desktop.close()
    del desktop, stream
    gc.collect()
    assert seen() is None
