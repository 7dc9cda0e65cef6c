"""Fixtures of the tests in this folder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from parts import Daemon, Window

from .clients import Clients


@pytest.fixture
def desktop(connect: Clients, daemon: Daemon, window: Window) -> Iterator[Any]:
    """A client of the daemon of most tests. Nothing is held down after the test."""
    yield connect(daemon.address)
    with daemon.desktop() as other:
        other.release_all()
