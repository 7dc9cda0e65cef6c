"""Viewer tokens, which a real daemon accepts."""

from __future__ import annotations

import pathlib
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from parts import Daemon, XServer

from deskd import InvalidRequest, viewer_token, viewer_url

KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def address(server: XServer, tmp_path: pathlib.Path) -> Iterator[str]:
    """The address of a daemon's viewer."""
    keys = tmp_path / "keys"
    keys.write_text(KEY + "\n")
    port = free_port()
    more = ["--http", f"127.0.0.1:{port}", "--viewer-key-file", str(keys)]
    made = Daemon(server.display, tmp_path, *more, "--viewer-session", "box-7")
    yield f"http://127.0.0.1:{port}"
    made.end()


def free_port() -> int:
    """Returns a port that nobody uses."""
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        return int(made.getsockname()[1])


def exchange(address: str, token: str) -> int:
    """Exchanges a token, and returns the status."""
    request = urllib.request.Request(
        f"{address}/viewer/session", token.encode(), {"Origin": address}, method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return int(reply.status)
    except urllib.error.HTTPError as refused:
        return refused.code


def test_the_daemon_accepts_a_token_once(address: str) -> None:
    token = viewer_token(KEY, control=True, viewer="Ada ä", session="box-7")
    assert viewer_url(address + "/", token) == f"{address}/viewer/#{token}"
    assert exchange(address, token) == 200
    assert exchange(address, token) == 401
    assert exchange(address, viewer_token(KEY.encode(), session="box-7", ttl=3600)) == 200
    assert exchange(address, viewer_token(KEY, session="box-8")) == 401
    assert exchange(address, viewer_token("f" * 32, session="box-7")) == 401


@pytest.mark.parametrize(
    "arguments",
    [
        {"key": "short"},
        {"key": "has a space, and is 32 bytes long"},
        {"key": "x" * 257},
        {"key": KEY, "ttl": 0},
        {"key": KEY, "ttl": 3601},
        {"key": KEY, "ttl": 1.5},
        {"key": KEY, "viewer": "a\nb"},
        {"key": KEY, "session": "s" * 129},
        {"key": KEY, "workspace": 7},
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        viewer_token(**arguments)
    assert arguments["key"] not in str(refused.value)
