"""Vectors of Gemini's computer use, from its documentation and the types of its SDK."""

import json

from write import (
    CARD,
    DONE,
    HALTED,
    IMAGE,
    NO_CHANGE,
    NOT_EXECUTED,
    NOT_THE_SCREEN,
    act,
    button_down,
    button_up,
    click,
    drag,
    failed,
    key,
    key_down,
    key_up,
    move,
    scroll,
    shot,
    status,
    typed,
    vector,
    wait,
)

FIT = {"format": "IMAGE_FORMAT_PNG", "fit": {"maxSide": 1440}}
GRID = {"grid": 1000, "expect": "f0"}
AT = (500, 250)
PLACE = {"x": 500, "y": 250}
PICTURE = {"type": "image", "data": IMAGE, "mime_type": "image/png"}
FAILED = {"type": "image", "data": CARD, "mime_type": "image/png"}


def call(number, name, arguments):
    return {"type": "function_call", "id": f"g{number}", "name": name, "arguments": arguments}


def result(number, name, *images, error=None, output=None, acknowledged=False, url=""):
    response = {"url": url}
    if error is not None:
        response["error"] = error
    if output is not None:
        response["output"] = output
    if acknowledged:
        response["safety_acknowledgement"] = True
    text = {"type": "text", "text": json.dumps(response, ensure_ascii=False)}
    made = {"type": "function_result", "name": name, "call_id": f"g{number}", "result": [text, *images]}
    return {**made, "is_error": True} if error is not None else made


def good(title, name, arguments, actions):
    given = {**arguments, "intent": "to test"}
    vector(f"gemini/{title}", "gemini", [call(1, name, given)], [act(actions, FIT, **GRID)], [result(1, name, PICTURE)])


def bad(title, name, arguments, why):
    said = f"Invalid call, not performed: {why}"
    vector(f"gemini/{title}", "gemini", [call(1, name, arguments)], [shot(FIT)], [result(1, name, PICTURE, error=said)])


CLICKS = {
    "click": click(AT),
    "double_click": click(AT, "LEFT", 2),
    "triple_click": click(AT, "LEFT", 3),
    "middle_click": click(AT, "MIDDLE"),
    "right_click": click(AT, "RIGHT"),
    "click_at": click(AT),
    "hover_at": move(AT),
    "move": move(AT),
    "mouse_down": button_down(AT),
    "mouse_up": button_up(AT),
}
for name, made in CLICKS.items():
    good(name, name, PLACE, [made])
    bad(f"{name} without x", name, {"y": 250}, f"{name}: x is required")
    bad(f"{name} without y", name, {"x": 250}, f"{name}: y is required")
    bad(f"{name} at a string", name, {"x": "500", "y": 250}, f"{name}: x and y must be whole numbers")
    bad(f"{name} with an unknown argument", name, {**PLACE, "speed": 1}, f"{name}: unknown argument 'speed'; it has: y, x, intent")
