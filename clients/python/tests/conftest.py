"""What the tests share: an X server, a window that reports its input, and a daemon."""

from __future__ import annotations

import asyncio
import inspect
import os
import pathlib
import sys
from collections.abc import Iterator
from typing import Any

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
pytest.register_assert_rewrite("live", "parts")

from parts import Daemon, Helper, Relay, Window, XServer, children, until  # noqa: E402

from deskd import Desktop  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def no_process_left() -> Iterator[None]:
    """Fails the run if a test leaves a process behind."""
    for name in [each for each in os.environ if each.startswith("DESKD_") and "TEST" not in each]:
        # The client reads these; a test sets those that it needs.
        del os.environ[name]
    before = set(children(os.getpid()))
    yield
    until(lambda: set(children(os.getpid())) <= before, "all processes of the tests have ended")


@pytest.fixture(scope="session")
def server() -> Iterator[XServer]:
    """The X server of most tests."""
    made = XServer()
    yield made
    made.end()


@pytest.fixture(scope="session")
def shared_window(server: XServer) -> Iterator[Window]:
    """The window of most tests."""
    made = Window(server)
    yield made
    made.end()


@pytest.fixture(scope="session")
def daemon(
    server: XServer, shared_window: Window, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Daemon]:
    """The daemon of most tests. They do not end it."""
    made = Daemon(server.display, tmp_path_factory.mktemp("deskd"))
    yield made
    made.end()


@pytest.fixture
def window(server: XServer, shared_window: Window) -> Window:
    """The window, without text, with the focus."""
    shared_window.clear(server)
    return shared_window


@pytest.fixture
def desktop(daemon: Daemon, window: Window) -> Iterator[Desktop]:
    """A client of the daemon. Nothing is held down before and after the test."""
    with Desktop(daemon.address) as made:
        yield made
        made.release_all()


@pytest.fixture
def own(tmp_path: pathlib.Path) -> Iterator[Any]:
    """Starts programs that end with the test: `own(XServer)`, `own(Window, server)`."""
    started: list[Any] = []

    def start(kind: Any, *arguments: Any, **options: Any) -> Any:
        if kind is Relay:
            arguments = (*arguments, tmp_path)
        if kind is Helper:
            arguments = (*arguments, tmp_path / f"helper{len(started)}")
        if kind is Daemon:
            arguments = (arguments[0], tmp_path / f"daemon{len(started)}", *arguments[1:])
        made = kind(*arguments, **options)
        started.append(made)
        return made

    yield start
    for made in reversed(started):
        made.end()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Runs tests that are coroutines, and closes their clients in the same event loop."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    arguments = {name: pyfuncitem.funcargs[name] for name in names}

    async def run() -> None:
        try:
            await pyfuncitem.obj(**arguments)
        finally:
            if "connect" in pyfuncitem.funcargs:
                await pyfuncitem.funcargs["connect"].close()

    asyncio.run(run())
    return True
