"""Runs the calls of a model on a desktop: several calls in one step, each with a result.

This module talks to no desktop. A flow is a generator that yields what it needs from one (`Ask`)
and receives the answer. `run` and `run_async` carry flows out, so that every adapter exists for
both kinds of desktop.
"""

from __future__ import annotations

import enum
import inspect
from collections.abc import Awaitable, Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeVar

from ..actions import Action, has_point, screenshot
from ..errors import DeadlineExceeded, DeskdError, OutcomeUnknown, StaleTarget, with_message
from ..frame import Frame
from ..options import Picture, Space
from ..step import ActionResult, Step
from ..values import callable_or_none

T = TypeVar("T")

MAX_ACTIONS = 100
"""Maximum number of actions of a step."""
MAX_PICTURES = 4
"""Maximum number of pictures within a step."""
NOT_THE_SCREEN = "The picture is not the screen: the screen could not be captured."
"""What the model reads beside a failure card that no call asked for."""
NO_SCREENSHOT = (
    "Not performed: there is no screenshot to which the points refer. Take a screenshot first."
)
"""What the model reads if its points are pixels of a screenshot, and it has seen none."""


class Ask(NamedTuple):
    """A call of a method of the desktop, by its name, or of a function, which may be a coroutine
    on an `AsyncDesktop`."""

    method: str | Callable[..., Any]
    arguments: tuple[Any, ...] = ()
    options: dict[str, Any] = {}


Flow = Generator[Ask, Any, T]


def run(desktop: Any, flow: Flow[T]) -> T:
    """Carries a flow out on a `Desktop`.

    Raises:
        TypeError: If a hook or a method of the desktop returns an awaitable object.
    """
    answer, error = None, None
    while True:
        try:
            ask = flow.throw(error) if error is not None else flow.send(answer)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        answer, error = None, None
        try:
            answer = _checked(ask, _target(desktop, ask)(*ask.arguments, **ask.options))
        except DeskdError as failed:
            error = failed


async def run_async(desktop: Any, flow: Flow[T]) -> T:
    """Carries a flow out on an `AsyncDesktop`."""
    answer, error = None, None
    while True:
        try:
            ask = flow.throw(error) if error is not None else flow.send(answer)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        answer, error = None, None
        try:
            answer = _target(desktop, ask)(*ask.arguments, **ask.options)
            if inspect.isawaitable(answer):
                answer = await answer
        except DeskdError as failed:
            error = failed


def _target(desktop: Any, ask: Ask) -> Callable[..., Any]:
    if callable(ask.method):
        return ask.method
    return getattr(desktop, ask.method)  # type: ignore[no-any-return]


def _checked(ask: Ask, answer: Any) -> Any:
    """Returns the answer on a `Desktop`. A coroutine counts as no answer: it never runs there."""
    if not inspect.isawaitable(answer):
        return answer
    if (close := getattr(answer, "close", None)) is not None:
        close()
    if callable(ask.method):
        raise TypeError("the hook is a coroutine function; use it with an AsyncDesktop")
    raise TypeError("the desktop is an AsyncDesktop; use the asynchronous class of the adapter")


class Status(enum.Enum):
    """What became of a model's call."""

    DONE = "done"
    FAILED = "failed"
    """It was not done, or only in part."""
    NOT_EXECUTED = "not executed"
    """It was not begun, because an earlier call failed."""
    UNKNOWN = "unknown"
    """It is not known whether it was done."""


@dataclass(frozen=True)
class Wanted:
    """A model's call, translated.

    Attributes:
        actions: The actions to perform; may be empty.
        picture: The picture that the call asks for, taken after its actions.
        is_whole: Whether that picture shows the whole screen, so that later points refer to it.
        wants_cursor: Whether the call asks for the position of the pointer.
        ask: The function that is called in place of actions, such as one that opens a page.
        said: What the model reads when the call is done.
        error: Why the call cannot be translated. Nothing of it is performed.
        control: What the call asks of the worker in place of the desktop, such as `finished`.
        value: The text that comes with `control`.
    """

    actions: tuple[Action, ...] = ()
    picture: Picture | None = None
    is_whole: bool = True
    wants_cursor: bool = False
    ask: Ask | None = None
    said: str = "OK"
    error: str | None = None
    control: str | None = None
    value: str = ""


