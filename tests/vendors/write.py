#!/usr/bin/env python3
"""Writes the conformance vectors: one file of JSON lines for each adapter.

    write.py [--check]   (--check: only say whether the files are up to date)

A vector is a model's call, the requests that an adapter must send, the daemon's answers, and the
reply that the model must get. All adapters in all languages run the same vectors. What is expected
is written here by hand, from the vendors' documents; no adapter produces it.

The members of a vector:
- `id`, `adapter`, `options`: which adapter, and its settings.
- `seen`: the last picture that the model saw, or null.
- `calls`: the model's output in the vendor's form.
- `exchanges`: the calls to the daemon in order, each with `method`, `request` (the message in
  JSON, without `operationId` and `instanceId`) and `reply` or `error`.
- `reply`: what the adapter returns.
"""

import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
IMAGE = "cGljdHVyZQ=="
CARD = "Y2FyZA=="
HALT = "Not executed: an earlier computer action in this turn failed."
HALTED = "Not executed: an earlier action failed."
NO_CHANGE = " The screen did not change."
NO_SCREENSHOT = "Not performed: there is no screenshot to which the points refer. Take a screenshot first."
NOT_THE_SCREEN = "The picture is not the screen: the screen could not be captured."

# --- The daemon's messages ---


def point(x, y):
    return {"point": {"x": x, "y": y}}


def placed(fields, at, name="at"):
    return {**({name: point(*at)} if at else {}), **fields}


def click(at=None, button="LEFT", count=1, held=()):
    fields = {"button": f"BUTTON_{button}", "count": count}
    return {"click": placed({**fields, **({"modifiers": list(held)} if held else {})}, at)}


def move(at, held=()):
    return {"move": placed({"modifiers": list(held)} if held else {}, at, "to")}


def drag(*path, held=()):
    fields = {"path": [point(*each) for each in path], "button": "BUTTON_LEFT"}
    return {"drag": {**fields, **({"modifiers": list(held)} if held else {})}}


def scroll(dx, dy, at=None, unit="NOTCH", held=()):
    fields = {"unit": f"SCROLL_UNIT_{unit}"}
    if dx:
        fields["dx"] = dx
    if dy:
        fields["dy"] = dy
    if held:
        fields["modifiers"] = list(held)
    return {"scroll": placed(fields, at)}


def key(*keys, repeat=None, hold=None):
    fields = {"keys": list(keys)}
    if repeat is not None:
        fields["repeat"] = repeat
    if hold is not None:
        fields["hold"] = hold
    return {"key": fields}


def typed(text):
    return {"type": {"text": text}}


def wait(seconds):
    return {"wait": {"duration": seconds}}


def button_down(at=None, button="LEFT", hold="60s"):
    return {"buttonDown": placed({"button": f"BUTTON_{button}", "hold": hold}, at)}


def button_up(at=None, button="LEFT"):
    return {"buttonUp": placed({"button": f"BUTTON_{button}"}, at)}


def key_down(name, hold="60s"):
    return {"keyDown": {"key": name, "hold": hold}}


def key_up(name):
    return {"keyUp": {"key": name}}


def picture(capture):
    return {"screenshot": {"capture": capture}}


def frame(number, size=(1280, 800), card=False):
    if card:
        why = {"stage": "FAILURE_STAGE_CAPTURE", "reason": "REASON_X_UNRESPONSIVE"}
        why |= {"message": "the X server did not answer", "retryable": True}
        made = {"image": CARD, "format": "IMAGE_FORMAT_PNG", "width": 1280, "height": 800}
        return {**made, "kind": "FRAME_KIND_FAILURE_CARD", "failure": why, "frameId": f"c{number}"}
    made = {"image": IMAGE, "format": "IMAGE_FORMAT_PNG", "width": size[0], "height": size[1]}
    made |= {"region": {"x": 0, "y": 0, "width": 1280, "height": 800}}
    made |= {"screenWidth": 1280, "screenHeight": 800}
    return {**made, "kind": "FRAME_KIND_SCREEN", "frameId": f"f{number}"}


