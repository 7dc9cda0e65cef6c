"""`deskd mcp` and MCP over HTTP, by the official Python client in both protocol eras."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import pathlib
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from typing import Any

import anyio
import httpx2
import PIL.Image
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

ERAS = ("legacy", "2026-07-28")
ACTIONS = 17


@contextlib.asynccontextmanager
async def connected(daemon: Any, transport: str, era: str) -> AsyncIterator[Client]:
    if transport == "stdio":
        server = StdioServerParameters(
            command=str(daemon.program), args=["mcp", "--server", daemon.address]
        )
        async with Client(server, mode=era) as client:
            yield client
        return
    headers = {"authorization": f"Bearer {daemon.token}"}
    async with httpx2.AsyncClient(headers=headers, timeout=60) as http:
        made = streamable_http_client(f"http://{daemon.http}/mcp", http_client=http)
        async with Client(made, mode=era) as client:
            yield client


class Model:
    """Calls tools as a model does: points name the last screenshot, where screenshots have names."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._named: dict[str, str] = {}

    async def __call__(self, tool: str, **arguments: Any) -> Any:
        if arguments.keys() & {"coordinate", "region"}:
            arguments |= self._named
        result = await self._client.call_tool(tool, arguments)
        for block in result.content:
            if block.type == "text" and "screenshot_id: " in block.text:
                self._named = {"screenshot_id": block.text.split("screenshot_id: ")[1].split()[0]}
        return result


def image(content: list[Any]) -> PIL.Image.Image:
    found = next(block for block in content if block.type == "image")
    data = base64.b64decode(found.data)
    assert len(found.data) < 1_000_000
    return PIL.Image.open(io.BytesIO(data))


def text(content: list[Any]) -> str:
    return " ".join(block.text for block in content if block.type == "text")


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("transport", ["stdio", "http"])
@pytest.mark.anyio
async def test_a_model_uses_the_desktop(daemon: Any, transport: str, era: str) -> None:
    async with connected(daemon, transport, era) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(tools) == {
            *("computer", "screenshot", "zoom"),
            *("list_windows", "window", "wait_for_window"),
            *("launch", "read_clipboard", "write_clipboard"),
        }
        assert tools["screenshot"].annotations.read_only_hint is True
        assert tools["zoom"].annotations.read_only_hint is True
        assert tools["computer"].annotations.read_only_hint is False
        actions = tools["computer"].input_schema["properties"]["action"]["enum"]
        assert len(actions) == ACTIONS

        call = Model(client)
        shot = await call("screenshot")
        assert not shot.is_error
        assert image(shot.content).size == (1280, 800)

        moved = await call("computer", action="mouse_move", coordinate=[321, 234])
        assert not moved.is_error and text(moved.content).startswith("Moved the mouse.")
        assert image(moved.content).size == (1280, 800)
        place = await call("computer", action="cursor_position")
        assert text(place.content) == "X=321,Y=234"

        daemon.focus()
        typed = await call("computer", action="type", text=f"{era} é漢\n")
        assert not typed.is_error, text(typed.content)
        daemon.until_received(f"{era} é漢\n")

        part = await call("zoom", region=[0, 0, 320, 200])
        assert image(part.content).size == (1280, 800)


@pytest.mark.parametrize("transport", ["stdio", "http"])
@pytest.mark.anyio
async def test_a_model_starts_programs(daemon: Any, transport: str) -> None:
    title = f"launched over {transport}"
    async with connected(daemon, transport, "legacy") as client:
        words = ["xterm", "-title", title, "-geometry", "20x2+900+50", "-e", "sleep", "60"]
        started = await client.call_tool("launch", {"command": words})
        assert not started.is_error and title in text(started.content), text(started.content)
        assert image(started.content).size == (1280, 800)
        assert title in text((await client.call_tool("list_windows", {})).content)
        closed = await client.call_tool("window", {"operation": "close", "window": title})
        assert not closed.is_error, text(closed.content)

        ended = await client.call_tool("launch", {"command": ["sh", "-c", "echo no luck; exit 3"]})
        assert ended.is_error and "no luck" in text(ended.content), text(ended.content)
        assert image(ended.content).size == (1280, 800)
        for arguments, what in (
            ({}, "either command or open"),
            ({"command": ["true"], "open": "/"}, "either command or open"),
            ({"command": "xterm"}, "command must be"),
            ({"command": []}, "must begin with a program"),
            ({"command": ["no-such-program"]}, "no-such-program"),
            ({"open": "not a URI"}, "must be a URI"),
        ):
            refused = await client.call_tool("launch", arguments)
            assert refused.is_error and what in text(refused.content), text(refused.content)


