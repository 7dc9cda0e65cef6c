"""The `computer` tool of inspect_ai, on a desktop that deskd serves.

    @task
    def desk():
        tools = [computer(AsyncDesktop("unix:/run/deskd/deskd.sock"))]
        return Task(solver=[use_tools(tools), generate()], …)

The tool has the name and the parameters of inspect_ai's own, so models with a computer tool use
theirs. It needs no program in the sandbox.

An error of inspect_ai's tools has a text but no image. A point that refers to no screenshot is
refused. The model must then take a screenshot.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from .. import actions as make
from ..options import ANTHROPIC_OLDER, Fit, Picture
from . import anthropic
from .fields import Arguments, Malformed
from .flow import Ask, Open, Outcome, Session, Wanted, hook, run_async

__all__ = ["computer", "translate"]

PARAMETERS = (
    "action",
    "coordinate",
    "duration",
    "region",
    "scroll_amount",
    "scroll_direction",
    "start_coordinate",
    "text",
    "repeat",
    "press_enter",
    "actions",
)
"""The parameters of the tool."""

START_PAGE = "https://www.google.com"
"""The page that `open_web_browser` opens with a hook for it."""

_SIDES = {"back_click": "back", "forward_click": "forward"}


def translate(
    action: Mapping[str, Any], picture: Picture, seen: Any, open: Open | None = None
) -> Wanted:
    """Translates one action. `open` is a hook that opens pages.

    Raises:
        Malformed: If it is wrong.
    """
    name = action.get("action")
    rest = {key: value for key, value in action.items() if key != "action" and value is not None}
    if name in _SIDES:
        given = Arguments(str(name), rest, ("coordinate",))
        at = given.point("coordinate") if given.has("coordinate") else (None, None)
        return Wanted((make.click(*at, button=_SIDES[str(name)]),), said="Clicked.")
    if name == "type":
        given = Arguments("type", rest, ("text", "coordinate", "press_enter"))
        made = [make.click(*given.point("coordinate"))] if given.has("coordinate") else []
        made.append(make.type_text(given.text("text")))
        if given.flag("press_enter", False):
            made.append(make.press("Return"))
        return Wanted(tuple(made), said="Typed.")
    if name == "navigate":
        url = Arguments("navigate", rest, ("text",)).text("text")
        if open is not None:
            return Wanted(ask=Ask(open, (url,)), said="Opened.")
        opened = (make.press("ctrl", "l"), make.type_text(url), make.press("Return"))
        return Wanted(opened, said="Entered the address.")
    if name == "open_web_browser":
        if open is not None:
            Arguments("open_web_browser", rest, ())
            return Wanted(ask=Ask(open, (START_PAGE,)), said="Opened.")
        raise Malformed("open_web_browser is not available here; click the browser's icon")
    return anthropic.translate(str(name), rest, picture, seen)


def computer(
    desktop: Any,
    *,
    fit: Fit | None = None,
    max_screenshots: int | None = 1,
    open: Open | None = None,
) -> Any:
    """Returns the tool.

    Args:
        desktop: An `AsyncDesktop`.
        fit: Limits of the screenshots.
        max_screenshots: Maximum number of screenshots that the model sees again. None: all.
        open: Opens a page for `navigate` and `open_web_browser`. Without it, addresses are typed
            into the focused browser, and `open_web_browser` is refused.
    """
    from inspect_ai.model import ContentImage, ContentText
    from inspect_ai.tool import ToolDef, ToolError, tool
    from inspect_ai.tool import computer as own
    from inspect_ai.util import store

    hook(open, "open")
    picture = Picture(fit=fit or ANTHROPIC_OLDER)
    sessions: dict[str, Session] = {}

    def session_of_sample() -> Session:
        """Returns the state of the running sample, whose model must see a picture of its own."""
        sample = store().get("deskd_sample", uuid.uuid4().hex)
        new = Session(picture, halted=anthropic.HALTED, shows_errors=False)
        return sessions.setdefault(sample, new)

    async def execute(**given: Any) -> Any:
        actions = given.get("actions")
        calls = actions if actions is not None else [given]
        if not isinstance(calls, list) or not all(isinstance(each, Mapping) for each in calls):
            raise ToolError("actions must be a list of objects")
        session, wanted = session_of_sample(), []
        before = session.seen
        for call in calls:
            try:
                wanted.append(translate(call, session.picture, session.seen, open))
            except Exception as error:
                wanted.append(Wanted(error=f"Invalid action, not performed: {error}"))
        batch = await run_async(desktop, session.perform(wanted))
        failed = next((each for each in batch.outcomes if each.is_error), None)
        if failed is not None and failed.frame is None:
            # The model sees no picture of this call. A picture that is gone stays gone.
            session.seen = before if session.seen is not None else None
            raise ToolError(" ".join(each.text for each in batch.outcomes if each.is_error))
        text = " ".join(_text(session, each) for each in batch.outcomes).strip()
        content: list[Any] = [ContentText(text=text)] if text else []
        frames = [each.frame for each in batch.outcomes if each.frame is not None]
        if batch.frame is not None and not batch.is_shown:
            frames.append(batch.frame)
        return content + [ContentImage(image=frame.data_url()) for frame in frames]

    # The description and parameters are inspect_ai's own, by which it recognises its tool.
    given = ToolDef(own(max_screenshots=max_screenshots))

    # `ToolDef.as_tool` loses the function that removes old screenshots.
    @tool(name="computer", model_input=given.model_input)
    def made() -> Any:
        described = ToolDef(
            execute, name="computer", description=given.description, parameters=given.parameters
        )
        return described.as_tool()

    return made()


def _text(session: Session, outcome: Outcome) -> str:
    if outcome.cursor is not None:
        x, y = session.to_image(outcome.cursor)
        return f"X={x},Y={y}"
    return outcome.text
