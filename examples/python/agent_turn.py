#!/usr/bin/env python3
"""Whole turns of an agent: observe, let the model decide, act, observe.

    python3 agent_turn.py ADDRESS < calls.jsonl

The model is scripted: each line of standard input is one tool call as OpenAI's or
Anthropic's computer-use tool makes it, such as

    {"type": "click", "x": 40, "y": 12, "button": "left"}
    {"action": "left_click", "coordinate": [40, 12]}

Put your own in place of `scripted_model`. A line is printed for each turn: what the
model should be told. A call that cannot be done is refused, with the reason, before any
of it is done; the model is told that, too.
"""

import json
import pathlib
import sys
import time
import uuid

import grpc
from google.protobuf.duration_pb2 import Duration

from first_frame import connect, frames, messages

actions = grpc.protos("deskd/v1/action.proto")

BUTTONS = {
    "left": actions.BUTTON_LEFT,
    "wheel": actions.BUTTON_MIDDLE,
    "middle": actions.BUTTON_MIDDLE,
    "right": actions.BUTTON_RIGHT,
    "back": actions.BUTTON_BACK,
    "forward": actions.BUTTON_FORWARD,
}
# Anthropic's clicks: button and count.
CLICKS = {
    "left_click": ("left", 1),
    "right_click": ("right", 1),
    "middle_click": ("middle", 1),
    "double_click": ("left", 2),
    "triple_click": ("left", 3),
}


# OpenAI's that must point somewhere; Anthropic's may leave it to where the pointer is.
POINTING = ("click", "double_click", "move", "scroll")
# Nothing was done (or nobody knows whether): the model must look, and decide again.
REFUSALS = (
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.OUT_OF_RANGE,
    grpc.StatusCode.FAILED_PRECONDITION,
)
# Nobody answered: what was asked is asked again.
RETRIED = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
)


def seconds(call):
    """How long a call lasts by itself."""
    if call.get("action") in ("wait", "hold_key"):
        return float(call["duration"])
    return 1 if call.get("type") == "wait" else 0


def target(call):
    """The place of a call, in pixels of the image that the model saw; or None."""
    if call.get("coordinate") is not None:
        x, y = call["coordinate"]
    elif call.get("type") in POINTING or "x" in call:
        x, y = call["x"], call["y"]
    else:
        return None
    return actions.Target(point=frames.Point(x=round(x), y=round(y)))


def chord(text):
    """Anthropic's "ctrl+s"; deskd knows xdotool's, OpenAI's and the browsers' names."""
    if text == "+":
        return ["+"]
    return [key.replace("\0", "+") for key in text.replace("++", "+\0").split("+")]


def to_actions(call):
    """A vendor's tool call as deskd's actions; none for what only looks."""
    name = call.get("action") or call.get("type")
    at, keys = target(call), call.get("keys") or []
    if not isinstance(keys, list):
        raise TypeError("keys is a list")
    if name == "click":
        button = BUTTONS[call.get("button", "left")]
        return [dict(click=actions.ClickAction(at=at, button=button, modifiers=keys))]
    if name in CLICKS:
        button, count = CLICKS[name]
        held = chord(call["text"]) if call.get("text") else keys
        click = actions.ClickAction(at=at, button=BUTTONS[button], count=count, modifiers=held)
        return [dict(click=click)]
    if name in ("move", "mouse_move"):
        return [dict(move=actions.MoveAction(to=at, modifiers=keys))]
    if name == "drag":
        path = [target(step if isinstance(step, dict) else {"coordinate": step}) for step in call["path"]]
        return [dict(drag=actions.DragAction(path=path, modifiers=keys))]
    if name == "left_click_drag":
        path = [target({"coordinate": call["start_coordinate"]}), at]
        return [dict(drag=actions.DragAction(path=path))]
    if name == "left_mouse_down":
        return [dict(button_down=actions.ButtonDownAction(at=at))]
    if name == "left_mouse_up":
        return [dict(button_up=actions.ButtonUpAction(at=at))]
    if name == "scroll" and "scroll_direction" in call:
        notches = int(call.get("scroll_amount", 3))
        dx, dy = {
            "up": (0, -notches),
            "down": (0, notches),
            "left": (-notches, 0),
            "right": (notches, 0),
        }[call["scroll_direction"]]
        held = chord(call["text"]) if call.get("text") else []
        unit = actions.SCROLL_UNIT_NOTCH
        scroll = actions.ScrollAction(at=at, dx=dx, dy=dy, unit=unit, modifiers=held)
        return [dict(scroll=scroll)]
    if name == "scroll":
        dx, dy = round(call.get("scroll_x", 0)), round(call.get("scroll_y", 0))
        scroll = actions.ScrollAction(
            at=at, dx=dx, dy=dy, unit=actions.SCROLL_UNIT_PIXEL, modifiers=keys
        )
        return [dict(scroll=scroll)]
    if name == "keypress":
        return [dict(key=actions.KeyAction(keys=keys))]
    if name == "key":
        # xdotool takes several chords, so models send them: "Down Down Return".
        chords = call["text"].split() or [call["text"]]
        return [dict(key=actions.KeyAction(keys=chord(each))) for each in chords]
    if name == "hold_key":
        held = Duration()
        held.FromNanoseconds(round(seconds(call) * 1e9))
        return [dict(key=actions.KeyAction(keys=chord(call["text"]), hold=held))]
    if name == "type":
        return [dict(type=actions.TypeAction(text=call["text"]))]
    if name == "wait":
        duration = Duration()
        duration.FromNanoseconds(round(seconds(call) * 1e9))
        return [dict(wait=actions.WaitAction(duration=duration))]
    if name in ("screenshot", "zoom", "cursor_position"):
        return []
    raise ValueError(f"no action is called {name!r}")