@dataclass(frozen=True)
class Outcome:
    """The result of a model's call.

    Attributes:
        status: What became of it.
        text: One or more sentences for the model.
        frame: The picture that the call asked for, or a failure card.
        cursor: The position of the pointer in pixels of the screen, if the call asked for it.
    """

    status: Status
    text: str
    frame: Frame | None = None
    cursor: tuple[int, int] | None = None

    @property
    def is_error(self) -> bool:
        """Whether the call was not done, or its picture is a failure card."""
        return self.status is not Status.DONE or (self.frame is not None and self.frame.is_card)


@dataclass(frozen=True)
class Batch:
    """The results of a model's calls.

    Attributes:
        outcomes: One for each call, in order.
        frame: The screen after the calls, if it was asked for, or a failure card.
        is_shown: Whether that frame is the picture of one of the calls.
    """

    outcomes: tuple[Outcome, ...]
    frame: Frame | None
    is_shown: bool

    @property
    def is_error(self) -> bool:
        """Whether a call was not done."""
        return any(each.is_error for each in self.outcomes)


Confirm = Callable[[str, "dict[str, Any]"], "bool | Awaitable[bool]"]
"""Asks a person whether a call may be performed: its name and its arguments. On an `AsyncDesktop`
it may be a coroutine function. The call is performed only if the answer is exactly `True`. Any other
answer declines it. All calls of a turn are confirmed before the first is performed."""


Open = Callable[[str], Any]
"""Opens the address of a page: a URI, or what a person enters into a browser. Its result is ignored,
and a `DeskdError` is a failure of the call. On an `AsyncDesktop` it may be a coroutine function.
`deskd.adapters.recipes.open_with` returns one."""


def hook(function: T, name: str) -> T:
    """Returns a hook, or None if there is none.

    Raises:
        InvalidRequest: If it is not a function.
    """
    callable_or_none(function, name)
    return function


def confirmed(confirm: Confirm | None, name: str, arguments: Any, made: Wanted) -> Flow[Wanted]:
    """Returns the call itself, or one that says that a person did not allow it."""
    if confirm is None or made.error is not None:
        return made
    if (yield Ask(confirm, (name, dict(arguments or {})))) is True:
        return made
    return Wanted(error=f"Not performed: a person did not allow {name}.")


