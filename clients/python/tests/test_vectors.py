"""Runs the conformance vectors on both kinds of desktop, with the daemon's answers as written."""

from __future__ import annotations

import asyncio
import json
import pathlib
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict, ParseDict

from deskd import AsyncDesktop, Desktop, Fit, Frame, Rect
from deskd.adapters import anthropic
from deskd.errors import of_status

FOLDER = pathlib.Path(__file__).resolve().parents[3] / "tests" / "vendors"


class Script:
    """Answers calls as the vector says, and compares what is asked."""

    def __init__(self, vector: dict[str, Any]) -> None:
        self.left = list(vector["exchanges"])

    def answer(self, path: str, request: Any, response: Any) -> Any:
        name = path.rpartition("/")[2]
        if name == "GetInfo":
            return ParseDict({"instanceId": "i"}, response())
        asked = MessageToDict(request)
        asked.pop("operationId", None), asked.pop("instanceId", None)
        assert self.left, f"one call too many: {name} {asked}"
        expected = self.left.pop(0)
        assert (name, asked) == (expected["method"], expected["request"])
        if "error" in expected:
            error = expected["error"]
            raise of_status(error["status"], error["reason"], error["message"])
        return ParseDict(expected["reply"], response())


def desktops(script: Script) -> tuple[Desktop, AsyncDesktop]:
    """Desktops whose calls go to the script."""

    class Scripted(Desktop):
        def _once(self, path: Any, request: Any, response: Any, *rest: Any) -> Any:
            return script.answer(path, request, response)

    class AsyncScripted(AsyncDesktop):
        async def _once(self, path: Any, request: Any, response: Any, *rest: Any) -> Any:
            return script.answer(path, request, response)

    return Scripted("127.0.0.1:1"), AsyncScripted("127.0.0.1:1")


def options(vector: dict[str, Any]) -> dict[str, Any]:
    """The settings of an adapter."""
    made = dict(vector["options"])
    for name in ("confirm", "acknowledge"):
        if name in made:
            made[name] = lambda *_, allowed=made[name]: allowed
    if "fit" in made:
        made["fit"] = Fit(**made["fit"])
    if "url" in made:
        made["url"] = lambda address=made["url"]: address
    return made


def seen(vector: dict[str, Any]) -> Frame | None:
    """The last picture that the model saw."""
    if (last := vector["seen"]) is None:
        return None
    screen = last["screenWidth"], last["screenHeight"]
    region = Rect(0, 0, *screen)
    return Frame(b"", "png", last["width"], last["height"], region, screen, last["frameId"])


def turn(made: Any) -> dict[str, Any]:
    """A turn of a model that answers in text, as the vectors write it."""
    return {"message": made.message(), "control": made.control, "answer": made.answer}


def adapters() -> dict[str, Any]:
    """Each adapter: its two classes, and how a vector calls it."""
    from deskd.adapters import gemini, openai, opencua, osworld, qwen, ui_tars

    def text(module: Any, method: str = "perform") -> Any:
        def call(computer: Any, calls: Any) -> Any:
            return getattr(computer, method)(calls)

        return module.Computer, module.AsyncComputer, call, turn

    same = lambda reply: reply  # noqa: E731
    return {
        "anthropic": (
            anthropic.Computer,
            anthropic.AsyncComputer,
            lambda computer, calls: computer.results(calls),
            same,
        ),
        "openai": (
            openai.Computer,
            openai.AsyncComputer,
            lambda computer, calls: computer.outputs(calls),
            same,
        ),
        "gemini": (
            gemini.Computer,
            gemini.AsyncComputer,
            lambda computer, calls: computer.results(calls),
            same,
        ),
        "gemini_content": (
            gemini.Computer,
            gemini.AsyncComputer,
            lambda computer, calls: computer.parts(calls),
            same,
        ),
        "ui_tars": text(ui_tars),
        "qwen": text(qwen),
        "opencua": text(opencua),
        "osworld": text(osworld, "step"),
    }


def vectors() -> list[Any]:
    """All vectors."""
    found = []
    for file in sorted(FOLDER.glob("*.jsonl")):
        for line in file.read_text().splitlines():
            vector = json.loads(line)
            found.append(pytest.param(vector, id=vector["id"]))
    return found


@pytest.mark.parametrize("vector", vectors())
def test_vector(vector: dict[str, Any]) -> None:
    made, made_async, call, shape = adapters()[vector["adapter"]]

    script = Script(vector)
    desktop, _ = desktops(script)
    computer = made(desktop, **options(vector))
    computer._session.seen = seen(vector)
    assert shape(call(computer, vector["calls"])) == vector["reply"]
    assert script.left == []

    async def again() -> None:
        script = Script(vector)
        _, desktop = desktops(script)
        computer = made_async(desktop, **options(vector))
        computer._session.seen = seen(vector)
        assert shape(await call(computer, vector["calls"])) == vector["reply"]
        assert script.left == []

    asyncio.run(again())
