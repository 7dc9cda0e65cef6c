"""What the adapters do with answers of a model that are wrong, and with a desktop that goes away."""

from __future__ import annotations

import os
import pathlib
import tempfile
from typing import Any

import pytest

from deskd import actions
from deskd.adapters import fields, gemini, openai, opencua, osworld, qwen, ui_tars
from deskd.address import Address
from deskd.errors import DeskdError, OutcomeUnknown, Unavailable
from deskd.frame import Frame, Rect
from deskd.step import ActionResult, Settle, Step

SCREEN = (1280, 800)
FRAME = Frame(
    image=b"image",
    format="png",
    width=SCREEN[0],
    height=SCREEN[1],
    stride=0,
    region=Rect(0, 0, *SCREEN),
    screen=SCREEN,
    frame_id="frame",
    is_card=False,
    is_unchanged=False,
    failure=None,
    pointer=None,
    message=None,
)


class Desktop:
    """Notes the steps. `error` is what a step raises; afterwards no daemon answers."""

    def __init__(self, error: DeskdError | None = None) -> None:
        self.error, self.steps = error, 0
        self.is_gone = False

    def screenshot(self, **_: Any) -> Frame:
        if self.is_gone:
            raise Unavailable("no daemon answers", status="UNAVAILABLE")
        return FRAME

    def act(self, asked: Any, **_: Any) -> Step:
        self.steps += 1
        if self.error is not None:
            self.is_gone = isinstance(self.error, OutcomeUnknown)
            raise self.error
        results = tuple(ActionResult("DONE", None, None, 0, None, None) for _ in asked)
        return Step("DONE", results, Settle("QUIET", None, 0.1), FRAME, False, "step")


def call(number: int, *made: Any, **more: Any) -> dict[str, Any]:
    return {"type": "computer_call", "call_id": f"call_{number}", "actions": list(made), **more}


CLICK = {"type": "click", "button": "left", "x": 5, "y": 5}


def texts(items: list[dict[str, Any]]) -> list[str]:
    return [each["content"][0]["text"] for each in items if each["type"] == "message"]


def test_openai_performs_no_call_after_one_that_failed() -> None:
    desktop = Desktop(Unavailable("refused", reason="INPUT_TAKEN", status="UNAVAILABLE"))
    computer = openai.Computer(desktop)
    computer._session.seen = FRAME
    items = computer.outputs([call(1, CLICK), call(2, CLICK, CLICK)])
    assert desktop.steps == 1
    outputs = [each["call_id"] for each in items if each["type"] == "computer_call_output"]
    assert outputs == ["call_1", "call_2"]
    first, second = texts(items)
    assert "Not performed: refused" in first
    assert second.count("Not executed: an earlier action failed.") == 2


def test_openai_confirms_all_calls_before_the_first() -> None:
    desktop, asked = Desktop(), []

    def acknowledge(checks: list[dict[str, Any]]) -> bool:
        asked.append((checks[0]["id"], desktop.steps))
        return checks[0]["id"] != "b"

    computer = openai.Computer(desktop, acknowledge=acknowledge)
    checked = [call(1, CLICK, pending_safety_checks=[{"id": "a"}])]
    checked.append(call(2, CLICK, pending_safety_checks=[{"id": "b", "message": "Sure?"}]))
    items = computer.outputs(checked)
    assert asked == [("a", 0), ("b", 0)]
    assert desktop.steps == 0
    assert "Sure?" in texts(items)[1]


@pytest.mark.parametrize("wrong", [{"a": 1}, "text", 5, True])
def test_openai_refuses_lists_that_are_none(wrong: Any) -> None:
    for item in (
        {"type": "computer_call", "call_id": "call", "actions": wrong},
        call(1, CLICK, pending_safety_checks=wrong),
        call(1, CLICK, pending_safety_checks=[5]),
    ):
        desktop = Desktop()
        items = openai.Computer(desktop, acknowledge=lambda _: True).outputs([item])
        assert desktop.steps == 0
        assert "must be a list" in texts(items)[0]


@pytest.mark.parametrize("make", [openai.Computer, ui_tars.Computer])
def test_an_unknown_outcome_is_not_lost_with_the_picture(make: Any) -> None:
    computer = make(Desktop(OutcomeUnknown("the connection broke")))
    computer._session.seen = FRAME
    with pytest.raises(OutcomeUnknown, match="no daemon answers"):
        if make is openai.Computer:
            computer.outputs([call(1, CLICK)])
        else:
            computer.perform("Action: click(point='<point>5 5</point>')")


