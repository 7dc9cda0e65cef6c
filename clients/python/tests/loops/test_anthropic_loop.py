"""Anthropic's Messages API: a loop with `Computer`, and the SDK's tool runner with `Toolset`."""

from __future__ import annotations

import asyncio
import itertools
import json
import pathlib
from collections.abc import Iterator
from typing import Any

import pytest
from anthropic import Anthropic, AsyncAnthropic
from anthropic.lib.tools._toolsets import _sanitize
from anthropic.types.beta import BetaContentBlockParam
from conftest import Run
from model_server import Make, ModelServer, Request, Stream, picture
from parts import Daemon, Window
from pydantic import TypeAdapter

from deskd import AsyncDesktop, Desktop
from deskd.adapters import anthropic
from deskd.adapters.anthropic_toolset import AsyncToolset, Toolset

HALTED = "Not executed: an earlier computer action in this turn failed."
BLOCKS: TypeAdapter[Any] = TypeAdapter(list[BetaContentBlockParam])
VECTORS = pathlib.Path(__file__).resolve().parents[4] / "tests" / "vendors" / "anthropic.jsonl"
_numbers = itertools.count(1)


def call(number: int, name: str, **given: Any) -> dict[str, Any]:
    """A call of the toolset."""
    block = {"type": "tool_use", "id": f"toolu_{number}", "name": name, "toolset_name": "computer"}
    return {**block, "input": given}