class Session:
    """What an adapter knows of a desktop between the calls of a model.

    Args:
        picture: The picture of the whole screen that the model sees.
        grid: Size of the coordinate grid of a model that does not count pixels, such as 1000.
        halted: What the model reads for calls after one that failed.
        shows_errors: Whether the model sees a picture that comes with an error.

    Raises:
        InvalidRequest: If an option of the picture has a wrong value.
    """

    def __init__(
        self,
        picture: Picture,
        *,
        grid: int | None = None,
        halted: str = "Not executed: an earlier action failed.",
        shows_errors: bool = True,
    ) -> None:
        # A wrong option is an error of the program, not of the model's first call.
        picture.message()
        self.picture = picture
        self.grid = grid
        self.halted = halted
        self.shows_errors = shows_errors
        self.seen: Frame | None = None
        """The last picture of the whole screen that the model saw."""

    @property
    def space(self) -> Space:
        """The coordinate space of the model's points. None if they refer to no picture."""
        return (self.grid, self.grid) if self.grid is not None else self.seen

    def look(self) -> Flow[Frame]:
        """Takes the picture of the whole screen."""
        frame: Frame = yield Ask("screenshot", (), {"picture": self.picture})
        return self.saw(frame)

    def picture_size(self) -> Flow[tuple[int, int]]:
        """Returns the size of the picture. The model does not see this picture, and cannot point
        at it.

        Raises:
            CaptureFailed: If the screen cannot be captured.
        """
        frame: Frame = yield Ask("screenshot", (), {"picture": self.picture})
        return frame.check().size

    def saw(self, frame: Frame) -> Frame:
        """Notes a picture of the whole screen. A card has no pixels to point at."""
        if not frame.is_card:
            self.seen = replace(frame, image=b"")
        return frame

    def pointing(self, wanted: Sequence[Wanted]) -> list[Wanted]:
        """Returns the calls of a turn. If the model has seen no picture, an error takes the place of
        each call that names pixels. Pictures of this turn do not count: the model sees them after
        the turn."""
        return list(wanted) if self.space is not None else [_unless_pointed(each) for each in wanted]

    def perform(
        self,
        wanted: Sequence[Wanted],
        *,
        frame_after: bool = True,
        must_see: bool = False,
    ) -> Flow[Batch]:
        """Performs calls in order, and stops at the first that fails.

        A call whose points refer to no picture fails, because the model has not seen one. The new
        screen is then taken in any case, unless the model does not see pictures of errors.

        Args:
            wanted: The calls.
            frame_after: Whether to take the screen after the calls, unless the last call asks for a
                picture itself.
            must_see: Whether to take it in any case.

        Raises:
            OutcomeUnknown: If it must be taken and cannot, and it is not known whether a call was
                done.
            DeskdError: If it must be taken and cannot. The message says whether calls were done.
        """
        wanted = self.pointing(wanted)
        outcomes: list[Outcome] = []
        last: tuple[Frame, bool] | None = None
        index = 0
        while index < len(wanted) and not (outcomes and _halts(outcomes[-1])):
            call = wanted[index]
            if call.error is not None:
                outcomes.append(Outcome(Status.FAILED, call.error))
                break
            if call.wants_cursor:
                outcomes.append((yield from self._cursor(call)))
                last, index = None, index + 1
                continue
            if call.ask is not None:
                outcomes.append((yield from self._asked(call, call.ask)))
                last, index = None, index + 1
                continue
            part = _part(wanted[index:])
            is_last = index + len(part) == len(wanted) or wanted[index + len(part)].error is not None
            made, last = yield from self._step(part, frame_after and is_last)
            outcomes += made
            index += len(part)
        rest = len(wanted) - len(outcomes)
        outcomes += [Outcome(Status.NOT_EXECUTED, self.halted)] * rest
        frame, is_shown = last if last is not None else (None, False)
        failed = any(each.is_error for each in outcomes)
        is_unseen = any(each.text == NO_SCREENSHOT for each in outcomes)
        is_shown_error = self.shows_errors and (is_unseen or (frame_after and failed))
        # No step took the screen after a function.
        is_asked = frame_after and not failed and any(each.ask is not None for each in wanted)
        if (must_see or is_shown_error or is_asked) and frame is None:
            try:
                frame, is_shown = (yield from self.look()), False
            except DeskdError as error:
                if must_see:
                    raise _without_picture(error, wanted, outcomes) from None
                outcomes[-1] = _with_text(outcomes[-1], f"No new picture: {_text(error)}")
        if frame is not None and frame.is_card and not any(each.frame for each in outcomes):
            tried = [at for at, each in enumerate(outcomes) if each.status is not Status.NOT_EXECUTED]
            for at in tried[-1:]:
                outcomes[at] = _with_text(outcomes[at], NOT_THE_SCREEN)
        return Batch(tuple(outcomes), frame, is_shown)

    def _cursor(self, call: Wanted) -> Flow[Outcome]:
        try:
            cursor: tuple[int, int] = yield Ask("cursor")
        except DeskdError as error:
            return Outcome(Status.FAILED, _text(error))
        return Outcome(Status.DONE, call.said, cursor=cursor)

    def _asked(self, call: Wanted, ask: Ask) -> Flow[Outcome]:
        try:
            yield ask
        except DeskdError as error:
            return self._refused([call], error)[0]
        return Outcome(Status.DONE, call.said)

    def _step(
        self, part: Sequence[Wanted], frame_after: bool
    ) -> Flow[tuple[list[Outcome], tuple[Frame, bool] | None]]:
        """Performs calls as one step. Returns their outcomes, and the last frame with whether it is
        the picture of the last call."""
        final, actions, owners = part[-1], [], []
        for number, call in enumerate(part):
            mine = list(call.actions)
            if call.picture is not None and call is not final:
                mine.append(screenshot(call.picture.message()))
            actions += mine
            owners += [number] * len(mine)
        if not actions:
            made, last = yield from self._picture(final)
            return [Outcome(Status.DONE, call.said) for call in part[:-1]] + made, last
        try:
            step: Step = yield Ask(
                "act",
                (actions,),
                {
                    "space": self.space,
                    "expect": self.seen if self.grid is not None else None,
                    "stop_at_first": True,
                    "frame": final.picture is not None or frame_after,
                    "picture": final.picture or self.picture,
                    "check": False,
                },
            )
        except DeskdError as error:
            return self._refused(part, error), None
        outcomes = [
            self._outcome(call, [step.results[at] for at, own in enumerate(owners) if own == number])
            for number, call in enumerate(part)
        ]
        for number, outcome in enumerate(outcomes):
            if number > 0 and _halts(outcomes[number - 1]) and outcome.status is not Status.UNKNOWN:
                outcomes[number] = Outcome(Status.NOT_EXECUTED, self.halted)
        frame, shown = step.frame, False
        if frame is not None:
            if final.picture is not None and outcomes[-1].status is Status.DONE:
                outcomes[-1], shown = replace(outcomes[-1], frame=frame), True
            elif final.picture is not None and not final.is_whole:
                # The picture of a part was taken although its call was not reached.
                frame = None
            if frame is not None and (final.picture is None or final.is_whole):
                self.saw(frame)
        done = [at for at, each in enumerate(outcomes) if each.status is Status.DONE]
        if done and part[done[-1]].actions:
            outcomes[done[-1]] = _with_text(outcomes[done[-1]], _settled(step))
        return outcomes, (frame, shown) if frame is not None else None

    def _picture(self, call: Wanted) -> Flow[tuple[list[Outcome], tuple[Frame, bool] | None]]:
        """Takes the picture of a call that does nothing else."""
        if call.picture is None:
            return [Outcome(Status.DONE, call.said)], None
        try:
            frame: Frame = yield Ask("screenshot", (), {"picture": call.picture})
        except DeskdError as error:
            return self._not_performed([call], error), None
        if call.is_whole:
            self.saw(frame)
        return [Outcome(Status.DONE, call.said, frame=frame)], (frame, True)

    def _outcome(self, call: Wanted, results: Sequence[ActionResult]) -> Outcome:
        frame = results[-1].frame if results else None
        if frame is not None and call.is_whole:
            self.saw(frame)
        for result in results:
            if result.status == "DONE":
                continue
            if result.status == "NOT_EXECUTED":
                return Outcome(Status.NOT_EXECUTED, self.halted, frame)
            why = result.failure
            text = f"{why.message} [{why.reason}]" if why else f"the action was {result.status}"
            if result.status == "UNKNOWN":
                return Outcome(Status.UNKNOWN, f"It is not known whether this was done: {text}", frame)
            return Outcome(Status.FAILED, f"Failed: {text}", frame)
        return Outcome(Status.DONE, call.said, frame)

    def _refused(self, part: Sequence[Wanted], error: DeskdError) -> list[Outcome]:
        # A call whose time is over may still be performed, unless it waited for the desktop.
        is_late = isinstance(error, DeadlineExceeded) and error.reason != "NOT_PAINTED"
        if is_late or isinstance(error, OutcomeUnknown):
            text = f"It is not known whether this was done: {_text(error)}. Look at the screen."
            return [Outcome(Status.UNKNOWN, text)] * len(part)
        return self._not_performed(part, error)

    def _not_performed(self, part: Sequence[Wanted], error: DeskdError) -> list[Outcome]:
        if isinstance(error, StaleTarget):
            # The picture that the model points at is gone. It must see another one first.
            self.seen = None
        first = Outcome(Status.FAILED, f"Not performed: {_text(error)}")
        return [first] + [Outcome(Status.NOT_EXECUTED, self.halted)] * (len(part) - 1)

    def to_image(self, point: tuple[int, int]) -> tuple[int, int]:
        """Converts a pixel of the screen to the model's coordinates."""
        seen = self.seen
        if seen is None or seen.region is None:
            return point
        width, height = seen.size if self.grid is None else (self.grid, self.grid)
        x = (2 * (point[0] - seen.region.x) + 1) * width // (2 * seen.region.width)
        y = (2 * (point[1] - seen.region.y) + 1) * height // (2 * seen.region.height)
        return x, y


