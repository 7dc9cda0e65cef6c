"""What the adapters do with hooks, with pictures that are gone, and with a desktop that goes away."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from anthropic.tools import ToolError
from inspect_ai.tool import ToolDef
from inspect_ai.tool import ToolError as InspectError
from inspect_ai.util._store import Store, init_subtask_store
from test_answers import CLICK, FRAME, call, texts
from test_answers import Desktop as Answering

from deskd import AsyncDesktop, Desktop, Frame, actions
from deskd.adapters import anthropic, flow, gemini, openai, opencua, osworld, qwen, ui_tars
from deskd.adapters.anthropic_toolset import AsyncToolset, Toolset
from deskd.adapters.flow import NO_SCREENSHOT, NOT_THE_SCREEN, Session, Status, Wanted, run
from deskd.adapters.inspect_ai import computer as inspect_computer
from deskd.adapters.openai_agents import DeskdComputer, DeskdSyncComputer
from deskd.calls import StepAttempts
from deskd.errors import (
    ActionFailed,
    DeadlineExceeded,
    DeskdError,
    InvalidRequest,
    OutcomeUnknown,
    StaleTarget,
    Unavailable,
)
from deskd.frame import Failure
from deskd.options import Picture
from deskd.step import ActionResult, Settle, Step
from deskd.v1 import desktop_pb2 as pb

CARD = Frame(
    image=b"card",
    format="png",
    width=1280,
    height=800,
    region=None,
    screen=(0, 0),
    frame_id="card",
    is_card=True,
    failure=Failure("NO_DISPLAY", "CAPTURE", "no display", True),
)
STALE = StaleTarget("resized", reason="STALE_EPOCH", status="FAILED_PRECONDITION")


class Desk:
    """Notes the calls. Each picture has an id of its own."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.spaces: list[Any] = []
        self.failure: DeskdError | None = None
        self.blindness: DeskdError | None = None
        self.is_card = False
        self.pictures = 0

    def _frame(self) -> Frame:
        self.pictures += 1
        if self.is_card:
            return CARD
        return Frame(**{**FRAME.__dict__, "frame_id": f"f{self.pictures}"})

    def screenshot(self, **_: Any) -> Frame:
        self.calls.append("screenshot")
        if self.blindness is not None:
            raise self.blindness
        return self._frame()

    def act(self, asked: Any, **options: Any) -> Step:
        self.calls.append("act")
        self.spaces.append(options["space"])
        if self.failure is not None:
            raise self.failure
        results = tuple(ActionResult("DONE", None, None, 0, None, None) for _ in asked)
        frame = self._frame() if options["frame"] else None
        return Step("DONE", results, Settle("QUIET", None, 0.1), frame, False, "step")

    def cursor(self) -> tuple[int, int]:
        return 1, 2


class AsyncDesk(Desk):
    """The same as coroutines."""

    async def screenshot(self, **options: Any) -> Any:  # type: ignore[override]
        return super().screenshot(**options)

    async def act(self, asked: Any, **options: Any) -> Any:  # type: ignore[override]
        return super().act(asked, **options)


POINTED = Wanted((actions.click(1, 2),))
TYPED = Wanted((actions.type_text("a"),))


def statuses(batch: flow.Batch) -> list[Status]:
    return [each.status for each in batch.outcomes]


# --- Hooks ---

ADAPTERS: list[tuple[Any, Any, Any]] = [
    (anthropic.Computer, anthropic.AsyncComputer, lambda computer: computer.results(
        [{"type": "tool_use", "id": "1", "name": "type", "toolset_name": "computer", "input": {"text": "a"}}]
    )),
    (openai.Computer, openai.AsyncComputer, lambda computer: computer.outputs([call(1, {"type": "type", "text": "a"})])),
    (gemini.Computer, gemini.AsyncComputer, lambda computer: computer.results(
        [{"type": "function_call", "id": "1", "name": "go_back", "arguments": {}}]
    )),
    (ui_tars.Computer, ui_tars.AsyncComputer, lambda computer: computer.perform("Action: wait()")),
    (qwen.Computer, qwen.AsyncComputer, lambda computer: computer.perform(
        '<tool_call>{"name": "computer_use", "arguments": {"action": "wait", "time": 1}}</tool_call>'
    )),
    (opencua.Computer, opencua.AsyncComputer, lambda computer: computer.perform("pyautogui.press('a')")),
    (osworld.Computer, osworld.AsyncComputer, lambda computer: computer.step("WAIT")),
]  # fmt: skip
NAMES = ["anthropic", "openai", "gemini", "ui_tars", "qwen", "opencua", "osworld"]


