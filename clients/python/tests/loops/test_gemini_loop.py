"""Gemini's computer use: the Interactions API, and `generate_content`."""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import Any

import pytest
from conftest import Run
from google import genai
from google.genai import types
from model_server import Make, ModelServer, Request, picture
from parts import Daemon, Window

from deskd import AsyncDesktop, Desktop
from deskd.adapters import gemini

_numbers = itertools.count(1)


def grid(point: tuple[int, int]) -> dict[str, int]:
    """A point of the screen in Gemini's grid; the pixel that it stands for is `pixel` of it."""
    return {"y": point[1] * 1000 // 800, "x": point[0] * 1000 // 1280}


def pixel(at: dict[str, int]) -> tuple[int, int]:
    """The pixel under the middle of a cell of the grid."""
    return (2 * at["x"] + 1) * 1280 // 2000, (2 * at["y"] + 1) * 800 // 2000


def call(number: int, name: str, **given: Any) -> dict[str, Any]:
    """A call of a function."""
    return {"type": "function_call", "id": f"call_{number}", "name": name, "arguments": given}


def said(words: str) -> dict[str, Any]:
    """What the model says."""
    return {"type": "model_output", "content": [{"type": "text", "text": words}]}


def interaction(*steps: dict[str, Any]) -> dict[str, Any]:
    """An answer of the model."""
    waits = any(each["type"] == "function_call" for each in steps)
    return {
        "id": f"int_{next(_numbers)}",
        "status": "requires_action" if waits else "completed",
        "model": "gemini-3.5-flash",
        "steps": list(steps),
    }


def script(window: Window) -> list[list[dict[str, Any]]]:
    """The turns of a model that looks, fills a form, makes a mistake, and ends."""
    text, area = grid(window.in_text()), grid(window.in_area(500, 100))
    return [
        [call(1, "take_screenshot", intent="look")],
        [
            call(2, "click", **text, intent="focus"),
            call(3, "type", text="Здравствуй", press_enter=True, intent="fill"),
            call(4, "hotkey", keys=["control", "a"]),
            call(5, "press_key", key="NoSuchKey"),
            call(6, "type", text="never"),
        ],
        [
            call(7, "right_click", **area),
            call(8, "scroll", **area, direction="down", magnitude_in_pixels=200),
            call(9, "key_down", key="shift"),
            call(10, "move", **area),
            call(11, "key_up", key="shift"),
        ],
    ]


def received(window: Window) -> None:
    """What the desktop must have received."""
    window.until_text("Здравствуй\n")
    at = pixel(grid(window.in_area(500, 100)))
    press = window.until("press")[0]
    assert (press["root_x"], press["root_y"], press["button"]) == (*at, 3)
    assert sum(each["dy"] for each in window.until("scroll", 2)) == 2
    assert window.until("key-release")[-1]["name"] in ("Shift_L", "a", "Control_L")


def results(request: Request) -> dict[str, tuple[dict[str, Any], Any, dict[str, Any]]]:
    """The results in a request, by the id of their call: the text as JSON, the image if there is
    one, and the whole result."""
    found = {}
    for each in request.body["input"]:
        assert each["type"] == "function_result"
        (said,) = [part["text"] for part in each["result"] if part["type"] == "text"]
        images = [part for part in each["result"] if part["type"] == "image"]
        assert len(images) <= 1 and all(part["mime_type"] == "image/png" for part in images)
        image = picture(images[0]["data"]) if images else None
        found[each["call_id"]] = json.loads(said), image, each
    return found


def check(requests: list[Request], window: Window) -> None:
    """What the model must have received."""
    received(window)
    assert len(requests) == 4 and {each.path for each in requests} == {"/v1/interactions"}
    assert requests[0].body["tools"] == [{"type": "computer_use", "environment": "desktop"}]
    assert requests[0].body["input"] == "Greet."
    assert requests[1].body["previous_interaction_id"].startswith("int_")
    first = results(requests[1])["call_1"]
    assert first[1].size == (1280, 800) and first[2]["name"] == "take_screenshot"
    second = results(requests[2])
    assert list(second) == [f"call_{number}" for number in range(2, 7)]
    assert [bool(each[2].get("is_error")) for each in second.values()] == [False] * 3 + [True] * 2
    assert "UNKNOWN_KEY" in second["call_5"][0]["error"]
    assert second["call_6"][0]["error"].startswith("Not executed")
    assert [each[1] is not None for each in second.values()] == [False] * 4 + [True]
    third = results(requests[3])
    assert not any(each[2].get("is_error") for each in third.values())
    assert third["call_11"][1].size == (1280, 800)


def test_agent(example: Run, model: Make, window: Window) -> None:
    turns = [interaction(*turn) for turn in script(window)]
    served = model(*turns, interaction(said("It is done.")))
    assert example("gemini_agent.py", "Greet.", served) == "It is done."
    check(served.requests, window)


def client(served: ModelServer) -> genai.Client:
    return genai.Client(api_key="none", http_options={"base_url": served.url})


def test_asynchronous_computer(model: Make, daemon: Daemon, window: Window) -> None:
    turns = [interaction(*turn) for turn in script(window)]
    served = model(*turns, interaction(said("It is done.")))

    async def run() -> str:
        made = client(served).aio
        async with AsyncDesktop(daemon.address) as desktop:
            computer = gemini.AsyncComputer(desktop)
            options: dict[str, Any] = {"model": "gemini-3.5-flash", "tools": [computer.tool()]}
            reply = await made.interactions.create(input="Greet.", **options)
            while sent := await computer.results(reply.steps):
                reply = await made.interactions.create(
                    input=sent, previous_interaction_id=reply.id, **options
                )
        await made.aclose()
        return reply.output_text

    assert asyncio.run(run()) == "It is done."
    check(served.requests, window)


def content(*parts: dict[str, Any]) -> dict[str, Any]:
    """An answer of `generate_content`."""
    candidate = {"content": {"role": "model", "parts": list(parts)}, "finishReason": "STOP"}
    return {"candidates": [candidate], "modelVersion": "gemini-3.5-flash"}


def as_part(step: dict[str, Any]) -> dict[str, Any]:
    named = {"id": step["id"], "name": step["name"], "args": step["arguments"]}
    return {"functionCall": named}


def test_generate_content(model: Make, desktop: Desktop, window: Window) -> None:
    turns = [content(*map(as_part, turn)) for turn in script(window)]
    served = model(*turns, content({"text": "It is done."}))
    computer = gemini.Computer(desktop)
    config = types.GenerateContentConfig(tools=[computer.content_tool()])
    contents: list[Any] = [{"role": "user", "parts": [{"text": "Greet."}]}]
    made = client(served)
    while True:
        reply = made.models.generate_content(
            model="gemini-3.5-flash", contents=contents, config=config
        )
        contents.append(reply.candidates[0].content)
        parts = computer.parts(reply.candidates[0].content.parts)
        if not parts:
            break
        contents.append({"role": "user", "parts": parts})
    assert reply.text == "It is done."
    received(window)
    assert [len(each.body["contents"]) for each in served.requests] == [1, 3, 5, 7]
    (tool,) = served.requests[0].body["tools"]
    assert tool == {"computerUse": {"environment": "ENVIRONMENT_DESKTOP"}}
    sent = [each["functionResponse"] for each in served.requests[2].body["contents"][-1]["parts"]]
    assert [each["id"] for each in sent] == [f"call_{number}" for number in range(2, 7)]
    assert [each["name"] for each in sent] == ["click", "type", "hotkey", "press_key", "type"]
    assert "UNKNOWN_KEY" in sent[3]["response"]["error"]
    assert sent[4]["response"]["error"].startswith("Not executed")
    inline = sent[4]["parts"][0]["inline_data"]
    assert inline["mime_type"] == "image/png" and not any("parts" in each for each in sent[:4])
    # The SDK sends base64 in the alphabet of URLs.
    assert picture(inline["data"].replace("-", "+").replace("_", "/")).size == (1280, 800)


DECISION = {"decision": "require_confirmation", "explanation": "It sends a message."}


@pytest.mark.parametrize("allowed", [True, False, None])
def test_safety_decisions(
    model: Make, desktop: Desktop, window: Window, allowed: bool | None
) -> None:
    turn = call(1, "type", text="risky", safety_decision=DECISION)
    served, asked = model(interaction(turn), interaction(said("Ended."))), []

    def acknowledge(name: str, given: dict[str, Any]) -> bool:
        asked.append((name, given))
        return bool(allowed)

    computer = gemini.Computer(desktop, **({} if allowed is None else {"acknowledge": acknowledge}))
    made = client(served)
    reply = made.interactions.create(
        model="gemini-3.5-flash", input="Greet.", tools=[computer.tool()]
    )
    made.interactions.create(
        model="gemini-3.5-flash",
        input=computer.results(reply.steps),
        previous_interaction_id=reply.id,
        tools=[computer.tool()],
    )
    said_, image, result = results(served.requests[1])["call_1"]
    assert image.size == (1280, 800)
    if allowed:
        window.until_text("risky")
        assert said_["safety_acknowledgement"] is True and "is_error" not in result
    else:
        assert result["is_error"] and "safety_acknowledgement" not in said_
        assert window.text == "" and window.find("key-press") == []
    if allowed is not None:
        assert asked == [("type", {"text": "risky", "safety_decision": DECISION})]


def test_functions_of_the_worker(desktop: Desktop, window: Window) -> None:
    computer = gemini.Computer(desktop, url=lambda: "about:blank", excluded=["navigate"])
    own = {"type": "function_call", "id": "call_2", "name": "yield_to_user", "arguments": {}}
    made = computer.results([call(1, "navigate", url="x"), own, said("a")])
    assert [each["call_id"] for each in made] == ["call_1"]
    assert made[0]["is_error"] and json.loads(made[0]["result"][0]["text"])["url"] == "about:blank"
    assert computer.tool()["excluded_predefined_functions"] == ["navigate"]
    assert computer.results([own]) == [] and window.find("key-press") == []
