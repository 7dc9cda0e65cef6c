"""The ways to a daemon: TCP with a token, TLS, an exec of a provider, and the default address."""

from __future__ import annotations

import asyncio
import os
import pathlib
import shlex
import socket
import subprocess
import sys
import traceback
from typing import Any

import pytest
from certificates import Authority
from parts import Daemon, Window, XServer, children, program, running, until

from deskd import (
    AsyncDesktop,
    DeskdError,
    Desktop,
    PermissionRefused,
    Unavailable,
    actions,
)

TOKEN = "correct-horse-battery-staple"
WRONG = "wrong-horse-battery-staple"


def free_port() -> str:
    """An address on which nothing listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{found.getsockname()[1]}"


@pytest.fixture(scope="module")
def token_file(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    path = tmp_path_factory.mktemp("token") / "token"
    path.write_text(TOKEN + "\n")
    path.chmod(0o600)
    return path


@pytest.fixture(scope="module")
def tcp(
    server: XServer,
    shared_window: Window,
    token_file: pathlib.Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Any:
    """A daemon that listens on a port, with a token."""
    options = ("--token-file", str(token_file), "--read-only")
    made = Daemon(server.display, tmp_path_factory.mktemp("tcp"), *options, listen=free_port())
    yield made
    made.end()


def everything_said(error: BaseException) -> str:
    """All that a program might print of an error."""
    return repr(error) + str(error) + repr(vars(error)) + "".join(traceback.format_exception(error))


# --- Tokens ---


def test_the_right_token(tcp: Daemon, token_file: pathlib.Path) -> None:
    with Desktop(tcp.address, token=TOKEN) as desktop:
        assert desktop.screenshot().size == (1280, 800)
        assert TOKEN not in repr(desktop) + repr(vars(desktop)) + repr(desktop._connection.address)
    with Desktop(tcp.address, token_file=token_file) as desktop:
        assert desktop.cursor()

    async def run() -> None:
        async with AsyncDesktop(tcp.address, token_file=str(token_file)) as desktop:
            assert (await desktop.screenshot()).size == (1280, 800)
            assert TOKEN not in repr(desktop) + repr(vars(desktop))

    asyncio.run(run())


@pytest.mark.parametrize(
    ("token", "reason"), [(None, "TOKEN_MISSING"), ("", "TOKEN_MISSING"), (WRONG, "TOKEN_INVALID")]
)
def test_no_right_token(tcp: Daemon, token: str | None, reason: str) -> None:
    with Desktop(tcp.address, token=token) as desktop:
        stream = desktop.watch()
        for call in (desktop.screenshot, lambda: desktop.click(1, 1), lambda: next(stream)):
            with pytest.raises(PermissionRefused) as refused:
                call()
            assert (refused.value.reason, refused.value.status) == (reason, "UNAUTHENTICATED")
            assert WRONG not in everything_said(refused.value)


@pytest.mark.parametrize("token", ["line\nbreak-and-more", "Schlüssel-und-mehr", "tab\tand-more"])
def test_a_token_that_no_header_carries(token: str) -> None:
    with pytest.raises(DeskdError) as refused:
        Desktop("127.0.0.1:1", token=token)
    assert token not in everything_said(refused.value)


def test_the_environment(
    tcp: Daemon, token_file: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESKD_SERVER", tcp.address)
    monkeypatch.setenv("DESKD_TOKEN_FILE", str(token_file))
    with Desktop() as desktop:
        assert desktop.cursor()
    # The token belongs to the daemon of the environment, and is not sent to others.
    with Desktop(tcp.address) as desktop, pytest.raises(PermissionRefused):
        desktop.cursor()
    monkeypatch.setenv("DESKD_TOKEN_FILE", str(token_file) + ".none")
    with pytest.raises(DeskdError):
        Desktop()


def test_the_folder_of_another_user(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    """That user could listen on the socket, and would receive typed text."""
    (tmp_path / "deskd.sock").touch()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert str(tmp_path) in repr(Desktop())
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    if tmp_path.stat().st_uid == 0:
        os.chown(tmp_path, 12345, -1)
    assert "unix:/run/deskd/deskd.sock" in repr(Desktop())


def test_read_only(tcp: Daemon) -> None:
    with Desktop(tcp.address, token=TOKEN) as desktop:
        assert not desktop.screenshot().is_card
        refusals = [lambda: desktop.click(1, 1), desktop.release_all, lambda: desktop.stack.down()]
        for call in refusals:
            with pytest.raises(PermissionRefused) as refused:
                call()
            assert refused.value.reason == "READ_ONLY"


@pytest.mark.parametrize(
    "address", ["", "host", "host:", "host:0", "host:65536", ":50051", "unix:relative", "exec:"]
)
def test_wrong_addresses(address: str) -> None:
    with pytest.raises(DeskdError):
        Desktop(address)


# --- TLS ---


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"), "authority")


@pytest.fixture(scope="module")
def tls(
    server: XServer,
    shared_window: Window,
    authority: Authority,
    token_file: pathlib.Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Any:
    """A daemon with TLS, and one that requires certificates of its clients."""
    certificate, key = authority.issue("server")
    options = ["--tls-cert", str(certificate), "--tls-key", str(key)]
    options += ["--token-file", str(token_file), "--read-only"]
    mutual = [*options, "--tls-client-ca", str(authority.path)]
    made = [
        Daemon(server.display, tmp_path_factory.mktemp("tls"), *each, listen=free_port())
        for each in (options, mutual)
    ]
    yield made
    for each in made:
        each.end()


def test_tls(tls: list[Daemon], authority: Authority, tmp_path: pathlib.Path) -> None:
    with Desktop(tls[0].address, token=TOKEN, tls_ca=authority.path) as desktop:
        assert desktop.screenshot().size == (1280, 800)
        assert next(desktop.watch()).size == (1280, 800)

    async def run() -> None:
        async with AsyncDesktop(tls[0].address, token=TOKEN, tls_ca=authority.path) as desktop:
            assert (await desktop.screenshot()).size == (1280, 800)

    asyncio.run(run())
    other = Authority(tmp_path, "other")
    for options in ({}, {"tls_ca": other.path}):
        with (
            Desktop(tls[0].address, token=TOKEN, timeout=0.5, **options) as desktop,
            pytest.raises(Unavailable) as failed,
        ):
            desktop.screenshot()
        assert TOKEN not in everything_said(failed.value)


def test_mutual_tls(tls: list[Daemon], authority: Authority, tmp_path: pathlib.Path) -> None:
    certificate, key = authority.issue("client")
    options = {"token": TOKEN, "tls_ca": authority.path, "timeout": 0.5}
    with Desktop(tls[1].address, tls_cert=certificate, tls_key=key, **options) as desktop:
        assert desktop.screenshot().size == (1280, 800)
        secret = key.read_text().splitlines()[1]
        assert secret not in repr(vars(desktop)) + repr(desktop._connection.address)
    with Desktop(tls[1].address, **options) as desktop, pytest.raises(Unavailable):
        desktop.screenshot()
    other = Authority(tmp_path, "other").issue("client")
    with (
        Desktop(tls[1].address, tls_cert=other[0], tls_key=other[1], **options) as desktop,
        pytest.raises(Unavailable),
    ):
        desktop.screenshot()
    for wrong in ({"tls_cert": certificate}, {"tls_cert": certificate, "tls_key": "none"}):
        with pytest.raises(DeskdError):
            Desktop(tls[1].address, **options, **wrong)
    with pytest.raises(DeskdError):
        Desktop(tls[1].address, tls_cert=certificate, tls_key=key)


# --- An exec of a provider ---


@pytest.fixture
def bridge(daemon: Daemon) -> str:
    """The address of the daemon through its own command."""
    return f"exec:{shlex.quote(program())} bridge --server {shlex.quote(daemon.address)}"


def test_exec(bridge: str, window: Window) -> None:
    before = set(children(os.getpid()))
    with Desktop(bridge) as desktop:
        desktop.act([actions.type_text("through a command")], frame=False)
        window.until_text("through a command")
        frame = desktop.screenshot(format="raw")
        assert len(frame.image) == 4 * 1280 * 800
        stream = desktop.watch()
        assert next(stream).size == (1280, 800)
        stream.close()
        assert len(set(children(os.getpid())) - before) == 1
    assert set(children(os.getpid())) == before
    # It opens again.
    assert desktop.cursor()
    desktop.close()
    assert set(children(os.getpid())) == before


def test_exec_in_several_event_loops(bridge: str) -> None:
    before = set(children(os.getpid()))
    desktop = AsyncDesktop(bridge)
    for _ in range(3):
        assert asyncio.run(desktop.cursor())
    until(lambda: len(set(running(os.getpid())) - before) == 1, "one command is left")
    asyncio.run(desktop.close())
    assert set(children(os.getpid())) == before


def test_exec_whose_command_ends_is_run_again(bridge: str) -> None:
    before = set(children(os.getpid()))
    with Desktop(bridge) as desktop:
        desktop.cursor()
        (child,) = set(children(os.getpid())) - before
        os.kill(child, 9)
        assert desktop.cursor() == desktop.cursor()


def test_exec_of_a_command_that_fails() -> None:
    with pytest.raises(DeskdError):
        Desktop("exec:no-such-program-anywhere").cursor()
    with Desktop("exec:false", timeout=0.5) as desktop, pytest.raises(Unavailable):
        desktop.cursor()


def test_exec_leaves_nothing_behind(bridge: str, tmp_path: pathlib.Path) -> None:
    """A program that does not close its client."""
    code = f"from deskd import Desktop; made = Desktop({bridge!r}); print(made.cursor())"
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        stdout=subprocess.PIPE,
        timeout=20,
        check=True,
    )
    assert done.stdout.startswith(b"(")
    assert list(tmp_path.iterdir()) == []