async def allowing(*_: Any) -> bool:
    return True


@pytest.mark.parametrize(("make", "make_async", "act"), ADAPTERS, ids=NAMES)
@pytest.mark.filterwarnings("error")
def test_a_hook_that_is_a_coroutine_function(make: Any, make_async: Any, act: Any) -> None:
    desk = Desk()
    with pytest.raises(TypeError, match="the hook is a coroutine function; use it with an AsyncDesktop"):
        act(make(desk, confirm=allowing))
    assert desk.calls == []

    async def asynchronous() -> None:
        desk = AsyncDesk()
        await act(make_async(desk, confirm=allowing))
        assert "act" in desk.calls

    asyncio.run(asynchronous())


@pytest.mark.filterwarnings("error")
def test_safety_checks_with_a_coroutine_function() -> None:
    desk = Desk()
    checked = call(1, CLICK, pending_safety_checks=[{"id": "a"}])
    with pytest.raises(TypeError, match="the hook is a coroutine function"):
        openai.Computer(desk, acknowledge=allowing).outputs([checked])
    given = {"x": 5, "y": 5, "safety_decision": {"decision": "require_confirmation"}}
    step = {"type": "function_call", "id": "1", "name": "click", "arguments": given}
    with pytest.raises(TypeError, match="the hook is a coroutine function"):
        gemini.Computer(desk, acknowledge=allowing).results([step])
    assert desk.calls == []


@pytest.mark.filterwarnings("error")
def test_an_asynchronous_desktop_with_a_synchronous_adapter() -> None:
    with pytest.raises(TypeError, match="the desktop is an AsyncDesktop"):
        ui_tars.Computer(AsyncDesk()).look()


@pytest.mark.parametrize("answer", [False, None, 0, 1, "", "no", "yes", {}, [True], object()])
@pytest.mark.parametrize(("make", "make_async", "act"), ADAPTERS, ids=NAMES)
def test_only_true_confirms(make: Any, make_async: Any, act: Any, answer: Any) -> None:
    desk = Desk()
    act(make(desk, confirm=lambda *_: answer))
    assert "act" not in desk.calls

    async def later(*_: Any) -> Any:
        return answer

    async def asynchronous() -> None:
        desk = AsyncDesk()
        await act(make_async(desk, confirm=later))
        assert "act" not in desk.calls

    asyncio.run(asynchronous())


@pytest.mark.parametrize(("make", "make_async", "act"), ADAPTERS, ids=NAMES)
def test_a_hook_that_is_no_function(make: Any, make_async: Any, act: Any) -> None:
    for each in (make, make_async):
        with pytest.raises(InvalidRequest, match="confirm is 'screenshot'; give a function"):
            each(Desk(), confirm="screenshot")


@pytest.mark.parametrize("make", [anthropic.Computer, openai.Computer, gemini.Computer])
def test_options_of_pictures_are_checked_at_once(make: Any) -> None:
    with pytest.raises(InvalidRequest, match="fit is 5; give a Fit"):
        make(Desk(), fit=5)
    with pytest.raises(InvalidRequest, match="format is 'gif'"):
        make(Desk(), format="gif")


# --- Pictures that the model has not seen ---


def test_points_are_refused_until_a_picture_was_seen() -> None:
    desk, session = Desk(), Session(Picture())
    batch = run(desk, session.perform([POINTED, TYPED], frame_after=False))
    assert statuses(batch) == [Status.FAILED, Status.NOT_EXECUTED]
    assert batch.outcomes[0].text == NO_SCREENSHOT
    # The picture is for the model, although the call asks for none.
    assert batch.frame is not None and session.seen is not None
    assert batch.frame.frame_id == session.seen.frame_id == "f1" and desk.calls == ["screenshot"]
    assert statuses(run(desk, session.perform([POINTED], frame_after=False))) == [Status.DONE]
    assert desk.spaces[-1].frame_id == "f1"