good("click at the grid's origin", "click", {"x": 0, "y": 0}, [click((0, 0))])
good("click at the grid's end", "click", {"x": 999, "y": 999}, [click((999, 999))])
good("type", "type", {"text": "hello"}, [typed("hello")])
good("type and press enter", "type", {"text": "hello", "press_enter": True}, [typed("hello"), key("Return")])
good("type and do not press enter", "type", {"text": "hello", "press_enter": False}, [typed("hello")])
good("press enter alone", "type", {"text": "", "press_enter": True}, [key("Return")])
bad("type without text", "type", {}, "type: text is required")
bad("type, press_enter is a string", "type", {"text": "a", "press_enter": "yes"}, "type: press_enter must be true or false")
CLEAR = [key("ctrl", "a"), key("BackSpace")]
good("type_text_at", "type_text_at", {**PLACE, "text": "hi"}, [click(AT), *CLEAR, typed("hi"), key("Return")])
good("type_text_at without enter", "type_text_at", {**PLACE, "text": "hi", "press_enter": False}, [click(AT), *CLEAR, typed("hi")])
good("type_text_at without clearing", "type_text_at", {**PLACE, "text": "hi", "clear_before_typing": False}, [click(AT), typed("hi"), key("Return")])
good("type_text_at only clears", "type_text_at", {**PLACE, "text": "", "press_enter": False}, [click(AT), *CLEAR])
bad("type_text_at without text", "type_text_at", PLACE, "type_text_at: text is required")
good("drag_and_drop", "drag_and_drop", {"start_x": 10, "start_y": 20, "end_x": 500, "end_y": 250}, [drag((10, 20), AT)])
good("drag_and_drop, legacy", "drag_and_drop", {"x": 10, "y": 20, "destination_x": 500, "destination_y": 250}, [drag((10, 20), AT)])
bad("drag_and_drop without end", "drag_and_drop", {"start_x": 10, "start_y": 20}, "drag_and_drop: end_x is required")
bad("drag_and_drop, legacy without end", "drag_and_drop", {"x": 10, "y": 20}, "drag_and_drop: destination_x is required")
vector(
    "gemini/the frame after is a card",
    "gemini",
    [call(1, "type", {"text": "hello"})],
    [act([typed("hello")], FIT, card=True, **GRID)],
    [result(1, "type", FAILED, output="The picture is not the screen: the screen could not be captured.")],
)
good("wait", "wait", {"seconds": 3}, [wait("3s")])
good("wait by default", "wait", {}, [wait("1s")])
good("wait_5_seconds", "wait_5_seconds", {}, [wait("5s")])
bad("wait too long", "wait", {"seconds": 301}, "wait: seconds must be a number from 0 to 300")
good("press_key", "press_key", {"key": "Enter"}, [key("Enter")])
good("press_key, a chord", "press_key", {"key": "Control+A"}, [key("Control", "A")])
bad("press_key without key", "press_key", {}, "press_key: key is required")
good("key_down", "key_down", {"key": "shift"}, [key_down("shift")])
good("key_up", "key_up", {"key": "shift"}, [key_up("shift")])
good("hotkey", "hotkey", {"keys": ["ctrl", "s"]}, [key("ctrl", "s")])
bad("hotkey, no keys", "hotkey", {"keys": []}, 'no key is given; give names such as "ctrl+s" or "ctrl", "s"')
bad("hotkey, a string", "hotkey", {"keys": "ctrl+s"}, "hotkey: keys must be a list of strings")
good("key_combination", "key_combination", {"keys": "Control+A"}, [key("Control", "A")])
good("key_combination, one key", "key_combination", {"keys": "Enter"}, [key("Enter")])
bad("key_combination, a list", "key_combination", {"keys": ["Control", "A"]}, "key_combination: keys must be a string")
for direction, (dx, dy) in {"up": (0, -1), "down": (0, 1), "left": (-1, 0), "right": (1, 0)}.items():
    good(f"scroll {direction}", "scroll", {**PLACE, "direction": direction, "magnitude_in_pixels": 200}, [scroll(200 * dx, 200 * dy, AT, "PIXEL")])
    good(f"scroll {direction} by default", "scroll", {**PLACE, "direction": direction}, [scroll(300 * dx, 300 * dy, AT, "PIXEL")])
    # 500 of 1,000 is half of the screen of 1280×800.
    half = abs(dx) * 640 + abs(dy) * 400
    good(f"scroll_at {direction}", "scroll_at", {**PLACE, "direction": direction, "magnitude": 500}, [scroll(half * dx, half * dy, AT, "PIXEL")])
good("scroll_at by default", "scroll_at", {**PLACE, "direction": "down"}, [scroll(0, 640, AT, "PIXEL")])
bad("scroll, another direction", "scroll", {**PLACE, "direction": "away"}, "scroll: direction must be one of up, down, left, right")
bad("scroll too far", "scroll", {**PLACE, "direction": "up", "magnitude_in_pixels": 1000}, "scroll: magnitude_in_pixels must be a whole number from 0 to 999")
good("scroll_document down", "scroll_document", {"direction": "down"}, [key("Page_Down")])
good("scroll_document up", "scroll_document", {"direction": "up"}, [key("Page_Up")])
good("scroll_document left", "scroll_document", {"direction": "left"}, [scroll(-640, 0, (500, 500), "PIXEL")])
good("scroll_document right", "scroll_document", {"direction": "right"}, [scroll(640, 0, (500, 500), "PIXEL")])
good("go_back", "go_back", {}, [key("alt", "Left")])
good("go_forward", "go_forward", {}, [key("alt", "Right")])
good("navigate", "navigate", {"url": "https://example.com"}, [key("ctrl", "l"), typed("https://example.com"), key("Return")])
good("search", "search", {}, [key("ctrl", "l"), typed("https://www.google.com"), key("Return")])
bad("navigate without url", "navigate", {}, "navigate: url is required")
good("long_press", "long_press", {**PLACE, "seconds": 1}, [button_down(AT), wait("1s"), button_up()])
good("long_press by default", "long_press", PLACE, [button_down(AT), wait("2s"), button_up()])
for name in ("open_app", "list_apps"):
    bad(f"{name} is of telephones", name, {}, f"the function '{name}' is not available on this desktop")
