"""Evaluations of inspect_ai whose tasks use the computer tool of this package."""

from __future__ import annotations

import itertools
import pathlib
from typing import Any

import pytest
from inspect_ai import Task, eval, task
from inspect_ai.dataset import Sample
from inspect_ai.log import EvalLog
from inspect_ai.model import ChatMessage as Message
from inspect_ai.model import (
    ChatMessageTool,
    ContentImage,
    ContentText,
    GenerateConfig,
    ModelOutput,
    ModelUsage,
    get_model,
)
from inspect_ai.scorer import includes
from inspect_ai.solver import generate, use_tools
from model_server import Make, picture
from parts import Daemon, Window

from deskd import AsyncDesktop
from deskd.adapters.inspect_ai import computer

# --- What a user writes ---


@task
def desk(server: str, max_screenshots: int | None = 1) -> Task:
    """A task on a desktop."""
    tools = [computer(AsyncDesktop(server), max_screenshots=max_screenshots)]
    return Task(
        dataset=[Sample(input="Greet.", target="done")],
        solver=[use_tools(tools), generate()],
        scorer=includes(),
    )


# --- The tests ---


def call(**arguments: Any) -> ModelOutput:
    """An answer of the model: a call of the computer."""
    made = ModelOutput.for_tool_call("mockllm/model", "computer", arguments)
    # Without it, inspect_ai counts the tokens with a table from the network.
    made.usage = ModelUsage()
    return made


def said(text: str) -> ModelOutput:
    """An answer of the model without a call."""
    made = ModelOutput.from_content("mockllm/model", text)
    made.usage = ModelUsage()
    return made


def run(made: Task, model: Any, folder: pathlib.Path) -> EvalLog:
    """Runs an evaluation, which must end without an error."""
    (log,) = eval(made, model=model, log_dir=str(folder), display="none", log_samples=True)
    assert log.status == "success", log.error
    return log


def results(log: EvalLog) -> list[ChatMessageTool]:
    """The results of the model's calls."""
    assert log.samples is not None
    sample = log.samples[0]
    found = [each for each in sample.messages if isinstance(each, ChatMessageTool)]
    for image in itertools.chain(*map(images, found)):
        # The log keeps images apart.
        image.image = sample.attachments[image.image.removeprefix("attachment://")]
    return found


def images(message: Message) -> list[ContentImage]:
    content = message.content if isinstance(message.content, list) else []
    return [each for each in content if isinstance(each, ContentImage)]


def words(message: Message) -> str:
    if isinstance(message.content, str):
        return message.content
    return " ".join(each.text for each in message.content if isinstance(each, ContentText))


def test_evaluation(daemon: Daemon, window: Window, tmp_path: pathlib.Path) -> None:
    area = list(window.in_area(500, 100))
    seen: list[list[Message]] = []
    script = iter(
        [
            call(action="screenshot"),
            call(action="left_click", coordinate=list(window.in_text())),
            call(action="type", text="héllo", press_enter=True),
            call(action="key", text="NoSuchKey"),
            call(
                actions=[
                    {"action": "double_click", "coordinate": area},
                    {
                        "action": "zoom",
                        "region": [*window.origin, window.origin[0] + 200, window.origin[1] + 100],
                    },
                ]
            ),
            call(action="back_click", coordinate=area),
            call(action="cursor_position"),
            said("All is done."),
        ]
    )

    def answer(messages: list[Message], *rest: Any) -> ModelOutput:
        seen.append([each.model_copy(deep=True) for each in messages])
        return next(script)

    model = get_model("mockllm/model", custom_outputs=answer, memoize=False)
    log = run(desk(daemon.address), model, tmp_path)
    assert log.results is not None and log.results.scores[0].metrics["accuracy"].value == 1
    window.until_text("héllo\n")
    presses = window.until("press", 3)
    assert [(each["button"], each["count"]) for each in presses] == [(1, 1), (1, 2), (8, 1)]
    made = results(log)
    assert len(made) == 7
    assert picture(images(made[0])[0].image).size == (1280, 800)
    assert all(len(images(each)) == 1 for each in made[1:3])
    assert made[3].error is not None and "UNKNOWN_KEY" in made[3].error.message
    assert picture(images(made[4])[-1].image).size == (1280, 640)
    assert words(made[6]) == f"X={area[0]},Y={area[1]}"
    # The model sees only the last screenshot again.
    for messages in seen[1:]:
        assert sum(len(images(each)) for each in messages) <= 1, "an old screenshot was sent again"


def test_all_screenshots(daemon: Daemon, window: Window, tmp_path: pathlib.Path) -> None:
    seen: list[int] = []
    script = [call(action="screenshot"), call(action="screenshot")]
    script.append(said("done"))

    def answer(messages: list[Message], *rest: Any) -> ModelOutput:
        seen.append(sum(len(images(each)) for each in messages))
        return script[len(seen) - 1]

    model = get_model("mockllm/model", custom_outputs=answer, memoize=False)
    run(desk(daemon.address, max_screenshots=None), model, tmp_path)
    assert seen == [0, 1, 2]


def member(number: int, name: str, **given: Any) -> dict[str, Any]:
    block = {"type": "tool_use", "id": f"toolu_{number}", "name": name, "toolset_name": "computer"}
    return {**block, "input": given}


def message(number: int, *content: dict[str, Any]) -> dict[str, Any]:
    """An answer of Anthropic's API."""
    ends = content[0]["type"] == "text"
    return {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "model": "claude-opus-5-5",
        "content": list(content),
        "stop_reason": "end_turn" if ends else "tool_use",
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }


def test_a_model_with_a_computer_tool_of_its_own(
    model: Make,
    daemon: Daemon,
    window: Window,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """inspect_ai declares Anthropic's toolset in place of the function."""
    served = model(
        message(1, member(1, "screenshot")),
        message(
            2,
            member(2, "type", text="abc"),
            member(3, "left_click", coordinate=[9999, 1]),
            member(4, "type", text="never"),
        ),
        message(3, {"type": "text", "text": "It is done."}),
    )
    monkeypatch.setenv("ANTHROPIC_API_KEY", "none")
    made = get_model(
        "anthropic/claude-opus-5-5",
        base_url=served.url,
        config=GenerateConfig(max_tokens=4096),
        streaming=False,
        memoize=False,
    )
    log = run(desk(daemon.address), made, tmp_path)
    window.until_text("abc")
    (tool,) = served.requests[0].body["tools"]
    assert tool["type"] == "computer_toolset_20260801"
    first, second, third, fourth = results(log)
    assert picture(images(first)[0].image).size == (1280, 800) and second.error is None
    assert third.error is not None and "OUT_OF_SCREEN" in third.error.message
    assert fourth.error is not None
    sent = served.requests[2].body["messages"][-1]["content"]
    assert [each["tool_use_id"] for each in sent] == ["toolu_2", "toolu_3", "toolu_4"]
    assert [bool(each.get("is_error")) for each in sent] == [False, True, True]
    assert all(each["toolset_name"] == "computer" for each in sent)
    assert "Not executed: an earlier computer action in this turn failed." in str(
        sent[2]["content"]
    )
