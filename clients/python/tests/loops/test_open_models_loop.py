"""Open models that answer in text, on a server for chat completions."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from conftest import Run
from model_server import Make, Request, picture
from parts import Daemon, Window

from deskd import AsyncDesktop, Desktop
from deskd.adapters import opencua, osworld, qwen, ui_tars


def completion(text: str) -> dict[str, Any]:
    """An answer of the model."""
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {"id": "c", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]}


def last(request: Request) -> tuple[str, Any]:
    """The text and the image of the last message of a request."""
    message = request.body["messages"][-1]
    assert message["role"] == "user"
    words = "".join(each["text"] for each in message["content"] if each["type"] == "text")
    (url,) = [
        each["image_url"]["url"] for each in message["content"] if each["type"] == "image_url"
    ]
    return words, picture(url)


def grid(point: tuple[int, int]) -> tuple[int, int]:
    """A point of the screen on a grid of 1000 x 1000."""
    return point[0] * 1000 // 1280, point[1] * 1000 // 800


def test_ui_tars_agent(example: Run, model: Make, window: Window) -> None:
    # The picture has sides that are multiples of 28: 1260 x 784.
    x, y = (
        each * side // full
        for each, side, full in zip(window.in_area(500, 100), (1260, 784), (1280, 800), strict=True)
    )
    served = model(
        completion(f"Thought: I click.\nAction: left_double(point='<point>{x} {y}</point>')"),
        completion("Thought: I type.\nAction: type(content='it\\'s \"done\"\\n')"),
        completion("Action: click(point='<point>9000 5</point>')\n\nhotkey(key='ctrl a')"),
        completion("Action: hotkey(key='ctrl a')\n\nhotkey(key='ctrl c')"),
        completion("Action: dance()"),
        completion("Thought: Ready.\nAction: finished(content='All good.')"),
    )
    assert example("ui_tars_agent.py", "Greet.", served) == "finished: All good."
    window.until_text('it\'s "done"\n')
    press = window.until("press", 2)[-1]
    assert press["count"] == 2
    assert abs(press["root_x"] - window.in_area(500, 100)[0]) <= 1
    assert abs(press["root_y"] - window.in_area(500, 100)[1]) <= 1
    assert {each.path for each in served.requests} == {"/v1/chat/completions"}
    seen = [last(each) for each in served.requests]
    assert {image.size for _, image in seen} == {(1260, 784)}
    assert seen[0][0] == "Greet." and "OUT_OF_SCREEN" in seen[3][0]
    assert "Not executed" in seen[3][0] and "dance" in seen[5][0]
    # The first ctrl+a followed a call that failed, and was not pressed.
    names = [each["name"] for each in window.find("key-press")]
    assert [each for each in names if each in ("a", "c")] == ["a", "c"]


def use(**given: Any) -> str:
    return (
        "<tool_call>\n"
        + json.dumps({"name": "computer_use", "arguments": given})
        + "\n</tool_call>"
    )


def test_qwen_agent(example: Run, model: Make, window: Window) -> None:
    text, area = grid(window.in_text()), grid(window.in_area(500, 100))
    served = model(
        completion("I click.\n" + use(action="left_click", coordinate=text)),
        completion(use(action="type", text="ça va") + use(action="key", keys=["shift", "Home"])),
        completion(use(action="key", keys=["NoSuchKey"]) + use(action="key", keys=["Delete"])),
        completion(use(action="scroll", coordinate=area, pixels=-300)),
        completion(use(action="right_click", coordinate=area)),
        completion("no call"),
        completion(use(action="terminate", status="success", text="All good.")),
    )
    assert example("qwen_agent.py", "Greet.", served) == "finished: All good."
    window.until_text("ça va")
    assert sum(each["dy"] for each in window.until("scroll", 3)) == 3
    press = window.until("press")[0]
    assert press["button"] == 3 and abs(press["root_x"] - window.in_area(500, 100)[0]) <= 1
    seen = [last(each) for each in served.requests]
    assert {image.size for _, image in seen} == {(1280, 800)}
    assert "UNKNOWN_KEY" in seen[3][0] and "Not executed" in seen[3][0]
    assert "no tool call" in seen[6][0]
    assert "Delete" not in {each["name"] for each in window.find("key-press")}


def test_opencua(desktop: Desktop, window: Window) -> None:
    computer = opencua.Computer(desktop)
    message = computer.start("Greet.")
    assert message["content"][0] == {"type": "text", "text": "Greet."}
    assert picture(message["content"][1]["image_url"]["url"]).size == (1260, 784)
    turn = computer.perform(
        "I type.\n```python\npyautogui.write('abc')\npyautogui.press('left')\n```"
    )
    assert not turn.is_error and turn.control is None
    turn = computer.perform("```python\npyautogui.write('X')\nimport os\nos.remove('x')\n```")
    assert turn.is_error
    window.until_text("abc")
    turn = computer.perform("```code\ncomputer.terminate(status='success', answer='Done.')\n```")
    assert (turn.control, turn.answer) == ("finished", "Done.")


def test_osworld(desktop: Desktop, window: Window) -> None:
    computer, (x, y) = osworld.Computer(desktop), window.in_area(500, 100)
    assert computer.look().size == (1280, 800)
    turn = computer.step({"action_type": "CLICK", "parameters": {"x": x, "y": y, "num_clicks": 2}})
    assert not turn.is_error and [each["count"] for each in window.until("press", 2)] == [1, 2]
    assert not computer.step(f"pyautogui.moveTo({x}, {y})\npyautogui.write('abc')").is_error
    window.until_text("abc")
    assert desktop.cursor() == (x, y)
    assert computer.step("DONE").control == "finished" and computer.step("FAIL").control == "failed"


def test_asynchronous_computers(daemon: Daemon, window: Window) -> None:
    async def run() -> None:
        async with AsyncDesktop(daemon.address) as desktop:
            tars = ui_tars.AsyncComputer(desktop, version="2")
            assert (await tars.start("Greet."))["role"] == "user"
            turn = await tars.call([("type", {"content": "a"}), ("call_user", {})])
            assert turn.control == "call_user" and turn.frame is not None
            fara = qwen.AsyncComputer(desktop, version="fara")
            await fara.look()
            turn = await fara.perform(use(action="type", text="b", press_enter=True))
            assert not turn.is_error
            turn = await opencua.AsyncComputer(desktop, relative=True).perform(
                "pyautogui.write('c')"
            )
            assert not turn.is_error
            assert not (await osworld.AsyncComputer(desktop).step("pyautogui.press('d')")).is_error

    asyncio.run(run())
    window.until_text("ab\ncd")