def test_a_picture_that_is_gone_must_be_seen_again() -> None:
    desk, session = Desk(), Session(Picture())
    run(desk, session.look())
    desk.failure = STALE
    run(desk, session.perform([POINTED], frame_after=False))
    assert session.seen is None
    desk.failure, desk.calls = None, []
    batch = run(desk, session.perform([POINTED], frame_after=False))
    assert batch.outcomes[0].text == NO_SCREENSHOT and desk.calls == ["screenshot"]
    assert batch.frame is not None and batch.frame.frame_id == "f2"
    run(desk, session.perform([POINTED], frame_after=False))
    assert desk.spaces[-1].frame_id == "f2"


def test_points_are_refused_after_a_failure_card() -> None:
    desk, session = Desk(), Session(Picture())
    desk.is_card = True
    run(desk, session.look())
    batch = run(desk, session.perform([POINTED], frame_after=False))
    assert batch.outcomes[0].text == f"{NO_SCREENSHOT} {NOT_THE_SCREEN}"
    assert batch.frame is CARD and session.seen is None and desk.spaces == []


def test_a_grid_needs_no_picture() -> None:
    desk, session = Desk(), Session(Picture(), grid=1000)
    assert statuses(run(desk, session.perform([POINTED]))) == [Status.DONE]
    assert desk.spaces == [(1000, 1000)]


@pytest.mark.parametrize(
    "computer",
    [
        lambda desk: anthropic.Computer(desk, version="computer_20250124", frame_after=False),
        lambda desk: openai.Computer(desk, preview=True),
    ],
)
def test_the_picture_for_the_size_of_the_display_is_not_seen(computer: Any) -> None:
    made = computer(desk := Desk())
    entry = made.tool()
    assert 1280 in entry.values() and made._session.seen is None
    desk.is_card = True
    with pytest.raises(DeskdError, match="no display"):
        made.tool()


def error_of(toolset: Toolset, name: str, given: dict[str, Any]) -> str:
    """The text of an error. The SDK sends the model no picture of it."""
    with pytest.raises(ToolError) as failed:
        toolset.execute(None, name, given)  # type: ignore[arg-type]
    (block,) = failed.value.content
    assert isinstance(block, dict) and block["type"] == "text"
    return str(block["text"])


def test_the_toolset_acts_on_no_picture_that_the_model_has_not_seen() -> None:
    desk: Any = Desk()
    toolset: Any = Toolset(desk, confirm=lambda context: True)
    click = {"coordinate": [1, 2]}
    for _ in range(2):
        assert error_of(toolset, "left_click", click) == NO_SCREENSHOT
    assert error_of(toolset, "zoom", {"region": [0, 0, 5, 5]}) == NO_SCREENSHOT
    assert desk.calls == []
    toolset.execute(None, "screenshot", {})
    toolset.execute(None, "left_click", click)
    assert desk.spaces[-1].frame_id == "f1"
    desk.failure = STALE
    assert error_of(toolset, "left_click", click) == "Not performed: resized [STALE_EPOCH]"
    desk.failure, desk.calls = None, []
    assert error_of(toolset, "left_click", click) == NO_SCREENSHOT
    assert desk.calls == []
    toolset.execute(None, "screenshot", {})
    toolset.execute(None, "left_click", click)
    assert desk.spaces[-1].frame_id == "f2"


async def test_the_asynchronous_toolset() -> None:
    desk = AsyncDesk()
    toolset: Any = AsyncToolset(desk, confirm=lambda context: True)
    with pytest.raises(ToolError, match="there is no screenshot"):
        await toolset.execute(None, "left_click", {"coordinate": [1, 2]})
    await toolset.execute(None, "screenshot", {})
    await toolset.execute(None, "left_click", {"coordinate": [1, 2]})
    assert desk.calls == ["screenshot", "act"]


async def test_inspect_acts_on_no_picture_that_the_model_has_not_seen() -> None:
    desk = AsyncDesk()
    tool = ToolDef(inspect_computer(desk)).tool
    click = {"action": "left_click", "coordinate": [1, 2]}
    for _ in range(2):
        # An error has no image.
        with pytest.raises(InspectError, match="there is no screenshot to which the points refer"):
            await tool(**click)
    await tool(action="screenshot")
    await tool(**click)
    assert desk.spaces[-1].frame_id == "f1"
    desk.failure = STALE
    with pytest.raises(InspectError, match="resized"):
        await tool(**click)
    desk.failure, desk.calls = None, []
    for _ in range(2):
        with pytest.raises(InspectError, match="there is no screenshot"):
            await tool(**click)
    assert desk.calls == []
    await tool(action="screenshot")
    await tool(**click)
    last = desk.spaces[-1].frame_id
    # The screenshot of a call that failed is not shown.
    with pytest.raises(InspectError, match="there is no computer action"):
        await tool(actions=[{"action": "screenshot"}, {"action": "fly"}])
    await tool(**click)
    assert int(desk.spaces[-1].frame_id[1:]) == int(last[1:]) + 1


