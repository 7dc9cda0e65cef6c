"""Turns of models that answer in text: what they did, and the message for the next turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import DeskdError
from ..frame import Frame
from .flow import (
    NOT_THE_SCREEN,
    AsyncDriver,
    Batch,
    Confirm,
    Driver,
    Flow,
    Outcome,
    Session,
    Wanted,
    confirmed,
)

__all__ = ["AsyncTextDriver", "TextDriver", "Turn", "translated", "turn"]


@dataclass(frozen=True)
class Turn:
    """The result of one answer of the model.

    Attributes:
        outcomes: One for each action that the answer contains.
        frame: The screen after them, or a failure card.
        control: `finished`, `failed` or `call_user` if the model ends the run or asks for a person;
            None otherwise.
        answer: The text that comes with `control`.
    """

    outcomes: tuple[Outcome, ...]
    frame: Frame | None
    control: str | None = None
    answer: str = ""

    @property
    def is_error(self) -> bool:
        """Whether an action was not done."""
        return any(each.is_error for each in self.outcomes)

    @property
    def text(self) -> str:
        """What the model must know beside the picture; empty if everything was done."""
        said = [each.text for each in self.outcomes if each.is_error or each.text != "OK"]
        text = " ".join(each.removeprefix("OK ") for each in said)
        if self.frame is not None and self.frame.is_card and NOT_THE_SCREEN not in text:
            text = f"{text} {NOT_THE_SCREEN}".lstrip()
        return text

    def message(self) -> dict[str, Any]:
        """The next message of the user in the form of chat completions."""
        content: list[dict[str, Any]] = []
        if self.text:
            content.append({"type": "text", "text": self.text})
        if self.frame is not None:
            content.append({"type": "image_url", "image_url": {"url": self.frame.data_url()}})
        return {"role": "user", "content": content}


Translated = Sequence["tuple[str, dict[str, Any], Wanted]"]
"""The calls of an answer: name, arguments and translation."""


def translated(error: Exception) -> Wanted:
    """A call that cannot be translated."""
    text = error.message if isinstance(error, DeskdError) else str(error)
    return Wanted(error=f"Invalid action, not performed: {text}")


def turn(session: Session, confirm: Confirm | None, calls: Translated) -> Flow[Turn]:
    """Performs the calls of an answer."""
    wanted = []
    for name, arguments, made in calls:
        wanted.append((yield from confirmed(confirm, name, arguments, made)))
    batch: Batch = yield from session.perform(wanted, must_see=True)
    control, answer = None, ""
    for made, outcome in zip(wanted, batch.outcomes, strict=True):
        if made.control is not None and not outcome.is_error:
            control, answer = made.control, made.value
    return Turn(batch.outcomes, batch.frame, control, answer)


def _first(task: str, frame: Frame) -> dict[str, Any]:
    content: list[dict[str, Any]] = [{"type": "text", "text": task}]
    content.append({"type": "image_url", "image_url": {"url": frame.data_url()}})
    return {"role": "user", "content": content}


class TextDriver(Driver):
    """What the computers of these models have in common, on a `Desktop`."""

    _session: Session

    def look(self) -> Frame:
        """Takes the picture for the model."""
        return self._run(self._session.look())

    def start(self, task: str) -> dict[str, Any]:
        """Returns the first message of the user in the form of chat completions: the task, and the
        screen."""
        return _first(task, self.look())


class AsyncTextDriver(AsyncDriver):
    """The same on an `AsyncDesktop`."""

    _session: Session

    async def look(self) -> Frame:
        """Takes the picture for the model."""
        return await self._run(self._session.look())

    async def start(self, task: str) -> dict[str, Any]:
        """As `TextDriver.start`."""
        return _first(task, await self.look())
