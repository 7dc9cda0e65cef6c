"""The hook `open` of the adapters, and the recipe for it on a real desktop."""

from __future__ import annotations

import asyncio
import json
import pathlib
from typing import Any

import pytest
from inspect_ai.tool import ToolDef, ToolError
from inspect_ai.util._store import Store, init_subtask_store
from parts import Daemon, Helper, Window, XServer
from test_flow import Desk

from deskd import ActionFailed, AsyncDesktop, Desktop, InvalidRequest, OutcomeUnknown
from deskd.adapters import gemini, qwen, recipes
from deskd.adapters.inspect_ai import computer as inspect_computer

PAGE = "https://example.com/?a=b&c"


def call(name: str, **given: Any) -> dict[str, Any]:
    """A function call of Gemini."""
    return {"type": "function_call", "id": "1", "name": name, "arguments": given}


def fara(**given: Any) -> str:
    """An answer of Fara."""
    return f'<tool_call>{json.dumps({"name": "computer_use", "arguments": given})}</tool_call>'


def test_gemini_opens_pages_with_the_hook() -> None:
    desk, opened = Desk(), []
    computer = gemini.Computer(desk, open=opened.append)
    look = [call("open_web_browser"), call("navigate", url=PAGE), call("search")]
    results = computer.results([call("click", x=1, y=2), *look, call("press_key", key="a")])
    assert opened == [gemini.SEARCH_PAGE, PAGE, gemini.SEARCH_PAGE]
    assert not any(each.get("is_error") for each in results)
    # The calls before and after it are steps of their own.
    assert desk.calls == ["act", "act"]
    opened.clear()
    (result,) = computer.results([call("navigate", url=PAGE)])
    assert opened == [PAGE] and result["result"][-1]["type"] == "image"
    assert desk.calls == ["act", "act", "screenshot"]
    # A wrong call, and one that a person declined, open nothing.
    declined = gemini.Computer(desk, open=opened.append, confirm=lambda *_: False)
    excluded = gemini.Computer(desk, open=opened.append, excluded=["navigate"])
    for made in (computer, declined, excluded):
        given = {"url": 5} if made is computer else {"url": PAGE}
        (result,) = made.results([call("navigate", **given)])
        assert result["is_error"]
    assert opened == [PAGE]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ActionFailed("no browser", reason="ENDED"), "Not performed: no browser [ENDED]"),
        (OutcomeUnknown("it broke"), "It is not known whether this was done: it broke"),
    ],
)
def test_a_page_that_cannot_be_opened_ends_the_turn(error: Exception, said: str) -> None:
    def fail(address: str) -> None:
        raise error

    desk = Desk()
    computer = gemini.Computer(desk, open=fail)
    results = computer.results([call("navigate", url=PAGE), call("press_key", key="a")])
    assert [each["is_error"] for each in results] == [True, True]
    assert said in results[0]["result"][0]["text"] and desk.calls == ["screenshot"]


def test_fara_opens_pages_with_the_hook() -> None:
    desk, opened = Desk(), []
    model = qwen.Computer(desk, version="fara", open=opened.append)
    assert not model.perform(fara(action="visit_url", url=PAGE)).is_error
    assert not model.perform(fara(action="web_search", query="a b&c")).is_error
    assert opened == [PAGE, "https://www.bing.com/search?q=a%20b%26c"]
    assert desk.calls == ["screenshot", "screenshot"]
    assert model.perform(fara(action="visit_url")).is_error and len(opened) == 2


def test_inspect_opens_pages_with_the_hook() -> None:
    init_subtask_store(Store())
    desk, opened = Desk(), []
    tool = ToolDef(inspect_computer(desk, open=opened.append)).tool
    shown = asyncio.run(tool(action="navigate", text=PAGE))
    assert [each.type for each in shown] == ["text", "image"] and shown[0].text == "Opened."
    asyncio.run(tool(action="open_web_browser"))
    assert opened == [PAGE, "https://www.google.com"] and desk.calls == ["screenshot"] * 2
    with pytest.raises(ToolError, match="click the browser's icon"):
        asyncio.run(ToolDef(inspect_computer(desk)).tool(action="open_web_browser"))


def test_a_hook_must_be_a_function() -> None:
    for make in (gemini.Computer, qwen.Computer, inspect_computer):
        with pytest.raises(InvalidRequest, match="open is 'xdg-open'; give a function"):
            make(Desk(), open="xdg-open")
    with pytest.raises(InvalidRequest, match="wait is 121"):
        recipes.open_with(Desktop("127.0.0.1:1"), wait=121)


@pytest.fixture
def browsing(own: Any, server: XServer, window: Window, tmp_path: pathlib.Path) -> Any:
    """Starts a daemon whose desktop has a window, and a browser: a script."""

    def start(script: str) -> str:
        browser = tmp_path / "browser"
        browser.write_text(f"#!/bin/sh\n{script}\n")
        browser.chmod(0o755)
        # xdg-open must find no other browser.
        helper = own(Helper, server, BROWSER=str(browser), XDG_DATA_DIRS=str(tmp_path))
        made: Daemon = own(Daemon, server.display, "--session-helper", helper.socket)
        return made.address

    return start


SHOWS = """
case $1 in *google*) colour=red ;; *) colour=blue ;; esac
exec xterm -bg $colour -title "$1" -e sleep 60
"""


def test_the_recipe_opens_a_page(browsing: Any) -> None:
    with Desktop(browsing(SHOWS)) as desktop:
        computer = gemini.Computer(desktop, open=recipes.open_with(desktop))
        (result,) = computer.results([call("navigate", url=" example.com/a ")])
        assert "is_error" not in result
        # The browser is there, and at rest, when the model gets the picture.
        (shown,) = desktop.windows.list("https://example.com/a")
        assert shown.is_viewable
        assert not any(each.get("is_error") for each in computer.results([call("search")]))
        assert desktop.windows.list(gemini.SEARCH_PAGE)


def test_the_recipe_opens_a_page_asynchronously(browsing: Any) -> None:
    async def run() -> None:
        async with AsyncDesktop(browsing(SHOWS)) as desktop:
            computer = gemini.AsyncComputer(desktop, open=recipes.open_with(desktop))
            (result,) = await computer.results([call("navigate", url="file:///usr/share/doc")])
            assert "is_error" not in result
            assert await desktop.windows.list("file:///usr/share/doc")

    asyncio.run(run())


def test_the_recipe_reports_a_browser_that_fails(browsing: Any) -> None:
    with Desktop(browsing("echo no display >&2; exit 7")) as desktop:
        computer = gemini.Computer(desktop, open=recipes.open_with(desktop))
        (result,) = computer.results([call("navigate", url=PAGE)])
        assert result["is_error"] and "the page was not opened; xdg-open ended with code" in str(result)


def test_the_recipe_ends_although_nothing_changes(browsing: Any) -> None:
    with Desktop(browsing("exit 0")) as desktop:
        recipes.open_with(desktop, wait=0.5)(PAGE)