async def test_inspect_shows_the_model_of_each_sample_a_picture() -> None:
    desk = AsyncDesk()
    tool = ToolDef(inspect_computer(desk)).tool
    click = {"action": "left_click", "coordinate": [1, 2]}
    first, second = Store(), Store()
    init_subtask_store(first)
    await tool(action="screenshot")
    await tool(**click)
    init_subtask_store(second)
    with pytest.raises(InspectError, match="there is no screenshot"):
        await tool(**click)
    init_subtask_store(first)
    await tool(**click)


async def test_the_agents_sdk_acts_on_no_picture_that_the_model_has_not_seen() -> None:
    desk = Desk()
    computer = DeskdSyncComputer(desk)
    for _ in range(2):
        with pytest.raises(ActionFailed, match="there is no screenshot to which the points refer"):
            computer.click(1, 2, "left")
    assert desk.calls == []
    computer.screenshot()
    computer.click(1, 2, "left")
    assert desk.spaces[0].frame_id == "f1"
    desk = AsyncDesk()
    with pytest.raises(ActionFailed, match="there is no screenshot"):
        await DeskdComputer(desk).click(1, 2, "left")
    assert desk.calls == []


# --- What is known about a call that failed ---

LATE = DeadlineExceeded("late", reason="DEADLINE", status="DEADLINE_EXCEEDED")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (LATE, Status.UNKNOWN),
        (DeadlineExceeded("late"), Status.UNKNOWN),
        (OutcomeUnknown("broken"), Status.UNKNOWN),
        (DeadlineExceeded("not painted", reason="NOT_PAINTED"), Status.FAILED),
        (Unavailable("gone"), Status.FAILED),
        (STALE, Status.FAILED),
    ],
)
def test_what_is_known_about_a_step(error: DeskdError, status: Status) -> None:
    desk, session = Desk(), Session(Picture())
    desk.failure = error
    batch = run(desk, session.perform([TYPED]))
    assert statuses(batch) == [status]
    said = "Not performed: " if status is Status.FAILED else "It is not known whether this was done: "
    assert batch.outcomes[0].text.startswith(said)


@pytest.mark.parametrize("error", [LATE, OutcomeUnknown("broken")])
def test_a_picture_is_no_step(error: DeskdError) -> None:
    desk, session = Desk(), Session(Picture())
    desk.blindness = error
    control = Wanted(control="finished")
    batch = run(desk, session.perform([control, Wanted(picture=Picture())]))
    assert statuses(batch) == [Status.DONE, Status.FAILED]
    assert batch.outcomes[1].text.startswith(f"Not performed: {error.message}")


def test_a_zoom_into_a_picture_that_is_gone() -> None:
    desk, session = Desk(), Session(Picture())
    run(desk, session.look())
    desk.blindness = STALE
    zoom = Wanted(picture=Picture(region=(0, 0, 1, 1)), is_whole=False)
    run(desk, session.perform([zoom], frame_after=False))
    assert session.seen is None


@pytest.mark.parametrize(
    ("wanted", "failure", "said"),
    [
        ([TYPED], None, "This was done. No new picture: gone"),
        ([TYPED, Wanted(error="wrong")], None, "A part was done. wrong No new picture: gone"),
        ([Wanted(error="wrong")], None, "wrong No new picture: gone"),
        ([TYPED], Unavailable("busy"), "Not performed: busy No new picture: gone"),
        ([Wanted()], None, "gone"),
    ],
)
def test_calls_without_a_picture(wanted: list[Wanted], failure: Any, said: str) -> None:
    class Blind(Desk):
        def _frame(self) -> Any:
            return None

    desk = Blind()
    desk.failure, desk.blindness = failure, Unavailable("gone", reason="NO_DISPLAY")
    with pytest.raises(Unavailable) as failed:
        run(desk, Session(Picture()).perform(wanted, must_see=True))
    assert failed.value.message == said and failed.value.reason == "NO_DISPLAY"
    assert str(failed.value) == f"{said} [NO_DISPLAY]"