@pytest.mark.parametrize("transport", ["stdio", "http"])
@pytest.mark.anyio
async def test_a_model_copies_text(daemon: Any, transport: str) -> None:
    async with connected(daemon, transport, "legacy") as client:
        copied = f"é漢\n{transport}"
        wrote = await client.call_tool("write_clipboard", {"text": copied})
        assert not wrote.is_error and copied not in text(wrote.content)
        read = await client.call_tool("read_clipboard", {})
        assert not read.is_error and text(read.content) == copied
        await client.call_tool("write_clipboard", {"text": "漢" * 30_000})
        long = text((await client.call_tool("read_clipboard", {})).content)
        assert long.startswith("漢" * 21_845 + "\n[The text is longer")
        for arguments in ({}, {"text": 5}, {"text": "a", "format": "b"}):
            refused = await client.call_tool("write_clipboard", arguments)
            assert refused.is_error and "not performed" in text(refused.content)


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.anyio
async def test_errors_are_for_the_model(daemon: Any, era: str) -> None:
    async with connected(daemon, "stdio", era) as client:
        await client.call_tool("screenshot", {})
        for arguments, what in (
            ({}, "action is required"),
            ({"action": "fly"}, "there is no action"),
            ({"action": "left_click", "coordinate": [1]}, "must be [x, y]"),
            ({"action": "left_click", "coordinate": [5000, 1]}, "5000,1"),
            ({"action": "key", "text": "no_such_key"}, "no_such_key"),
            ({"action": "type", "text": "a\x00"}, "Failed"),
        ):
            result = await client.call_tool("computer", arguments)
            assert result.is_error, arguments
            assert what in text(result.content), (arguments, text(result.content))
        with pytest.raises(Exception, match="no tool"):
            await client.call_tool("fly", {})


@pytest.mark.anyio
async def test_another_screen_is_no_error_of_the_model(daemon: Any) -> None:
    async with connected(daemon, "stdio", "legacy") as client:
        await client.call_tool("screenshot", {})
        daemon.restart()
        result = await client.call_tool("computer", {"action": "left_click", "coordinate": [9, 9]})
        assert "not performed" in text(result.content), text(result.content)
        assert not result.is_error
        assert image(result.content).size == (1280, 800)
        again = await client.call_tool("computer", {"action": "left_click", "coordinate": [9, 9]})
        assert not again.is_error and "Clicked." in text(again.content)


@pytest.mark.parametrize("transport", ["stdio", "http"])
@pytest.mark.anyio
async def test_a_point_needs_a_screenshot(daemon: Any, transport: str) -> None:
    daemon.restart()
    async with connected(daemon, transport, "legacy") as client:
        call = Model(client)
        # A place of its own: the pointer stays where the other run left it.
        x = 77 if transport == "stdio" else 78
        move = {"action": "mouse_move", "coordinate": [x, 66]}
        first = await call("computer", **move)
        wanted = "take a screenshot first" if transport == "stdio" else "give the screenshot_id"
        assert wanted in text(first.content)
        assert image(first.content).size == (1280, 800)
        place = await call("computer", action="cursor_position")
        assert text(place.content) != f"X={x},Y=66"
        await call("computer", **move)
        place = await call("computer", action="cursor_position")
        assert text(place.content) == f"X={x},Y=66"


@pytest.mark.anyio
async def test_callers_over_http_name_their_screenshot(daemon: Any) -> None:
    async with connected(daemon, "http", "2026-07-28") as client:
        shot = await client.call_tool("screenshot", {})
        named = text(shot.content).removeprefix("screenshot_id: ")
        move = {"action": "mouse_move", "coordinate": [55, 44], "screenshot_id": named}
        moved = await client.call_tool("computer", move)
        assert text(moved.content).startswith("Moved the mouse.")
        # The last screenshot may be that of another caller.
        unnamed = await client.call_tool("computer", {"action": "left_click", "coordinate": [1, 1]})
        assert "not performed: give the screenshot_id" in text(unnamed.content)
        unnamed = await client.call_tool("zoom", {"region": [0, 0, 9, 9]})
        assert "not performed: give the screenshot_id" in text(unnamed.content)
    daemon.restart()
    async with connected(daemon, "http", "2026-07-28") as client:
        # Another caller's screenshot does not make this one valid.
        await client.call_tool("screenshot", {})
        again = await client.call_tool("computer", move)
        assert "not performed" in text(again.content) and not again.is_error
        part = {"region": [0, 0, 9, 9], "screenshot_id": named}
        assert "UNKNOWN_FRAME" in text((await client.call_tool("zoom", part)).content)
        wrong = await client.call_tool("computer", {**move, "screenshot_id": 5})
        assert wrong.is_error


@pytest.mark.anyio
async def test_the_host_is_answered_without_a_daemon(program: Any) -> None:
    server = StdioServerParameters(
        command=str(program),
        args=["mcp", "--server", "unix:/nonexistent/deskd.sock"],
        env={"DESKD_DEADLINE": "1s"},
    )
    async with Client(server, mode="legacy") as client:
        assert (await client.list_tools()).tools
        result = await client.call_tool("screenshot", {})
        assert result.is_error and "/nonexistent/deskd.sock" in text(result.content)