for name in ("take_screenshot", "open_web_browser"):
    vector(f"gemini/{name}", "gemini", [call(1, name, {"intent": "to look"})], [shot(FIT)], [result(1, name, PICTURE)])
vector("gemini/take_screenshot, a card", "gemini", [call(1, "take_screenshot", {})], [shot(FIT, card=True)], [result(1, "take_screenshot", FAILED, error="The screen could not be captured.")])
vector("gemini/functions of the worker are ignored", "gemini", [call(1, "yield_to_user", {"reason": "login"}), {"type": "text", "text": "x"}], [], [])
vector(
    "gemini/several calls are one step",
    "gemini",
    [call(1, "click", PLACE), call(2, "type", {"text": "a"}), call(3, "take_screenshot", {})],
    [act([click(AT), typed("a")], FIT, **GRID)],
    [result(1, "click"), result(2, "type"), result(3, "take_screenshot", PICTURE)],
)
vector(
    "gemini/the second fails",
    "gemini",
    [call(1, "type", {"text": "a"}), call(2, "click", {"x": 1000, "y": 5}), call(3, "type", {"text": "b"})],
    [act([typed("a"), click((1000, 5)), typed("b")], FIT, results=[DONE, failed("OUT_OF_SCREEN", "point 1000,5 is outside"), NOT_EXECUTED], **GRID)],
    [result(1, "type"), result(2, "click", error="Failed: point 1000,5 is outside [OUT_OF_SCREEN]"), result(3, "type", PICTURE, error=HALTED)],
)
vector(
    "gemini/nothing changed",
    "gemini",
    [call(1, "click", PLACE)],
    [act([click(AT)], FIT, settle="NO_CHANGE", **GRID)],
    [result(1, "click", PICTURE, output=NO_CHANGE.strip())],
)
vector(
    "gemini/the screen is another one",
    "gemini",
    [call(1, "click", PLACE)],
    [act([click(AT)], FIT, error=status("FAILED_PRECONDITION", "STALE_GENERATION", "another X server"), **GRID), shot(FIT, number=2)],
    [result(1, "click", PICTURE, error="Not performed: another X server [STALE_GENERATION]")],
)
DECISION = {"decision": "require_confirmation", "explanation": "This buys a car."}
vector(
    "gemini/a safety decision is acknowledged",
    "gemini",
    [call(1, "click", {**PLACE, "safety_decision": DECISION})],
    [act([click(AT)], FIT, **GRID)],
    [result(1, "click", PICTURE, acknowledged=True)],
    options={"acknowledge": True},
)
vector(
    "gemini/a safety decision is declined",
    "gemini",
    [call(1, "click", {**PLACE, "safety_decision": DECISION})],
    [shot(FIT)],
    [result(1, "click", PICTURE, error="Not performed: a person did not allow click.")],
    options={"acknowledge": False},
)
vector(
    "gemini/a safety decision that nobody can acknowledge",
    "gemini",
    [call(1, "click", {**PLACE, "safety_decision": DECISION})],
    [shot(FIT)],
    [result(1, "click", PICTURE, error="Not performed: a person must confirm first: This buys a car.")],
)
CONFIRM = "Not performed: a person must confirm first"
for title, decision, why in (
    ("is empty", {}, CONFIRM),
    ("has only an explanation", {"explanation": "This buys a car."}, f"{CONFIRM}: This buys a car."),
    ("is null", {"decision": None}, CONFIRM),
    ("is unknown", {"decision": "Regular"}, CONFIRM),
):
    vector(
        f"gemini/a safety decision that {title} is not harmless",
        "gemini",
        [call(1, "click", {**PLACE, "safety_decision": decision})],
        [shot(FIT)],
        [result(1, "click", PICTURE, error=why)],
    )
vector(
    "gemini/a safety decision that is empty is acknowledged",
    "gemini",
    [call(1, "click", {**PLACE, "safety_decision": {}})],
    [act([click(AT)], FIT, **GRID)],
    [result(1, "click", PICTURE, acknowledged=True)],
    options={"acknowledge": True},
)
vector(
    "gemini/a safety decision: a person answers yes, which is not true",
    "gemini",
    [call(1, "click", {**PLACE, "safety_decision": DECISION})],
    [shot(FIT)],
    [result(1, "click", PICTURE, error="Not performed: a person did not allow click.")],
    options={"acknowledge": "yes"},
)
for decision in ("regular", "allowed"):
    vector(
        f"gemini/the safety decision {decision} is harmless",
        "gemini",
        [call(1, "click", {**PLACE, "safety_decision": {"decision": decision}})],
        [act([click(AT)], FIT, **GRID)],
        [result(1, "click", PICTURE)],
    )
