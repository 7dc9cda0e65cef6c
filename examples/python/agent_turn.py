#!/usr/bin/env python3
"""Whole turns of an agent: observe, let the model decide, act, observe.

    python3 agent_turn.py ADDRESS < calls.jsonl

The model is scripted: each line of standard input is one tool call as OpenAI's or
Anthropic's computer-use tool makes it, such as

    {"type": "click", "x": 40, "y": 12, "button": "left"}
    {"action": "left_click", "coordinate": [40, 12]}

Put your own in place of `scripted_model`. A line is printed for each turn.
"""

import json
import pathlib
import sys
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


def seconds(value):
    return Duration(nanos=0) if not value else Duration(
        seconds=int(value), nanos=int(value % 1 * 1e9)
    )


def point(call):
    """Where a call points, in pixels of the picture that the model saw; or nowhere."""
    x, y = call.get("coordinate") or (call.get("x"), call.get("y"))
    return None if x is None else frames.Point(x=round(x), y=round(y))


def chord(text):
    """Anthropic's "ctrl+s"; deskd knows xdotool's, OpenAI's and the browsers' names."""
    return ["+"] if text == "+" else [key or "+" for key in text.replace("++", "+\0").split("+")]


def to_actions(call):
    """A vendor's tool call as deskd's actions; none for what only looks."""
    name = call.get("action") or call.get("type")
    at, keys = point(call), call.get("keys") or []
    if name == "click":
        button = BUTTONS[call.get("button", "left")]
        return [dict(click=actions.ClickAction(at=at, button=button, modifiers=keys))]
    if name in CLICKS:
        button, count = CLICKS[name]
        held = chord(call["text"]) if call.get("text") else keys
        click = actions.ClickAction(at=at, button=BUTTONS[button], count=count, modifiers=held)
        return [dict(click=click)]
    if name in ("move", "mouse_move"):
        return [dict(move=actions.MoveAction(to=at))]
    if name == "drag":
        path = [point(step if isinstance(step, dict) else {"coordinate": step}) for step in call["path"]]
        return [dict(drag=actions.DragAction(path=path, modifiers=keys))]
    if name == "left_click_drag":
        path = [point({"coordinate": call["start_coordinate"]}), at]
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
        return [dict(key=actions.KeyAction(keys=chord(call["text"])))]
    if name == "hold_key":
        held = round(float(call["duration"]) * 1000)
        return [dict(key=actions.KeyAction(keys=chord(call["text"]), hold_ms=held))]
    if name == "type":
        return [dict(type=actions.TypeAction(text=call["text"]))]
    if name == "wait":
        return [dict(wait=actions.WaitAction(duration=seconds(float(call.get("duration", 1)))))]
    if name in ("screenshot", "zoom", "cursor_position"):
        return []
    raise ValueError(f"no action is called {name!r}")


def act(desktop, instance, seen, call, tries=3):
    """Does a call once, however often it must be sent; the reply."""
    request = messages.ActRequest(
        operation_id=uuid.uuid4().hex,
        instance_id=instance,
        actions=[actions.Action(**action) for action in to_actions(call)],
        # The model's pixels are those of the picture that it saw.
        coordinate_space=frames.CoordinateSpace(frame_id=seen.frame_id),
    )
    # A screen of another size, or another X server, must not get this.
    request.expect.frame_id = seen.frame_id
    while True:
        try:
            return desktop.Act(request, timeout=30)
        except grpc.RpcError as error:
            tries -= 1
            again = error.code() in (
                grpc.StatusCode.UNAVAILABLE,
                grpc.StatusCode.DEADLINE_EXCEEDED,
                grpc.StatusCode.RESOURCE_EXHAUSTED,
            )
            # The same id: what was done is not done again.
            if not again or tries == 0:
                raise


def look(desktop, call=None, seen=None):
    """A picture: the screen, or what Anthropic's `zoom` asks for."""
    request = messages.ScreenshotRequest()
    if call and call.get("action") == "zoom":
        request.coordinate_space.frame_id = seen.frame_id
        left, top, right, bottom = call["region"]
        request.region.x, request.region.y = left, top
        request.region.width, request.region.height = right - left, bottom - top
    return desktop.Screenshot(request, timeout=60).frame


def scripted_model(lines):
    """Stands for a model: says what is next, whatever it sees."""
    for line in lines:
        if line.strip():
            yield json.loads(line)


def main():
    desktop = connect(sys.argv[1] if len(sys.argv) > 1 else "unix:/run/deskd/deskd.sock")
    instance = desktop.GetInfo(messages.GetInfoRequest(), timeout=10).instance_id
    frame = look(desktop)
    for turn, call in enumerate(scripted_model(sys.stdin), 1):
        name = call.get("action") or call.get("type")
        if name == "cursor_position":
            cursor = desktop.GetCursor(messages.GetCursorRequest(), timeout=10).cursor
            print(f"turn {turn}: {name}: {cursor.position.x},{cursor.position.y}")
            continue
        if not to_actions(call):
            picture = look(desktop, call, frame)
            # What is zoomed is looked at; its pixels are no coordinates of the whole.
            frame = frame if name == "zoom" else picture
            print(f"turn {turn}: {name}: {picture.width}x{picture.height}")
            continue
        reply = act(desktop, instance, frame, call)
        frame = reply.frame
        if frame.kind == frames.FRAME_KIND_FAILURE_CARD:
            # The model gets the card, which says that it is not the screen; then a new one.
            print(f"turn {turn}: {name}: no screen: {frame.failure.message}")
            frame = look(desktop)
            continue
        outcome = messages.ActOutcome.Name(reply.outcome).removeprefix("ACT_OUTCOME_")
        state = messages.SettleState.Name(reply.settle.state).removeprefix("SETTLE_STATE_")
        print(f"turn {turn}: {name}: {outcome}, {state}, {frame.width}x{frame.height}")
    pathlib.Path("after.png").write_bytes(frame.image)


if __name__ == "__main__":
    main()