def _unless_pointed(call: Wanted) -> Wanted:
    """Returns a call, or an error in its place if it names pixels of a picture."""
    refers = not call.is_whole or any(map(has_point, call.actions))
    return Wanted(error=NO_SCREENSHOT) if refers and call.error is None else call


def _part(wanted: Sequence[Wanted]) -> Sequence[Wanted]:
    """Returns the first calls that fit into one step."""
    actions = pictures = 0
    for number, call in enumerate(wanted):
        actions += len(call.actions) + (call.picture is not None)
        pictures += call.picture is not None
        is_full = actions > MAX_ACTIONS or pictures > MAX_PICTURES
        is_alone = call.error is not None or call.wants_cursor or call.ask is not None
        if is_alone or (is_full and number > 0):
            return wanted[:number]
    return wanted


def _halts(outcome: Outcome) -> bool:
    return outcome.status is not Status.DONE or (outcome.frame is not None and outcome.frame.is_card)


def _without_picture(
    error: DeskdError, wanted: Sequence[Wanted], outcomes: Sequence[Outcome]
) -> DeskdError:
    """The error for a picture that could not be taken after calls. It says what became of them."""
    pairs = list(zip(wanted, outcomes, strict=True))
    is_done = any(call.actions and each.status is Status.DONE for call, each in pairs)
    is_all = all(each.status is Status.DONE for each in outcomes)
    ends = (Status.FAILED, Status.UNKNOWN)
    stop = next((each for each in outcomes if each.status in ends), None)
    said = ["This was done." if is_all else "A part was done."] if is_done else []
    said += [stop.text] if stop is not None else []
    if not said:
        return error
    text = " ".join([*said, f"No new picture: {error.message}"])
    if stop is None or stop.status is Status.FAILED:
        return with_message(error, text)
    return OutcomeUnknown(text, reason=error.reason, status=error.status)


def _with_text(outcome: Outcome, text: str) -> Outcome:
    return replace(outcome, text=f"{outcome.text} {text}") if text else outcome


def _settled(step: Step) -> str:
    if step.settle.state == "NO_CHANGE":
        return "The screen did not change."
    if step.settle.state == "TIMEOUT":
        return "The screen is still changing."
    return ""


def _text(error: DeskdError) -> str:
    return f"{error.message} [{error.reason}]" if error.reason else error.message


class Driver:
    """Carries flows out on a `Desktop`."""

    def __init__(self, desktop: Any) -> None:
        self.desktop = desktop

    def _run(self, flow: Flow[T]) -> T:
        return run(self.desktop, flow)


class AsyncDriver:
    """Carries flows out on an `AsyncDesktop`."""

    def __init__(self, desktop: Any) -> None:
        self.desktop = desktop

    def _run(self, flow: Flow[T]) -> Awaitable[T]:
        return run_async(self.desktop, flow)