vector(
    "gemini/a person does not allow it",
    "gemini",
    [call(1, "click", PLACE)],
    [shot(FIT)],
    [result(1, "click", PICTURE, error="Not performed: a person did not allow click.")],
    options={"confirm": False},
)
vector(
    "gemini/an excluded function",
    "gemini",
    [call(1, "search", {})],
    [shot(FIT)],
    [result(1, "search", PICTURE, error="Not performed: the function search is turned off here.")],
    options={"excluded": ["search"]},
)
vector(
    "gemini/the address of the page",
    "gemini",
    [call(1, "go_back", {})],
    [act([key("alt", "Left")], FIT, **GRID)],
    [result(1, "go_back", PICTURE, url="https://example.com/")],
    options={"url": "https://example.com/"},
)
vector(
    "gemini/no picture seen yet: keys need none",
    "gemini",
    [call(1, "press_key", {"key": "Enter"})],
    [act([key("Enter")], FIT, grid=1000)],
    [result(1, "press_key", PICTURE)],
    seen=None,
)
vector(
    "gemini/no picture seen yet: distances need the size of the screen",
    "gemini",
    [call(1, "scroll_at", {**PLACE, "direction": "down", "magnitude": 250})],
    [shot(FIT, number=0), act([scroll(0, 200, AT, "PIXEL")], FIT, **GRID)],
    [result(1, "scroll_at", PICTURE)],
    seen=None,
)

vector(
    "gemini/no picture seen yet: points count the grid and need none",
    "gemini",
    [call(1, "click", PLACE)],
    [act([click(AT)], FIT, grid=1000)],
    [result(1, "click", PICTURE)],
    seen=None,
)
NO_SIZE = "Not performed: the size of the screen is not known. Take a screenshot first."
for title, name, arguments in (
    ("scroll_at", "scroll_at", {**PLACE, "direction": "down", "magnitude": 250}),
    ("scroll_document sideways", "scroll_document", {"direction": "left"}),
):
    vector(
        f"gemini/no picture seen yet: {title} after a failure card is refused",
        "gemini",
        [call(1, name, arguments)],
        [shot(FIT, card=True), shot(FIT, card=True, number=2)],
        [result(1, name, FAILED, error=f"{NO_SIZE} {NOT_THE_SCREEN}")],
        seen=None,
    )


# The form of generateContent.


def part(name, arguments, number=None):
    made = {"name": name, "args": arguments}
    return {"function_call": {**({"id": f"g{number}"} if number else {}), **made}}


def response(name, *images, error=None, number=None, acknowledged=False):
    made = {"url": ""}
    if error is not None:
        made["error"] = error
    if acknowledged:
        made["safety_acknowledgement"] = True
    answer = {"name": name, **({"id": f"g{number}"} if number else {}), "response": made}
    if images:
        answer["parts"] = [{"inline_data": {"mime_type": "image/png", "data": each}} for each in images]
    return {"function_response": answer}


def content(title, parts, exchanges, reply, **more):
    vector(f"gemini_content/{title}", "gemini_content", parts, exchanges, reply, **more)


content("click_at", [{"text": "I click."}, part("click_at", PLACE)], [act([click(AT)], FIT, **GRID)], [response("click_at", IMAGE)])
content("with ids", [part("click", PLACE, 1), part("type", {"text": "a"}, 2)], [act([click(AT), typed("a")], FIT, **GRID)], [response("click", number=1), response("type", IMAGE, number=2)])
content("malformed", [part("click_at", {})], [shot(FIT)], [response("click_at", IMAGE, error="Invalid call, not performed: click_at: x is required")])
content("no call", [{"text": "Done."}], [], [])
content("a safety decision", [part("click_at", {**PLACE, "safety_decision": DECISION})], [act([click(AT)], FIT, **GRID)], [response("click_at", IMAGE, acknowledged=True)], options={"acknowledge": True})
content("open_web_browser", [part("open_web_browser", {})], [shot(FIT)], [response("open_web_browser", IMAGE)])
content("a card", [part("open_web_browser", {})], [shot(FIT, card=True)], [response("open_web_browser", CARD, error="The screen could not be captured.")])
