"""The clipboard, with xclip as the other program."""

from __future__ import annotations

import random
import subprocess
import threading
import time
from typing import Any

import pytest
from parts import Daemon, Relay, XServer

from deskd import InvalidRequest, PermissionRefused, StaleTarget

MIB = 1 << 20


def pasted(server: XServer, target: str = "UTF8_STRING", selection: str = "clipboard") -> bytes:
    """Returns the content that xclip pastes."""
    command = ["xclip", "-selection", selection, "-target", target, "-out"]
    done = subprocess.run(
        command, env=server.environment(), check=True, stdout=subprocess.PIPE, timeout=20
    )
    return done.stdout


async def test_text_is_copied_and_pasted(desktop: Any, server: XServer) -> None:
    server.copy("Grüße 你好 👋\n")
    assert await desktop.clipboard.text() == "Grüße 你好 👋\n"
    assert await desktop.clipboard.read() == "Grüße 你好 👋\n".encode()
    assert "UTF8_STRING" in await desktop.clipboard.formats()
    await desktop.clipboard.write("čau 世界")
    assert pasted(server).decode() == "čau 世界"
    assert await desktop.clipboard.text() == "čau 世界"
    await desktop.clipboard.write("")
    assert await desktop.clipboard.text() == ""


async def test_large_content_both_ways(desktop: Any, server: XServer) -> None:
    text = "".join(random.choices("abcdefgé世", k=MIB // 2))
    text += "x" * (MIB - len(text.encode()))
    assert len(text.encode()) == MIB
    server.copy(text)
    assert await desktop.clipboard.text() == text
    content = random.randbytes(MIB)
    await desktop.clipboard.write(content, "application/octet-stream")
    assert pasted(server, "application/octet-stream") == content
    assert await desktop.clipboard.read("application/octet-stream") == content


async def test_several_formats(desktop: Any, server: XServer) -> None:
    html = "<b>hello</b>" * 30_000
    contents = {"text/html": html, "image/png": b"\x89PNG\r\n\x00", "": "hello"}
    await desktop.clipboard.write_formats(contents)
    found = await desktop.clipboard.formats()
    assert {"text/html", "image/png", "UTF8_STRING"} <= set(found)
    assert pasted(server, "text/html").decode() == html
    assert pasted(server, "image/png") == b"\x89PNG\r\n\x00"
    assert pasted(server) == b"hello" == await desktop.clipboard.read()
    assert await desktop.clipboard.read("image/png") == b"\x89PNG\r\n\x00"
    with pytest.raises(StaleTarget, match="text/html") as refused:
        await desktop.clipboard.read("text/rtf")
    assert refused.value.reason == "FORMAT_NOT_OFFERED"
    assert refused.value.status == "FAILED_PRECONDITION"


async def test_the_primary_selection_is_another_one(desktop: Any, server: XServer) -> None:
    await desktop.clipboard.write("copied")
    await desktop.clipboard.write("selected", selection="primary")
    assert pasted(server, selection="primary") == b"selected"
    assert await desktop.clipboard.text() == "copied"
    assert await desktop.clipboard.text(selection="primary") == "selected"
    assert "UTF8_STRING" in await desktop.clipboard.formats(selection="primary")


async def test_an_empty_clipboard(own: Any, connect: Any) -> None:
    server = own(XServer)
    clipboard = connect(own(Daemon, server.display).address).clipboard
    assert await clipboard.formats() == []
    with pytest.raises(StaleTarget) as refused:
        await clipboard.text()
    assert refused.value.reason == "FORMAT_NOT_OFFERED"


async def test_the_clipboard_is_used_again_after_a_lost_connection(
    own: Any, connect: Any, daemon: Daemon, server: XServer
) -> None:
    relay = own(Relay, daemon.address)
    clipboard = connect(relay.address, timeout=10).clipboard
    content = random.randbytes(MIB)
    await clipboard.formats()
    for connections in (2, 3):
        relay.is_mute = True

        def cut() -> None:
            time.sleep(0.3)
            relay.is_mute = False
            relay.cut()

        thread = threading.Thread(target=cut)
        thread.start()
        if connections == 2:
            await clipboard.write(content, "a/b")
        else:
            assert await clipboard.read("a/b") == content
        thread.join()
        assert relay.connections == connections
    assert pasted(server, "a/b") == content


async def test_a_write_is_refused(own: Any, connect: Any, server: XServer) -> None:
    clipboard = connect(own(Daemon, server.display, "--read-only").address).clipboard
    with pytest.raises(PermissionRefused) as refused:
        await clipboard.write("secret" * 100_000)
    assert refused.value.reason == "READ_ONLY"


async def test_wrong_arguments_of_the_clipboard(desktop: Any) -> None:
    clipboard = desktop.clipboard
    for call, why in (
        (lambda: clipboard.write(5), "the content is of type int"),
        (lambda: clipboard.write(["secret"]), "the content is of type list"),
        (lambda: clipboard.write("secret\ud800"), "lone surrogate"),
        (lambda: clipboard.write("a", b"secret"), "format is of type bytes"),
        (lambda: clipboard.write_formats({"a": "secret", "b": None}), "of type NoneType"),
        (lambda: clipboard.write_formats({}), "no content is given"),
        (lambda: clipboard.write_formats("secret"), "the formats are of type str"),
        (lambda: clipboard.write("a", selection="secondary"), "choose clipboard or primary"),
        (lambda: clipboard.read("a\ud800"), "lone surrogate"),
        (lambda: clipboard.formats(selection=3), "choose clipboard or primary"),
        (lambda: clipboard.read(timeout=0), "timeout is 0"),
        (lambda: clipboard.write("x" * (17 << 20)), "LIMIT_EXCEEDED"),
        (lambda: clipboard.write_formats({f"text/{n}": "secret" for n in range(9)}), "LIMIT_EXCEEDED"),
        (lambda: clipboard.write(b"secret\xff\xfe"), "UTF-8"),
    ):
        with pytest.raises(InvalidRequest, match=why) as refused:
            await call()
        told = f"{refused.value!r} {refused.value.__context__!r} {refused.value.__cause__!r}"
        assert "secret" not in told and "xxx" not in told
    assert "secret" not in repr(clipboard)