@pytest.mark.parametrize("given", [[], "", 0, False, "{}"])
def test_arguments_that_are_no_object_are_refused(given: Any) -> None:
    desktop = Desktop()
    step = {"type": "function_call", "id": "1", "name": "take_screenshot", "arguments": given}
    assert gemini.Computer(desktop).results([step])[0]["is_error"]
    turn = osworld.Computer(desktop).step({"action_type": "WAIT", "parameters": given})
    assert turn.is_error
    assert desktop.steps == 0


@pytest.mark.parametrize("decision", ["require_confirmation", 5, [], True])
def test_a_safety_decision_that_cannot_be_read_is_not_ignored(decision: Any) -> None:
    desktop = Desktop()
    given = {"x": 5, "y": 5, "safety_decision": decision}
    step = {"type": "function_call", "id": "1", "name": "click", "arguments": given}
    assert gemini.Computer(desktop).results([step])[0]["is_error"]
    assert desktop.steps == 0


@pytest.mark.parametrize("name", [5, [], {}, None])
def test_a_function_without_a_name_is_no_call(name: Any) -> None:
    step = {"type": "function_call", "id": "1", "name": name, "arguments": {}}
    assert gemini.Computer(Desktop()).results([step]) == []


@pytest.mark.parametrize(
    "answer",
    [
        "Action: click(point='" + "9" * 400 + " 5')",
        "Action: click(point='click 5 then 6')",
        "Action: click(point='5 6 trailing')",
        "Action: click(point='<point>5 6 7</point>')",
    ],
)
def test_ui_tars_refuses_what_is_no_point(answer: str) -> None:
    desktop = Desktop()
    assert "must be a point" in ui_tars.Computer(desktop).perform(answer).text
    assert desktop.steps == 0


@pytest.mark.parametrize(
    "code",
    [
        "pyautogui" + ".a" * 20_000 + "()",
        "(" * 10_000,
        "pyautogui.click(5, 5, interval='long')",
        "pyautogui.moveTo(5, 5, duration=-1)",
        "pyautogui.sleep(" + "9" * 400 + ")",
    ],
    ids=["deep name", "brackets", "interval", "duration", "large"],
)
def test_opencua_refuses(code: str) -> None:
    desktop = Desktop()
    assert opencua.Computer(desktop).perform(f"```python\n{code}\n```").is_error
    assert desktop.steps == 0


def test_a_number_of_any_size_is_compared() -> None:
    for value in (10**400, float("nan"), float("inf")):
        with pytest.raises(fields.Malformed, match="from 0 to 300"):
            fields.Arguments("wait", {"seconds": value}, ("seconds",)).number("seconds", 0, 300)


def test_half_a_character_is_searched_for() -> None:
    answer = '<tool_call>{"name": "computer_use", "arguments": {"action": "web_search", "query": "\\ud800"}}'
    assert not qwen.Computer(Desktop(), version="fara").perform(answer).is_error


def test_typing_at_a_rate_takes_its_time() -> None:
    assert actions.seconds(actions.type_text("é" * 100, rate=10)) == 10
    assert actions.seconds(actions.type_text("é" * 100)) == 0


@pytest.mark.parametrize(
    "server", ["exec:sh -c 'open", "http://127.0.0.1:80", "host:٣", "host:" + "9" * 5000]
)
def test_an_address_that_is_none_is_an_error_of_the_package(server: str) -> None:
    with pytest.raises(DeskdError, match="address|cannot be read"):
        Address(server)


def test_a_bridge_is_opened_with_a_long_temporary_folder(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("x" * 120)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    bridge = Address("exec:cat").open_bridge()
    assert bridge is not None
    assert os.path.exists(bridge.path)
    bridge.close()
    assert not os.path.exists(os.path.dirname(bridge.path))


def test_a_socket_of_another_user_is_no_default(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, others = f"unix:{tmp_path}/deskd.sock", "unix:/run/deskd/deskd.sock"
    (tmp_path / "deskd.sock").touch()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delenv("DESKD_SERVER", raising=False)
    assert Address.of(None).server == own
    # Others can write to it, as to /tmp.
    os.chmod(tmp_path, 0o777)
    assert Address.of(None).server == own
    os.chown(tmp_path / "deskd.sock", 65534, 65534)
    assert Address.of(None).server == others
    os.chown(tmp_path / "deskd.sock", 0, 0)
    os.chown(tmp_path, 65534, 65534)
    assert Address.of(None).server == others


def test_a_default_socket_need_not_exist_yet(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DESKD_SERVER", raising=False)
    system = "unix:/run/deskd/deskd.sock"
    for folder, expected in (
        (str(tmp_path), f"unix:{tmp_path}/deskd.sock"),
        (f"{tmp_path}/", f"unix:{tmp_path}/deskd.sock"),
        (f"{tmp_path}/later", f"unix:{tmp_path}/later/deskd.sock"),
        ("", system),
        ("relative", system),
    ):
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        assert Address.of(None).server == expected
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert Address.of(None).server == system
