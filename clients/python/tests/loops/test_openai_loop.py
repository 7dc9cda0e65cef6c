"""OpenAI's Responses API: a loop with `Computer`, and the Agents SDK with `DeskdComputer`."""

from __future__ import annotations

import asyncio
import itertools
import os
from typing import Any

os.environ["OPENAI_AGENTS_DISABLE_TRACING"] = "1"

import pytest
from agents import Agent, ComputerTool, OpenAIResponsesModel, Runner
from conftest import Run
from model_server import Make, Request, picture
from openai import AsyncOpenAI, OpenAI
from parts import Daemon, Window

from deskd import AsyncDesktop, DeskdError, Desktop
from deskd.adapters import openai
from deskd.adapters.openai_agents import DeskdComputer, DeskdSyncComputer

_numbers = itertools.count(1)


def call(number: int, *actions: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A call of the computer tool."""
    item = {"type": "computer_call", "id": f"cu_{number}", "call_id": f"call_{number}"}
    rest = {"status": "completed", "pending_safety_checks": [], "actions": list(actions)}
    return {**item, **rest, **more}


def said(words: str) -> dict[str, Any]:
    """What the model says."""
    content = [{"type": "output_text", "text": words, "annotations": []}]
    item = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed"}
    return {**item, "content": content}


def response(*output: dict[str, Any]) -> dict[str, Any]:
    """An answer of the model."""
    return {
        "id": f"resp_{next(_numbers)}",
        "object": "response",
        "created_at": 0,
        "status": "completed",
        "model": "gpt-6.1-sol",
        "output": list(output),
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
    }


def script(window: Window) -> list[Any]:
    """A model that looks, fills a form, and ends."""
    text, area = window.in_text(), window.in_area(500, 100)
    return [
        response(call(1, {"type": "screenshot"})),
        response(
            call(
                2,
                {"type": "click", "button": "left", "x": text[0], "y": text[1]},
                {"type": "type", "text": "日本 two"},
                {"type": "keypress", "keys": ["SHIFT", "HOME"]},
                {"type": "keypress", "keys": ["CTRL", "C"]},
                {"type": "keypress", "keys": ["END"]},
                {"type": "keypress", "keys": ["CTRL", "V"]},
                {"type": "click", "button": "right", "x": area[0], "y": area[1], "keys": ["SHIFT"]},
                {"type": "scroll", "x": area[0], "y": area[1], "scroll_x": 0, "scroll_y": 250},
            )
        ),
        response(said("It is done.")),
    ]


def outputs(request: Request) -> dict[str, dict[str, Any]]:
    """The outputs of calls in a request, by the id of their call."""
    items = request.body["input"]
    found = [each for each in items if each.get("type") == "computer_call_output"]
    assert all(each["output"]["type"] == "computer_screenshot" for each in found)
    return {each["call_id"]: each for each in found}


def image(output: dict[str, Any]) -> Any:
    return picture(output["output"]["image_url"])


def check(requests: list[Request], window: Window) -> None:
    """What the desktop and the model must have received."""
    window.until_text("日本 two日本 two")
    press = window.until("press")[0]
    assert (press["root_x"], press["root_y"], press["button"]) == (*window.in_area(500, 100), 3)
    assert press["state"] == ["shift"]
    scrolls = window.until("scroll", 3)
    assert sum(each["dy"] for each in scrolls) == 3
    assert len(requests) == 3 and {each.path for each in requests} == {"/v1/responses"}
    assert requests[0].body["tools"] == [{"type": "computer"}]
    first, second = outputs(requests[1])["call_1"], outputs(requests[2])["call_2"]
    assert image(first).size == image(second).size == (1280, 800)
    # The second picture has the text, which the first one lacks.
    part = (*window.origin, window.origin[0] + 200, window.origin[1] + 40)
    assert image(first).crop(part).tobytes() != image(second).crop(part).tobytes()


def test_agent(example: Run, model: Make, window: Window) -> None:
    served = model(*script(window))
    assert example("openai_agent.py", "Greet.", served) == "It is done."
    check(served.requests, window)
    first, second, third = served.requests
    assert (
        first.body["input"] == "Greet."
        and second.body["input"][0]["output"]["detail"] == "original"
    )
    assert third.body["previous_response_id"].startswith("resp_")
    assert [len(each.body["input"]) for each in (second, third)] == [1, 1]


def test_agents_sdk(example: Run, model: Make, window: Window) -> None:
    served = model(*script(window))
    assert example("openai_agents_sdk.py", "Greet.", served) == "It is done."
    check(served.requests, window)


def loop(client: OpenAI, computer: openai.Computer) -> str:
    """A loop as in the example."""
    options: dict[str, Any] = {"model": "gpt-6.1-sol", "tools": [computer.tool()]}
    reply = client.responses.create(input="Greet.", **options)
    while made := computer.outputs(reply.output):
        reply = client.responses.create(input=made, previous_response_id=reply.id, **options)
    return reply.output_text


def test_a_batch_with_a_mistake(model: Make, desktop: Desktop, window: Window) -> None:
    served = model(
        response(call(0, {"type": "screenshot"})),
        response(
            said("I type."),
            call(
                1,
                {"type": "type", "text": "one"},
                {"type": "click", "button": "left", "x": 4000, "y": 10},
                {"type": "type", "text": "never"},
            ),
        ),
        response(said("I see.")),
    )
    client = OpenAI(base_url=f"{served.url}/v1", api_key="none")
    assert loop(client, openai.Computer(desktop)) == "I see."
    window.until_text("one")
    result, report = served.requests[2].body["input"]
    assert result["call_id"] == "call_1" and image(result).size == (1280, 800)
    assert (report["type"], report["role"]) == ("message", "user")
    (content,) = report["content"]
    assert content["type"] == "input_text"
    assert "Action 2 (click)" in content["text"] and "OUT_OF_SCREEN" in content["text"]
    assert "Action 3 (type): Not executed" in content["text"] and "Action 1" not in content["text"]


CHECKS = [{"id": "sc_1", "code": "malicious_instructions", "message": "A page gives orders."}]


@pytest.mark.parametrize("allowed", [True, False, None])
def test_safety_checks(model: Make, desktop: Desktop, window: Window, allowed: bool | None) -> None:
    turn = call(1, {"type": "type", "text": "risky"}, pending_safety_checks=CHECKS)
    served, asked = model(response(turn), response(said("Ended."))), []

    def acknowledge(checks: list[dict[str, Any]]) -> bool:
        asked.append(checks)
        return bool(allowed)

    options = {} if allowed is None else {"acknowledge": acknowledge}
    client = OpenAI(base_url=f"{served.url}/v1", api_key="none")
    assert loop(client, openai.Computer(desktop, **options)) == "Ended."
    sent = served.requests[1].body["input"]
    assert image(sent[0]).size == (1280, 800)
    if allowed:
        window.until_text("risky")
        assert sent[0]["acknowledged_safety_checks"] == CHECKS and len(sent) == 1
    else:
        assert "acknowledged_safety_checks" not in sent[0]
        assert "a person must confirm first" in sent[1]["content"][0]["text"]
        assert window.text == "" and window.find("key-press") == []
    assert asked == ([] if allowed is None else [CHECKS])


def test_preview_tool(model: Make, desktop: Desktop, window: Window) -> None:
    x, y = window.in_area(500, 100)
    old = {"action": {"type": "double_click", "x": x, "y": y}}
    item = call(1, **old)
    del item["actions"]
    look = call(0, action={"type": "screenshot"})
    del look["actions"]
    served = model(response(look), response(item), response(said("Done.")))
    client = OpenAI(base_url=f"{served.url}/v1", api_key="none")
    assert loop(client, openai.Computer(desktop, preview=True)) == "Done."
    assert [each["count"] for each in window.until("press", 2)] == [1, 2]
    (tool,) = served.requests[0].body["tools"]
    assert tool["type"] == "computer_use_preview" and tool["environment"] == "linux"
    assert (tool["display_width"], tool["display_height"]) == (1280, 800)
    (output,) = served.requests[2].body["input"]
    assert "detail" not in output["output"]


def test_asynchronous_computer(model: Make, daemon: Daemon, window: Window) -> None:
    served = model(*script(window))

    async def run() -> str:
        async with (
            AsyncDesktop(daemon.address) as desktop,
            AsyncOpenAI(base_url=f"{served.url}/v1", api_key="none") as client,
        ):
            computer = openai.AsyncComputer(desktop)
            options: dict[str, Any] = {"model": "gpt-6.1-sol", "tools": [await computer.tool()]}
            reply = await client.responses.create(input="Greet.", **options)
            while made := await computer.outputs(reply.output):
                reply = await client.responses.create(
                    input=made, previous_response_id=reply.id, **options
                )
            return reply.output_text

    assert asyncio.run(run()) == "It is done."
    check(served.requests, window)


async def run_agent(computer: Any, url: str, **options: Any) -> str:
    """Runs an agent of the SDK, whose model is the given one."""
    async with AsyncOpenAI(base_url=f"{url}/v1", api_key="none") as client:
        model = OpenAIResponsesModel(model="gpt-6.1-sol", openai_client=client)
        tools = [ComputerTool(computer, **options)]
        result = await Runner.run(Agent(name="Desk", model=model, tools=tools), "Greet.")
    return str(result.final_output)


async def run_asynchronously(daemon: Daemon, url: str, **options: Any) -> str:
    """The same with a computer on an `AsyncDesktop`."""
    async with AsyncDesktop(daemon.address) as desktop:
        return await run_agent(DeskdComputer(desktop), url, **options)


def test_agents_sdk_with_a_synchronous_computer(
    model: Make, desktop: Desktop, window: Window
) -> None:
    served = model(*script(window))
    assert asyncio.run(run_agent(DeskdSyncComputer(desktop), served.url)) == "It is done."
    check(served.requests, window)


def test_every_method_of_the_agents_sdk(
    model: Make, daemon: Daemon, window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openai, "WAIT", 0.05)
    x, y = window.in_area(450, 60)
    path = [{"x": x, "y": y}, {"x": x + 100, "y": y + 20}, {"x": x + 50, "y": y + 60}]
    served = model(
        response(call(0, {"type": "screenshot"})),
        response(
            call(
                1,
                {"type": "move", "x": x, "y": y},
                {"type": "double_click", "x": x, "y": y, "keys": ["CTRL"]},
                {"type": "drag", "path": path, "keys": ["SHIFT"]},
                {"type": "click", "button": "wheel", "x": x, "y": y + 90},
                {"type": "click", "button": "back", "x": x, "y": y + 90},
                {"type": "wait"},
                {"type": "scroll", "x": x, "y": y, "scroll_x": -100, "scroll_y": 0},
                {"type": "scroll", "x": x, "y": y, "scroll_x": 0, "scroll_y": 0},
                {"type": "screenshot"},
            ),
            call(2, {"type": "type", "text": "a"}, {"type": "keypress", "keys": ["ENTER"]}),
        ),
        response(said("Done.")),
    )
    assert asyncio.run(run_asynchronously(daemon, served.url)) == "Done."
    window.until_text("a\n")
    presses, releases = window.until("press", 5), window.until("release", 5)
    assert [each["button"] for each in presses] == [1, 1, 1, 2, 8]
    assert [each["state"] for each in presses] == [["ctrl"], ["ctrl"], ["shift"], [], []]
    assert (releases[2]["root_x"], releases[2]["root_y"]) == (x + 50, y + 60)
    assert [each["dx"] for each in window.until("scroll")] == [-1]
    made = outputs(served.requests[2])
    assert list(made) == ["call_0", "call_1", "call_2"]
    assert all(image(each).size == (1280, 800) for each in made.values())


def test_a_mistake_ends_the_run_of_the_agents_sdk(
    model: Make, daemon: Daemon, window: Window
) -> None:
    wrong = {"type": "keypress", "keys": ["NOSUCHKEY"]}
    served = model(response(call(1, wrong, {"type": "type", "text": "never"})))
    with pytest.raises(DeskdError) as failed:
        asyncio.run(run_asynchronously(daemon, served.url))
    assert "UNKNOWN_KEY" in str(failed.value)
    assert window.text == "" and window.find("key-press") == []


def test_safety_checks_of_the_agents_sdk(model: Make, daemon: Daemon, window: Window) -> None:
    turn = call(1, {"type": "type", "text": "risky"}, pending_safety_checks=CHECKS)
    served = model(response(turn), response(said("Ended.")))
    allow = {"on_safety_check": lambda data: True}
    assert asyncio.run(run_asynchronously(daemon, served.url, **allow)) == "Ended."
    window.until_text("risky")
    assert outputs(served.requests[1])["call_1"]["acknowledged_safety_checks"] == CHECKS