def message(*content: dict[str, Any]) -> dict[str, Any]:
    """An answer of the model; it ends the turn without a call."""
    ends = not any(each["type"] == "tool_use" for each in content)
    return {
        "id": f"msg_{next(_numbers)}",
        "type": "message",
        "role": "assistant",
        "model": "claude-opus-5-5",
        "content": list(content),
        "stop_reason": "end_turn" if ends else "tool_use",
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def accepted(content: list[dict[str, Any]]) -> None:
    """Checks the rules of the API for a message with results: they come first, and a result that is
    an error has text and nothing else."""
    BLOCKS.validate_python(content)
    kinds = [each["type"] for each in content]
    first = kinds.index("image") if "image" in kinds else len(kinds)
    assert set(kinds[:first]) == {"tool_result"} and set(kinds[first:]) <= {"image"}
    for each in content[:first]:
        if each.get("is_error") and not isinstance(each["content"], str):
            assert each["content"] and _sanitize.error_text_content(each["content"]) == each["content"]


def results(request: Request) -> dict[str, dict[str, Any]]:
    """The results in the last message of a request, by the id of their call."""
    last = request.body["messages"][-1]
    assert last["role"] == "user"
    accepted(last["content"])
    return {each["tool_use_id"]: each for each in last["content"] if each["type"] == "tool_result"}


def beside(content: list[dict[str, Any]]) -> list[Any]:
    """The images after the results."""
    return [picture(each["source"]["data"]) for each in content if each["type"] == "image"]


def words(result: dict[str, Any]) -> str:
    """The text of a result."""
    assert result["toolset_name"] == "computer"
    content = result["content"]
    if isinstance(content, str):
        return content
    return " ".join(each["text"] for each in content if each["type"] == "text")


def image(result: dict[str, Any]) -> Any:
    """The image of a result."""
    (source,) = [each["source"] for each in result["content"] if each["type"] == "image"]
    assert source["media_type"] == "image/png"
    return picture(source["data"])


def script(window: Window) -> list[Any]:
    """A model that looks, fills a form, makes a mistake, and ends."""
    return [
        message(text("I look first."), call(1, "screenshot")),
        message(
            call(2, "left_click", coordinate=list(window.in_text())),
            call(3, "type", text="Grüße"),
            call(4, "left_click", coordinate=[5000, 10]),
            call(5, "key", text="Return"),
            call(6, "screenshot"),
        ),
        message(
            call(7, "double_click", coordinate=list(window.in_area(500, 100)), text="ctrl"),
            call(8, "cursor_position"),
            call(
                9, "zoom", region=[*window.origin, window.origin[0] + 200, window.origin[1] + 100]
            ),
        ),
        message(text("It is done.")),
    ]


def check(requests: list[Request], window: Window, *, is_runner: bool) -> None:
    """What the desktop and the model must have received."""
    window.until_text("Grüße")
    window.until("release", 2)
    presses = window.find("press")
    at = window.in_area(500, 100)
    assert [(each["root_x"], each["root_y"], each["count"]) for each in presses] == [
        (*at, 1),
        (*at, 2),
    ]
    assert all("ctrl" in each["state"] for each in presses)
    assert len(requests) == 4
    assert {each.path for each in requests} == {"/v1/messages"}
    (tool,) = requests[0].body["tools"]
    assert tool["type"] == "computer_toolset_20260801"

    first = results(requests[1])["toolu_1"]
    assert image(first).size == (1280, 800) and "is_error" not in first

    batch = results(requests[2])
    assert list(batch) == [f"toolu_{number}" for number in range(2, 7)]
    assert words(batch["toolu_2"]).startswith("Clicked.")
    assert words(batch["toolu_3"]).startswith("Typed.")
    assert "OUT_OF_SCREEN" in words(batch["toolu_4"])
    assert words(batch["toolu_5"]) == words(batch["toolu_6"]) == HALTED
    assert [each.get("is_error", False) for each in batch.values()] == [False] * 2 + [True] * 3

    third = results(requests[3])
    assert words(third["toolu_7"]).startswith("Double-clicked.")
    assert words(third["toolu_8"]) == f"X={at[0]},Y={at[1]}"
    zoomed = image(third["toolu_9"])
    # The part is as large as the usual screenshot.
    assert zoomed.size == (1280, 640)
    # The text is in it, dark on white.
    assert zoomed.getpixel((1270, 600)) == (255, 255, 255)
    assert min(each for _, each in zoomed.convert("L").getcolors(256)) < 80
    if not is_runner:
        # A failure in the middle is followed by the present screen, which saves a screenshot.
        (after,) = beside(requests[2].body["messages"][-1]["content"])
        assert after.size == (1280, 800)


def test_agent(example: Run, model: Make, window: Window) -> None:
    served = model(*script(window))
    assert example("anthropic_agent.py", "Greet.", served) == "It is done."
    check(served.requests, window, is_runner=False)
    assert served.requests[0].body["messages"] == [{"role": "user", "content": "Greet."}]
    assert [len(each.body["messages"]) for each in served.requests] == [1, 3, 5, 7]


def test_toolset_agent(example: Run, model: Make, window: Window) -> None:
    served = model(*script(window))
    assert example("anthropic_toolset_agent.py", "Greet.", served) == "It is done."
    check(served.requests, window, is_runner=True)


def test_asynchronous_toolset(model: Make, daemon: Daemon, window: Window) -> None:
    served = model(*script(window))

    async def run() -> str:
        async with AsyncDesktop(daemon.address) as desktop:
            client = AsyncAnthropic(base_url=served.url, api_key="none")
            runner = client.beta.messages.tool_runner(
                model="claude-opus-5-5",
                max_tokens=4096,
                tools=[AsyncToolset(desktop, confirm=lambda context: True)],
                messages=[{"role": "user", "content": "Greet."}],
            )
            reply = await runner.until_done()
            await client.close()
            return reply.content[-1].text

    assert asyncio.run(run()) == "It is done."
    check(served.requests, window, is_runner=True)
    # The SDK sends only what is new, and keeps the conversation on the server.
    assert [len(each.body["messages"]) for each in served.requests] == [1, 1, 1, 1]
    assert served.requests[1].body["thread"]["type"] == "continue"


def test_asynchronous_computer(model: Make, daemon: Daemon, window: Window) -> None:
    served = model(*script(window))

    async def run() -> None:
        async with (
            AsyncDesktop(daemon.address) as desktop,
            AsyncAnthropic(base_url=served.url, api_key="none") as client,
        ):
            computer, messages = anthropic.AsyncComputer(desktop), []
            turn: Any = "Greet."
            while turn:
                messages.append({"role": "user", "content": turn})
                reply = await client.beta.messages.create(
                    model="claude-opus-5-5",
                    max_tokens=4096,
                    messages=messages,
                    tools=[await computer.tool()],
                )
                messages.append({"role": "assistant", "content": reply.content})
                turn = await computer.results(reply.content)

    asyncio.run(run())
    check(served.requests, window, is_runner=False)


def streamed(reply: dict[str, Any]) -> Stream:
    """An answer in parts."""

    def events() -> Iterator[tuple[str, Any]]:
        yield "message_start", {"message": {**reply, "content": [], "stop_reason": None}}
        for index, block in enumerate(reply["content"]):
            is_call = block["type"] == "tool_use"
            empty = {**block, "input": {}} if is_call else {**block, "text": ""}
            yield "content_block_start", {"index": index, "content_block": empty}
            if is_call:
                delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
            else:
                delta = {"type": "text_delta", "text": block["text"]}
            yield "content_block_delta", {"index": index, "delta": delta}
            yield "content_block_stop", {"index": index}
        delta = {"stop_reason": reply["stop_reason"], "stop_sequence": None}
        yield "message_delta", {"delta": delta, "usage": {"output_tokens": 1}}
        yield "message_stop", {}

    return Stream([(name, {"type": name, **data}) for name, data in events()])


def runner(served: ModelServer, toolset: Toolset, **options: Any) -> Any:
    """The SDK's tool runner."""
    client = Anthropic(base_url=served.url, api_key="none")
    return client.beta.messages.tool_runner(
        model="claude-opus-5-5",
        max_tokens=4096,
        tools=[toolset],
        messages=[{"role": "user", "content": "Greet."}],
        **options,
    )


def test_streamed_answers(model: Make, desktop: Desktop, window: Window) -> None:
    served = model(*map(streamed, script(window)))
    toolset = Toolset(desktop, confirm=lambda context: True)
    for stream in runner(served, toolset, stream=True):
        stream.until_done()
    check(served.requests, window, is_runner=True)


def test_a_person_refuses(model: Make, desktop: Desktop, window: Window) -> None:
    asked = []

    def confirm(context: Any) -> bool:
        asked.append((context.member, context.tool_use.id))
        return context.member != "type"

    turn = [call(1, "left_click", coordinate=[640, 740]), call(2, "type", text="never")]
    served = model(
        message(call(0, "screenshot")),
        message(*turn, call(3, "key", text="a")),
        message(text("Ended.")),
    )
    runner(served, Toolset(desktop, confirm=confirm)).until_done()
    got = results(served.requests[2])
    assert asked == [
        ("screenshot", "toolu_0"),
        ("left_click", "toolu_1"),
        ("type", "toolu_2"),
    ]
    assert got["toolu_2"]["is_error"] and words(got["toolu_3"]) == HALTED

    computer = anthropic.Computer(desktop, confirm=lambda name, given: name != "type")
    computer.results([call(0, "screenshot")])
    *answers, shown = computer.results([*turn, call(3, "key", text="a")])
    accepted([*answers, shown])
    assert shown["type"] == "image"
    made = {each["tool_use_id"]: each for each in answers}
    assert [each.get("is_error", False) for each in made.values()] == [False, True, True]
    assert "a person did not allow type" in words(made["toolu_2"])
    assert words(made["toolu_3"]) == HALTED
    assert window.text == "" and window.find("key-press") == []


@pytest.mark.parametrize("version", ["computer_20241022", "computer_20250124", "computer_20251124"])
def test_older_versions(model: Make, desktop: Desktop, window: Window, version: str) -> None:
    def action(number: int, **given: Any) -> dict[str, Any]:
        return {"type": "tool_use", "id": f"toolu_{number}", "name": "computer", "input": given}

    x, y = window.in_area(500, 100)
    served = model(
        message(action(1, action="screenshot")),
        message(
            action(2, action="mouse_move", coordinate=[x, y]),
            action(3, action="left_click"),
            action(4, action="key", text="h"),
            action(5, action="type", text="ello"),
        ),
        message(text("Done.")),
    )
    client = Anthropic(base_url=served.url, api_key="none")
    computer, messages = anthropic.Computer(desktop, version=version), []
    turn: Any = "Greet."
    while turn:
        messages.append({"role": "user", "content": turn})
        reply = client.beta.messages.create(
            model="claude-sonnet-4-6",
            max_tokens=4096,
            messages=messages,
            tools=[computer.tool()],
            betas=computer.betas,
        )
        messages.append({"role": "assistant", "content": reply.content})
        turn = computer.results(reply.content)
    window.until_text("hello")
    press = window.until("press")[0]
    assert (press["root_x"], press["root_y"]) == (x, y)
    first = served.requests[0]
    assert first.headers["anthropic-beta"] == computer.betas[0]
    (tool,) = first.body["tools"]
    assert (tool["type"], tool["name"]) == (version, "computer")
    assert (tool["display_width_px"], tool["display_height_px"]) == (1280, 800)
    got = results(served.requests[2])
    assert list(got) == ["toolu_2", "toolu_3", "toolu_4", "toolu_5"]
    assert not any("is_error" in each or "toolset_name" in each for each in got.values())


def test_another_tool_in_the_same_turn(desktop: Desktop, window: Window) -> None:
    """The worker answers its own tools."""
    other = {"type": "tool_use", "id": "toolu_9", "name": "left_click", "input": {}}
    computer = anthropic.Computer(desktop, frame_after=False)
    computer.results([call(0, "screenshot")])
    made = computer.results([text("a"), call(1, "mouse_move", coordinate=[7, 9]), other])
    assert [each["tool_use_id"] for each in made] == ["toolu_1"]
    assert desktop.cursor() == (7, 9)
    assert computer.results([text("a"), other]) == []


def test_points_before_the_first_screenshot(
    model: Make, desktop: Desktop, window: Window
) -> None:
    """The model must take a screenshot: the SDK sends it no picture of the error."""
    click = {"coordinate": list(window.in_area(500, 100))}
    served = model(
        message(call(1, "left_click", **click)),
        message(call(2, "left_click", **click)),
        message(call(3, "screenshot"), call(4, "left_click", **click)),
        message(text("Done.")),
    )
    runner(served, Toolset(desktop, confirm=lambda context: True)).until_done()
    for number in (1, 2):
        refused = results(served.requests[number])[f"toolu_{number}"]
        assert refused["is_error"] and "there is no screenshot" in words(refused)
        assert all(each["type"] == "text" for each in refused["content"])
    assert not any(each.get("is_error") for each in results(served.requests[3]).values())
    assert len(window.until("press")) == 1


def test_no_picture_of_the_screen(model: Make, own: Any) -> None:
    """A card reaches the model as an error."""
    daemon = own(Daemon, ":9999")
    with daemon.desktop(timeout=0.5) as desktop:
        served = model(message(call(1, "screenshot"), call(2, "key", text="a")), message(text("x")))
        runner(served, Toolset(desktop, confirm=lambda context: True)).until_done()
        got = results(served.requests[1])
        assert got["toolu_1"]["is_error"] and "NO_DISPLAY" in words(got["toolu_1"])
        assert words(got["toolu_2"]) == HALTED

        computer = anthropic.Computer(desktop)
        *made, card = computer.results([call(1, "screenshot"), call(2, "key", text="a")])
        accepted([*made, card])
        assert [each["is_error"] for each in made] == [True, True]
        assert words(made[0]).startswith("Not performed") and "NO_DISPLAY" in words(made[0])
        # The card follows the results.
        assert words(made[1]) == HALTED and beside([card])[0].size[0] > 0
        alone, card = computer.results([call(3, "screenshot")])
        accepted([alone, card])
        assert alone["is_error"] and words(alone).startswith("No picture of the screen: ")
        assert beside([card])[0].size[0] > 0


def test_the_api_accepts_each_reply_of_the_vectors() -> None:
    replies = [json.loads(line)["reply"] for line in VECTORS.read_text().splitlines()]
    errors = [each for each in replies if any("is_error" in block for block in each)]
    assert len(errors) > 100
    for each in replies:
        if each:
            accepted(each)


def test_the_picture_after_an_error_counts_as_seen(desktop: Desktop, window: Window) -> None:
    """The model gets it in the same message, and points at it."""
    computer = anthropic.Computer(desktop)
    at = window.in_area(500, 100)
    refused, shown = computer.results([call(1, "left_click", coordinate=list(at))])
    assert refused["is_error"] and beside([shown])[0].size == (1280, 800)
    (done,) = computer.results([call(2, "left_click", coordinate=list(at))])
    assert "is_error" not in done and len(window.until("press")) == 1
