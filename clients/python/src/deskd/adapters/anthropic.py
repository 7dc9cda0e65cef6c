"""Anthropic's computer tool.

    computer = anthropic.Computer(desktop)
    reply = client.beta.messages.create(model=…, max_tokens=4096, messages=messages,
                                        tools=[computer.tool()])
    messages += [{"role": "assistant", "content": reply.content},
                 {"role": "user", "content": computer.results(reply.content)}]

The versions of the tool are those of the API: `computer_toolset_20260801` (current models), and
`computer_20251124`, `computer_20250124` and `computer_20241022`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .. import actions as make
from ..errors import DeskdError
from ..frame import Frame
from ..options import ANTHROPIC, ANTHROPIC_OLDER, Fit, Picture
from ..values import flag
from .fields import Arguments, Malformed, plain
from .flow import (
    AsyncDriver,
    Batch,
    Confirm,
    Driver,
    Flow,
    Outcome,
    Session,
    Wanted,
    confirmed,
    hook,
)

__all__ = ["AsyncComputer", "Computer", "HALTED", "VERSIONS", "translate"]

HALTED = "Not executed: an earlier computer action in this turn failed."
"""What the API requires for each call after one that failed."""

VERSIONS = {
    "computer_toolset_20260801": None,
    "computer_20251124": "computer-use-2025-11-24",
    "computer_20250124": "computer-use-2025-01-24",
    "computer_20241022": "computer-use-2024-10-22",
}
"""Each version of the tool with the beta header that it requires, if any."""

_CLICKS = {
    "left_click": ("left", 1, "Clicked."),
    "right_click": ("right", 1, "Right-clicked."),
    "middle_click": ("middle", 1, "Middle-clicked."),
    "double_click": ("left", 2, "Double-clicked."),
    "triple_click": ("left", 3, "Triple-clicked."),
}
_SCROLLS = {"up": (0, -1), "down": (0, 1), "left": (-1, 0), "right": (1, 0)}

MEMBERS: dict[str, tuple[str, ...]] = {
    "screenshot": (),
    "zoom": ("region",),
    "left_click": ("coordinate", "text"),
    "right_click": ("coordinate", "text"),
    "middle_click": ("coordinate", "text"),
    "double_click": ("coordinate", "text"),
    "triple_click": ("coordinate", "text"),
    "left_click_drag": ("start_coordinate", "coordinate", "text"),
    "mouse_move": ("coordinate",),
    "left_mouse_down": (),
    "left_mouse_up": (),
    "cursor_position": (),
    "scroll": ("scroll_direction", "scroll_amount", "coordinate", "text"),
    "type": ("text",),
    "key": ("text", "repeat"),
    "hold_key": ("text", "duration"),
    "wait": ("duration",),
}
"""The members of the toolset with their arguments."""

_OLDEST = (
    "key",
    "type",
    "mouse_move",
    "left_click",
    "left_click_drag",
    "right_click",
    "middle_click",
    "double_click",
    "screenshot",
    "cursor_position",
)
_OLDER_ARGUMENTS = (
    "action",
    "coordinate",
    "start_coordinate",
    "text",
    "key",
    "scroll_direction",
    "scroll_amount",
    "duration",
    "region",
    "repeat",
)

MAX_TIME = 300
"""Maximum duration of `wait` and `hold_key`, in seconds."""


def translate(name: str, values: Any, picture: Picture, seen: Frame | None) -> Wanted:
    """Translates a call of a member of the toolset.

    Args:
        name: The name of the member.
        values: Its input.
        picture: The picture of the whole screen that the model sees.
        seen: The last one; the region of `zoom` refers to it.

    Raises:
        Malformed: If the call is wrong.
    """
    if name not in MEMBERS:
        raise Malformed(f"there is no computer action {name!r}")
    return _translate(name, Arguments(name, values, MEMBERS[name]), picture, seen)


def _translate(name: str, given: Arguments, picture: Picture, seen: Frame | None) -> Wanted:
    at = given.point("coordinate") if given.has("coordinate") else (None, None)
    if name == "screenshot":
        return Wanted(picture=picture, said="")
    if name == "zoom":
        return _zoom(given, picture, seen)
    if name == "cursor_position":
        return Wanted(wants_cursor=True)
    if name == "wait":
        seconds = given.number("duration", 0, MAX_TIME)
        actions = [make.wait(seconds)] if seconds else []
        return Wanted(tuple(actions), said=f"Waited {seconds:g} s.")
    if name == "left_mouse_down":
        # The model may look around before it releases the button.
        return Wanted((make.button_down(hold=60),), said="Left mouse button pressed.")
    if name == "left_mouse_up":
        return Wanted((make.button_up(),), said="Left mouse button released.")
    if name == "mouse_move":
        return Wanted((make.move(*given.point("coordinate")),), said="Moved the mouse.")
    if name == "type":
        return Wanted((make.type_text(given.text("text")),), said="Typed.")
    if name == "key":
        repeat = given.whole("repeat", 1, 100, 1)
        chords = given.text("text").split() or [given.text("text")]
        pressed = [make.press(*make.keys(chord), repeat=repeat) for chord in chords]
        return Wanted(tuple(pressed), said=f"Pressed {given.text('text')}.")
    if name == "hold_key":
        seconds = given.number("duration", 0, MAX_TIME)
        held = make.press(*make.keys(given.text("text")), hold=seconds)
        return Wanted((held,), said=f"Held {given.text('text')} for {seconds:g} s.")
    modifiers = make.keys(given.text("text", "")) if given.has("text") else []
    if name == "left_click_drag":
        end = given.point("coordinate")
        path = [given.point("start_coordinate"), end]
        return Wanted((make.drag(path, modifiers=modifiers),), said="Dragged.")
    if name == "scroll":
        direction = given.choice("scroll_direction", list(_SCROLLS))
        amount = given.whole("scroll_amount", 0, 1000)
        dx, dy = (amount * each for each in _SCROLLS[direction])
        turned = make.scroll(dx, dy, x=at[0], y=at[1], modifiers=modifiers)
        return Wanted((turned,) if amount else (), said=f"Scrolled {direction}.")
    button, count, said = _CLICKS[name]
    click = make.click(*at, button=button, count=count, modifiers=modifiers)
    return Wanted((click,), said=said)


def _zoom(given: Arguments, picture: Picture, seen: Frame | None) -> Wanted:
    region = given.region("region")
    fit = picture.fit
    if seen is not None and picture.size is None and fit is not None:
        # The part is scaled up to the size of the usual screenshot, as the tool promises.
        larger = {**fit.__dict__, "may_enlarge": True, "max_side": max(seen.size)}
        fit = Fit(**larger)
    part = Picture(
        fit=fit if picture.size is None else Fit(max_side=max(picture.size), may_enlarge=True),
        region=region,
        format=picture.format,
        quality=picture.quality,
        max_bytes=picture.max_bytes,
        space=seen,
    )
    return Wanted(picture=part, is_whole=False, said="")


def _older(version: str, values: Any, picture: Picture, seen: Frame | None) -> Wanted:
    """Translates the input of a version of the tool before the toolset."""
    given = Arguments("computer", values, _OLDER_ARGUMENTS)
    name = given.text("action")
    allowed = set(_OLDEST) if version == "computer_20241022" else set(MEMBERS)
    if version == "computer_20250124":
        allowed.discard("zoom")
    if name not in allowed:
        raise Malformed(f"there is no computer action {name!r} in {version}")
    rest = {key: value for key, value in values.items() if key != "action" and value is not None}
    if "key" in rest and (name in _CLICKS or name == "scroll"):
        # The modifiers of clicks and scrolls have both names.
        if "text" in rest:
            raise given.error("text and key exclude each other")
        rest["text"] = rest.pop("key")
    if name == "left_click_drag" and version == "computer_20241022":
        end = Arguments(name, rest, ("coordinate",)).point("coordinate")
        # This version drags from the pointer.
        moved = (make.button_down(hold=60), make.move(*end), make.button_up())
        return Wanted(moved, said="Dragged.")
    return _translate(name, Arguments(name, rest, MEMBERS[name]), picture, seen)


class _Computer:
    """Settings and state; see `Computer`."""

    def __init__(
        self,
        desktop: Any,
        *,
        version: str = "computer_toolset_20260801",
        fit: Fit | None = None,
        format: str = "png",
        confirm: Confirm | None = None,
        disabled: Sequence[str] = (),
        frame_after: bool = True,
    ) -> None:
        super().__init__(desktop)  # type: ignore[call-arg]
        if version not in VERSIONS:
            raise DeskdError(f"there is no version {version!r}; choose one of {', '.join(VERSIONS)}")
        unknown = [name for name in disabled if name not in MEMBERS]
        if unknown:
            raise DeskdError(f"there is no computer action {unknown[0]!r} to disable")
        self.version = version
        self.is_toolset = version == "computer_toolset_20260801"
        limits = fit or (ANTHROPIC if self.is_toolset else ANTHROPIC_OLDER)
        self._confirm, self._frame_after = hook(confirm, "confirm"), flag(frame_after, "frame_after")
        self._disabled = set(disabled)
        self._session = Session(Picture(fit=limits, format=format), halted=HALTED)

    @property
    def betas(self) -> list[str]:
        """The beta headers that the version requires."""
        header = VERSIONS[self.version]
        return [header] if header else []

    def _tool(self) -> Flow[dict[str, Any]]:
        if self.is_toolset:
            entry: dict[str, Any] = {"type": self.version}
            if self._disabled:
                entry["configs"] = {name: {"enabled": False} for name in sorted(self._disabled)}
            return entry
        width, height = yield from self._session.picture_size()
        entry = {"type": self.version, "name": "computer"}
        entry |= {"display_width_px": width, "display_height_px": height}
        if self.version == "computer_20251124":
            entry["enable_zoom"] = "zoom" not in self._disabled
        return entry

    def _results(self, content: Iterable[Any]) -> Flow[list[dict[str, Any]]]:
        blocks = [each for each in map(plain, content) if self._is_mine(each)]
        if not blocks:
            return []
        wanted = []
        for each in blocks:
            wanted.append((yield from self._wanted(each)))
        batch: Batch = yield from self._session.perform(wanted, frame_after=self._frame_after)
        results = [
            self._result(block, outcome) for block, outcome in zip(blocks, batch.outcomes, strict=True)
        ]
        # The API refuses an error with a picture. The picture follows the results.
        failed = [each for each in batch.outcomes if each.is_error]
        beside = [image_block(each.frame) for each in failed if each.frame is not None]
        if batch.frame is not None and not batch.is_shown:
            is_error = batch.outcomes[-1].is_error
            (beside if is_error else results[-1]["content"]).append(image_block(batch.frame))
        return results + beside

    def _is_mine(self, block: Any) -> bool:
        if not isinstance(block, Mapping) or block.get("type") != "tool_use":
            return False
        if self.is_toolset:
            return block.get("toolset_name") == "computer"
        return block.get("name") == "computer" and not block.get("toolset_name")

    def _wanted(self, block: Mapping[str, Any]) -> Flow[Wanted]:
        given, session = block.get("input"), self._session
        name = str(block.get("name"))
        if not self.is_toolset and isinstance(given, Mapping):
            name = str(given.get("action"))
        try:
            if self.is_toolset:
                made = translate(name, given, session.picture, session.seen)
            else:
                made = _older(self.version, given, session.picture, session.seen)
        except (Malformed, DeskdError) as error:
            return Wanted(error=f"Invalid call, not performed: {_message(error)}")
        if name in self._disabled:
            return Wanted(error=f"Not performed: the action {name} is turned off here.")
        return (yield from confirmed(self._confirm, name, given, made))

    def _result(self, block: Mapping[str, Any], outcome: Outcome) -> dict[str, Any]:
        text = outcome.text
        if outcome.cursor is not None:
            x, y = self._session.to_image(outcome.cursor)
            text = f"X={x},Y={y}"
        if not text and outcome.frame is not None and (why := outcome.frame.failure) is not None:
            # The API refuses an error without text.
            text = f"No picture of the screen: {why.message} [{why.reason}]"
        content: list[dict[str, Any]] = [{"type": "text", "text": text}] if text else []
        if outcome.frame is not None and not outcome.is_error:
            content.append(image_block(outcome.frame))
        result: dict[str, Any] = {"type": "tool_result", "tool_use_id": block.get("id")}
        if self.is_toolset:
            result["toolset_name"] = "computer"
        result["content"] = content
        if outcome.is_error:
            result["is_error"] = True
        return result


def _message(error: Exception) -> str:
    return error.message if isinstance(error, DeskdError) else str(error)


def image_block(frame: Frame) -> dict[str, Any]:
    """Returns a picture in a result."""
    source = {"type": "base64", "media_type": frame.media_type, "data": frame.base64()}
    return {"type": "image", "source": source}


class Computer(_Computer, Driver):
    """Anthropic's computer tool on a `Desktop`.

    Args:
        desktop: The desktop.
        version: The version of the tool that the model has.
        fit: Limits of the images. Default: what the model accepts.
        format: `png` or `jpeg`.
        confirm: Asks a person before each call. The call is refused unless the answer is exactly
            `True`.
        disabled: Names of actions that the model may not use.
        frame_after: Whether the model gets the new screen at the end of a turn, which saves it a
            call of `screenshot`.
    """

    def tool(self) -> dict[str, Any]:
        """Returns the entry for `tools`."""
        return self._run(self._tool())

    def results(self, content: Iterable[Any]) -> list[dict[str, Any]]:
        """Performs the computer calls in the content of a message, and returns the content of the
        next message of the user: a `tool_result` for each call, in order, and then the pictures
        of errors. The API accepts only text in a result that is an error.

        Other blocks are ignored; the list is empty if there is no computer call. Send the whole
        list in one message, the results first. Otherwise the model points at a picture that it has
        not seen."""
        return self._run(self._results(content))


class AsyncComputer(_Computer, AsyncDriver):
    """Anthropic's computer tool on an `AsyncDesktop`; see `Computer`."""

    async def tool(self) -> dict[str, Any]:
        """Returns the entry for `tools`."""
        return await self._run(self._tool())

    async def results(self, content: Iterable[Any]) -> list[dict[str, Any]]:
        """As `Computer.results`."""
        return await self._run(self._results(content))