def test_an_unknown_call_without_a_picture() -> None:
    desk = Desk()
    desk.failure, desk.blindness = OutcomeUnknown("broken"), Unavailable("gone")
    with pytest.raises(OutcomeUnknown, match="It is not known whether this was done: broken. .* gone"):
        run(desk, Session(Picture()).perform([TYPED], must_see=True))


@pytest.mark.parametrize("kind", [Unavailable, DeskdError])
def test_openai_says_that_earlier_calls_were_done(kind: type[DeskdError]) -> None:
    class Ending(Answering):
        def act(self, asked: Any, **options: Any) -> Step:
            made = super().act(asked, **options)
            self.is_gone = True
            return made

        def screenshot(self, **options: Any) -> Frame:
            if self.is_gone:
                raise kind("no daemon answers", status="UNAVAILABLE")
            return FRAME

    desktop = Ending()
    typed, look = {"type": "type", "text": "a"}, {"type": "screenshot"}
    with pytest.raises(kind) as failed:
        openai.Computer(desktop).outputs([call(1, typed), call(2)])
    assert failed.value.message == "The earlier calls were done. The last: no daemon answers"
    assert failed.value.status == "UNAVAILABLE"
    # Nothing was done by a call that only looks.
    desktop.is_gone = True
    with pytest.raises(kind, match="^Not performed: no daemon answers"):
        openai.Computer(desktop).outputs([call(1, look)])


def test_openai_takes_no_picture_for_calls_that_are_not_performed() -> None:
    desk = Desk()
    items = openai.Computer(desk).outputs([call(1, {"type": "fly"}), call(2, {"type": "wait"})])
    assert desk.calls == ["screenshot"]
    assert "Not executed: an earlier action failed." in texts(items)[1]


# --- A step that waits for the desktop ---

NOT_PAINTED = {"verdict": "PAINT_VERDICT_NOT_READY", "missing": ["a window"]}


def unpainted(answers: list[Any]) -> Any:
    """An answer for each call of a desktop that is not painted."""

    def once(path: str, request: Any, response: Any, *_: Any) -> Any:
        name = path.rpartition("/")[2]
        if name == "GetInfo":
            return pb.GetInfoResponse(instance_id="i")
        if name == "Act":
            answer = answers.pop(0)
        else:
            assert name == "WaitReady"
            answer = answers.pop(0)
        if isinstance(answer, DeskdError):
            raise answer
        return answer

    return once


REFUSED = Unavailable("not painted yet", reason="NOT_PAINTED", status="UNAVAILABLE")
UNREADY = pb.WaitReadyResponse()
GONE = Unavailable("gone", reason="NO_DISPLAY", status="FAILED_PRECONDITION")


@pytest.mark.parametrize(
    ("answers", "kind", "message"),
    [
        ([REFUSED, LATE], Unavailable, "not painted yet"),
        ([REFUSED, UNREADY], DeadlineExceeded, "the desktop was not ready within"),
        ([REFUSED, GONE], Unavailable, "gone"),
    ],
    ids=["late", "not ready", "gone"],
)
async def test_a_wait_before_a_step(answers: list[Any], kind: Any, message: str) -> None:
    class Scripted(Desktop):
        _once = staticmethod(unpainted(list(answers)))  # type: ignore[assignment]

    again = unpainted(list(answers))

    class AsyncScripted(AsyncDesktop):
        async def _once(self, *given: Any) -> Any:
            return again(*given)

    with pytest.raises(kind, match=message) as failed:
        Scripted("127.0.0.1:1").act([actions.wait(0)])
    assert failed.value.reason != "DEADLINE"
    with pytest.raises(kind, match=message):
        await AsyncScripted("127.0.0.1:1").act([actions.wait(0)])


def test_a_step_that_may_be_done_stays_unknown() -> None:
    attempts = StepAttempts(pb.ActRequest(), 5)
    attempts.send("i")
    attempts.failed(Unavailable("broken", status="UNAVAILABLE"))
    made = attempts.unready(REFUSED, GONE)
    assert isinstance(made, OutcomeUnknown) and "gone" in made.message