DONE = {"status": "ACTION_STATUS_DONE"}
NOT_EXECUTED = {"status": "ACTION_STATUS_NOT_EXECUTED"}


def failed(reason, message, stage="INPUT"):
    why = {"stage": f"FAILURE_STAGE_{stage}", "reason": f"REASON_{reason}", "message": message}
    return {"status": "ACTION_STATUS_FAILED", "failure": why}


def act(
    actions,
    capture,
    *,
    space="f0",
    grid=None,
    results=None,
    outcome=None,
    settle="QUIET",
    no_frame=False,
    error=None,
    number=1,
    card=False,
    expect=None,
    size=(1280, 800),
):
    request = {"actions": actions, "onFailure": "ON_FAILURE_STOP_AT_FIRST"}
    if grid is not None:
        request["coordinateSpace"] = {"size": {"width": grid, "height": grid}}
        if expect is not None:
            request["expect"] = {"frameId": expect}
    elif space is not None:
        request["coordinateSpace"] = {"frameId": space}
    if no_frame:
        request["noFrame"] = True
    elif capture:
        request["capture"] = capture
    made = {"method": "Act", "request": request}
    if error is not None:
        return {**made, "error": error}
    results = results if results is not None else [DONE] * len(actions)
    states = {each["status"] for each in results}
    ended = "DONE" if states <= {"ACTION_STATUS_DONE"} else "PARTIAL"
    reply = {"outcome": f"ACT_OUTCOME_{outcome or ended}", "results": results}
    reply["settle"] = {"state": f"SETTLE_STATE_{settle}"}
    if not no_frame:
        reply["frame"] = frame(number, size, card)
    return {**made, "reply": reply}


def shot(capture, *, number=1, card=False, error=None, size=(1280, 800)):
    request = {"capture": capture} if capture else {}
    made = {"method": "Screenshot", "request": request}
    if error is not None:
        return {**made, "error": error}
    return {**made, "reply": {"frame": frame(number, size, card)}}


def cursor(x, y):
    reply = {"cursor": {"position": {"x": x, "y": y}}}
    return {"method": "GetCursor", "request": {}, "reply": reply}


def status(code, reason, message):
    return {"status": code, "reason": reason, "message": message}


OUTSIDE = "point 5000,10 is not within the screen"

# --- Vectors ---

VECTORS: dict[str, list] = {}
SEEN = {"frameId": "f0", "width": 1280, "height": 800, "screenWidth": 1280, "screenHeight": 800}


def vector(name, adapter, calls, exchanges, reply, *, options=None, seen=SEEN):
    made = {"id": name, "adapter": adapter, "options": options or {}, "seen": seen}
    made |= {"calls": calls, "exchanges": exchanges, "reply": reply}
    listed = VECTORS.setdefault(adapter, [])
    assert all(each["id"] != name for each in listed), name
    listed.append(made)


def main():
    for module in sorted(HERE.glob("write_*.py")):
        __import__(module.stem)
    stale = []
    for adapter, listed in VECTORS.items():
        lines = [json.dumps(each, ensure_ascii=False, separators=(",", ":")) for each in listed]
        text = "\n".join(lines) + "\n"
        place = HERE / f"{adapter}.jsonl"
        if not place.exists() or place.read_text() != text:
            stale.append(place.name)
            if "--check" not in sys.argv:
                place.write_text(text)
    total = sum(map(len, VECTORS.values()))
    print(", ".join(f"{adapter} {len(listed)}" for adapter, listed in VECTORS.items()), f"= {total}")
    if stale and "--check" in sys.argv:
        sys.exit(f"write.py: {', '.join(stale)} is not up to date; run tests/vendors/write.py")


if __name__ == "__main__":
    sys.modules["write"] = sys.modules[__name__]
    sys.path.insert(0, str(HERE))
    main()