@pytest.mark.anyio
async def test_a_cancelled_call_stops(daemon: Any) -> None:
    async with connected(daemon, "stdio", "legacy") as client:
        await client.call_tool("screenshot", {})
        daemon.focus()
        with anyio.move_on_after(1) as scope:
            await client.call_tool("computer", {"action": "hold_key", "text": "x", "duration": 60})
        assert scope.cancelled_caught
        with anyio.fail_after(20):
            place = await client.call_tool("computer", {"action": "cursor_position"})
            assert not place.is_error
            # Only after the key is up can another action run.
            typed = await client.call_tool("computer", {"action": "type", "text": "after\n"})
        assert not typed.is_error
        assert "Typed." in text(typed.content)


def test_a_request_that_stops_half_way_is_ended(daemon: Any) -> None:
    host, port = daemon.http.rsplit(":", 1)
    head = (
        f"POST /mcp HTTP/1.1\r\nhost: {daemon.http}\r\nauthorization: Bearer {daemon.token}\r\n"
        "content-type: application/json\r\naccept: application/json, text/event-stream\r\n"
        "content-length: 100\r\n\r\n{"
    )
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(head.encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 408 ")


def test_strangers_and_web_pages_are_refused(daemon: Any) -> None:
    def post(**headers: str) -> int:
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}})
        accept = {"accept": "application/json, text/event-stream"}
        kinds = {"content-type": "application/json", **accept, **headers}
        request = urllib.request.Request(f"http://{daemon.http}/mcp", body.encode(), kinds)
        try:
            with urllib.request.urlopen(request, timeout=10) as reply:
                return int(reply.status)
        except urllib.error.HTTPError as error:
            return error.code

    good = f"Bearer {daemon.token}"
    assert post() == 401
    assert post(authorization="Bearer wrong-token-wrong-token") == 401
    assert post(authorization=daemon.token) == 401
    assert post(authorization=good) == 200
    assert post(authorization=good, origin="http://localhost") == 403
    assert post(authorization=good, origin="https://example.com") == 403
    assert post(authorization=good, host="desk.example") == 200


def test_tls_is_that_of_http(daemon: Any, tmp_path: pathlib.Path) -> None:
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"]
    made += ["-keyout", "key.pem", "-out", "cert.pem", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run(made, cwd=tmp_path, check=True, capture_output=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    files = ["--tls-cert", tmp_path / "cert.pem", "--tls-key", tmp_path / "key.pem"]
    files += ["--token-file", daemon.folder / "token"]
    listeners = ["--listen", f"unix:{tmp_path}/deskd.sock", "--http", f"127.0.0.1:{port}", "--mcp"]
    command = [daemon.program, "serve", "--display", ":59", *listeners, *files]
    context = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
    # What every HTTP client offers.
    context.set_alpn_protocols(["http/1.1"])
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as server:
        try:
            end = time.monotonic() + 20
            while not is_open(port):
                assert time.monotonic() < end
                time.sleep(0.05)
            with (
                socket.create_connection(("127.0.0.1", port), timeout=20) as connection,
                context.wrap_socket(connection, server_hostname="localhost") as encrypted,
            ):
                assert encrypted.selected_alpn_protocol() == "http/1.1"
                encrypted.sendall(b"GET /mcp HTTP/1.1\r\nhost: localhost\r\n\r\n")
                assert encrypted.recv(100).startswith(b"HTTP/1.1 401 ")
        finally:
            server.terminate()


def test_what_is_typed_is_in_no_log(daemon: Any, tmp_path: pathlib.Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    listeners = ["--listen", f"unix:{tmp_path}/deskd.sock", "--http", f"127.0.0.1:{port}", "--mcp"]
    token = ["--token-file", daemon.folder / "token", "--log", "trace"]
    command = [daemon.program, "serve", "--display", ":59", *listeners, *token]
    log = tmp_path / "log"
    params = {"name": "computer", "arguments": {"action": "type", "text": "sesame-open"}}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
    headers = {
        "authorization": f"Bearer {daemon.token}",
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
    }
    with log.open("wb") as lines, subprocess.Popen(command, stderr=lines) as server:
        try:
            end = time.monotonic() + 20
            while not is_open(port):
                assert time.monotonic() < end
                time.sleep(0.05)
            request = urllib.request.Request(f"http://127.0.0.1:{port}/mcp", body.encode(), headers)
            with urllib.request.urlopen(request, timeout=60) as reply:
                assert b'"isError":true' in reply.read()
        finally:
            server.terminate()
    assert log.stat().st_size > 0
    assert b"sesame" not in log.read_bytes()


def is_open(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