def send(method, request, timeout):
    """A call, sent again for a while: a daemon or an X server may just start again.

    An act has its id, by which what was done is not done again; all else only looks.
    """
    for pause in (0.2, 0.5, 1, 2, 4, None):
        try:
            return method(request, timeout=timeout)
        except grpc.RpcError as error:
            if error.code() not in RETRIED or pause is None:
                raise
            time.sleep(pause)


def act(desktop, seen, call):
    """Does a call once; the reply."""
    request = messages.ActRequest(
        operation_id=uuid.uuid4().hex,
        instance_id=send(desktop.GetInfo, messages.GetInfoRequest(), 10).instance_id,
        actions=[actions.Action(**action) for action in to_actions(call)],
        # The model's pixels are those of the picture that it saw.
        coordinate_space=frames.CoordinateSpace(frame_id=seen.frame_id),
    )
    # A screen of another size, or another X server, must not get this.
    request.expect.frame_id = seen.frame_id
    return send(desktop.Act, request, 30 + seconds(call))


def look(desktop, call=None, seen=None):
    """A picture: the screen, or what Anthropic's `zoom` asks for."""
    request = messages.ScreenshotRequest()
    if call and call.get("action") == "zoom":
        capture = request.capture
        capture.coordinate_space.frame_id = seen.frame_id
        left, top, right, bottom = call["region"]
        capture.region.x, capture.region.y = left, top
        capture.region.width, capture.region.height = right - left, bottom - top
    return send(desktop.Screenshot, request, 60).frame


def do(desktop, call, seen):
    """One turn: what to tell the model, and the picture for it."""
    name = call.get("action") or call.get("type")
    if name == "cursor_position":
        cursor = send(desktop.GetCursor, messages.GetCursorRequest(), 10).cursor
        return f"{cursor.position.x},{cursor.position.y}", seen
    if not to_actions(call):
        picture = look(desktop, call, seen)
        # What is zoomed is looked at; its pixels are no coordinates of the whole.
        return f"{picture.width}x{picture.height}", seen if name == "zoom" else picture
    reply = act(desktop, seen, call)
    outcome = messages.ActOutcome.Name(reply.outcome).removeprefix("ACT_OUTCOME_")
    for result in reply.results:
        if result.HasField("failure"):
            outcome += f" ({result.failure.message})"
    frame = reply.frame if reply.HasField("frame") else look(desktop)
    if frame.kind == frames.FRAME_KIND_FAILURE_CARD:
        # The model gets the card, which says that it is not the screen; then a new one.
        return f"{outcome}, no screen: {frame.failure.message}", look(desktop)
    state = messages.SettleState.Name(reply.settle.state).removeprefix("SETTLE_STATE_")
    return f"{outcome}, {state}, {frame.width}x{frame.height}", frame


def scripted_model(lines):
    """Stands for a model: says what is next, whatever it sees."""
    for line in lines:
        if line.strip():
            yield json.loads(line)


def main():
    desktop = connect(sys.argv[1] if len(sys.argv) > 1 else "unix:/run/deskd/deskd.sock")
    frame = look(desktop)
    for turn, call in enumerate(scripted_model(sys.stdin), 1):
        name = call.get("action") or call.get("type")
        try:
            said, frame = do(desktop, call, frame)
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
            said = f"refused: {error!r}"
        except grpc.RpcError as error:
            if error.code() not in REFUSALS:
                sys.exit(f"turn {turn}: {name}: {error.code().name}: {error.details()}")
            said, frame = f"refused: {error.details()}", look(desktop)
        print(f"turn {turn}: {name}: {said}", flush=True)
    pathlib.Path("after.png").write_bytes(frame.image)


if __name__ == "__main__":
    main()
