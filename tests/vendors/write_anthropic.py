"""Vectors of Anthropic's computer tool, from its documentation and the types of its SDK."""

from write import (
    CARD,
    DONE,
    HALT,
    IMAGE,
    NO_CHANGE,
    NO_SCREENSHOT,
    NOT_EXECUTED,
    NOT_THE_SCREEN,
    OUTSIDE,
    act,
    button_down,
    button_up,
    click,
    cursor,
    drag,
    failed,
    frame,
    key,
    move,
    picture,
    scroll,
    shot,
    status,
    typed,
    vector,
    wait,
)

PNG = "IMAGE_FORMAT_PNG"
FIT = {"format": PNG, "fit": {"maxSide": 2576, "tiles": {"size": 28, "maxCount": 4784}}}
OLDER = {"format": PNG, "fit": {"maxSide": 1568, "maxPixels": "1150000"}}
TOOLSET = "computer_toolset_20260801"
VERSIONS = ("computer_20241022", "computer_20250124", "computer_20251124")
PICTURE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": IMAGE}}
NO_PICTURE = "No picture of the screen: the X server did not answer [X_UNRESPONSIVE]"
FAILED = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": CARD}}


def use(number, name, given):
    made = {"type": "tool_use", "id": f"t{number}", "name": name, "toolset_name": "computer"}
    return {**made, "input": given}


def result(number, text, *images, error=False, toolset=True):
    # The API refuses an error that has no text, or anything beside text.
    assert not error or (text and not images), number
    made = {"type": "tool_result", "tool_use_id": f"t{number}"}
    if toolset:
        made["toolset_name"] = "computer"
    made["content"] = ([{"type": "text", "text": text}] if text else []) + list(images)
    return {**made, "is_error": True} if error else made


def good(name, member, given, actions, said):
    """A member that acts: the action, its acknowledgement, and the new screen."""
    vector(
        f"anthropic/{name}",
        "anthropic",
        [use(1, member, given)],
        [act(actions, FIT)],
        [result(1, said, PICTURE)],
    )


def bad(name, member, given, why):
    """A malformed call: an error, and after it the screen."""
    vector(
        f"anthropic/{name}",
        "anthropic",
        [use(1, member, given)],
        [shot(FIT)],
        [result(1, f"Invalid call, not performed: {why}", error=True), PICTURE],
    )


AT = (40, 12)
CLICKS = {
    "left_click": ("LEFT", 1, "Clicked."),
    "right_click": ("RIGHT", 1, "Right-clicked."),
    "middle_click": ("MIDDLE", 1, "Middle-clicked."),
    "double_click": ("LEFT", 2, "Double-clicked."),
    "triple_click": ("LEFT", 3, "Triple-clicked."),
}
NO_POINTS = {
    "a string": "40,12",
    "one number": [40],
    "three numbers": [40, 12, 3],
}
NO_NUMBERS = {"a fraction": [40.5, 12], "a string inside": ["40", 12], "null inside": [None, 12], "a truth value": [True, 12]}

for member, (button, count, said) in CLICKS.items():
    good(f"{member}/at a point", member, {"coordinate": list(AT)}, [click(AT, button, count)], said)
    good(f"{member}/at the pointer", member, {}, [click(None, button, count)], said)
    good(f"{member}/with a modifier", member, {"coordinate": [40, 12], "text": "ctrl"}, [click(AT, button, count, ["ctrl"])], said)
    good(f"{member}/with two modifiers", member, {"coordinate": [40, 12], "text": "ctrl+shift"}, [click(AT, button, count, ["ctrl", "shift"])], said)
    good(f"{member}/null is not given", member, {"coordinate": [40, 12], "text": None}, [click(AT, button, count)], said)
    for kind, value in NO_POINTS.items():
        bad(f"{member}/coordinate is {kind}", member, {"coordinate": value}, f"{member}: coordinate must be [x, y]")
    for kind, value in NO_NUMBERS.items():
        bad(f"{member}/coordinate with {kind}", member, {"coordinate": value}, f"{member}: coordinate must be [x, y] in whole numbers")
    bad(f"{member}/text is a number", member, {"text": 5}, f"{member}: text must be a string")
    bad(f"{member}/unknown argument", member, {"button": "left"}, f"{member}: unknown argument 'button'; it has: coordinate, text")
good("left_click/whole numbers as floats", "left_click", {"coordinate": [40.0, 12.0]}, [click(AT)], "Clicked.")
good("left_click/zero", "left_click", {"coordinate": [0, 0]}, [click((0, 0))], "Clicked.")
good("mouse_move/at a point", "mouse_move", {"coordinate": [40, 12]}, [move(AT)], "Moved the mouse.")
bad("mouse_move/without coordinate", "mouse_move", {}, "mouse_move: coordinate is required")
bad("mouse_move/with text", "mouse_move", {"coordinate": [1, 2], "text": "ctrl"}, "mouse_move: unknown argument 'text'; it has: coordinate")
good("left_mouse_down", "left_mouse_down", {}, [button_down()], "Left mouse button pressed.")
good("left_mouse_up", "left_mouse_up", {}, [button_up()], "Left mouse button released.")
bad("left_mouse_down/with coordinate", "left_mouse_down", {"coordinate": [1, 2]}, "left_mouse_down: unknown argument 'coordinate'; it has: none")
good("left_click_drag", "left_click_drag", {"start_coordinate": [40, 12], "coordinate": [90, 50]}, [drag(AT, (90, 50))], "Dragged.")
good("left_click_drag/with a modifier", "left_click_drag", {"start_coordinate": [40, 12], "coordinate": [90, 50], "text": "alt"}, [drag(AT, (90, 50), held=["alt"])], "Dragged.")
bad("left_click_drag/without start", "left_click_drag", {"coordinate": [90, 50]}, "left_click_drag: start_coordinate is required")
bad("left_click_drag/without end", "left_click_drag", {"start_coordinate": [90, 50]}, "left_click_drag: coordinate is required")
for direction, (dx, dy) in {"up": (0, -1), "down": (0, 1), "left": (-1, 0), "right": (1, 0)}.items():
    given = {"scroll_direction": direction, "scroll_amount": 3}
    good(f"scroll/{direction}", "scroll", given, [scroll(3 * dx, 3 * dy)], f"Scrolled {direction}.")
    good(f"scroll/{direction} at a point", "scroll", {**given, "coordinate": [40, 12]}, [scroll(3 * dx, 3 * dy, AT)], f"Scrolled {direction}.")
good("scroll/with a modifier", "scroll", {"scroll_direction": "down", "scroll_amount": 1, "coordinate": [40, 12], "text": "ctrl"}, [scroll(0, 1, AT, held=["ctrl"])], "Scrolled down.")
bad("scroll/unknown direction", "scroll", {"scroll_direction": "north", "scroll_amount": 1}, "scroll: scroll_direction must be one of up, down, left, right")
bad("scroll/without direction", "scroll", {"scroll_amount": 1}, "scroll: scroll_direction is required")
bad("scroll/without amount", "scroll", {"scroll_direction": "up"}, "scroll: scroll_amount is required")
for kind, value in {"negative": -1, "too large": 1001, "a string": "3", "a fraction": 1.5, "a truth value": True}.items():
    bad(f"scroll/amount {kind}", "scroll", {"scroll_direction": "up", "scroll_amount": value}, "scroll: scroll_amount must be a whole number from 0 to 1000")
good("type", "type", {"text": "hello"}, [typed("hello")], "Typed.")
good("type/any script", "type", {"text": "Grüße 你好 👋\n"}, [typed("Grüße 你好 👋\n")], "Typed.")
bad("type/without text", "type", {}, "type: text is required")
bad("type/text is a list", "type", {"text": ["a"]}, "type: text must be a string")
good("key", "key", {"text": "Return"}, [key("Return", repeat=1)], "Pressed Return.")
good("key/a chord", "key", {"text": "ctrl+shift+s"}, [key("ctrl", "shift", "s", repeat=1)], "Pressed ctrl+shift+s.")
good("key/plus", "key", {"text": "+"}, [key("+", repeat=1)], "Pressed +.")
good("key/ctrl and plus", "key", {"text": "ctrl++"}, [key("ctrl", "+", repeat=1)], "Pressed ctrl++.")
good("key/repeated", "key", {"text": "Down", "repeat": 7}, [key("Down", repeat=7)], "Pressed Down.")
good("key/several, as xdotool takes them", "key", {"text": "Down Down Return"}, [key("Down", repeat=1), key("Down", repeat=1), key("Return", repeat=1)], "Pressed Down Down Return.")
bad("key/without text", "key", {"repeat": 2}, "key: text is required")
for kind, value in {"zero": 0, "101": 101, "a string": "2"}.items():
    bad(f"key/repeat {kind}", "key", {"text": "Down", "repeat": value}, "key: repeat must be a whole number from 1 to 100")
good("hold_key", "hold_key", {"text": "shift", "duration": 2}, [key("shift", hold="2s")], "Held shift for 2 s.")
good("hold_key/a fraction of a second", "hold_key", {"text": "a", "duration": 0.5}, [key("a", hold="0.500s")], "Held a for 0.5 s.")
good("hold_key/the longest", "hold_key", {"text": "a", "duration": 300}, [key("a", hold="300s")], "Held a for 300 s.")
bad("hold_key/too long", "hold_key", {"text": "a", "duration": 301}, "hold_key: duration must be a number from 0 to 300")
bad("hold_key/without duration", "hold_key", {"text": "a"}, "hold_key: duration is required")
bad("hold_key/without text", "hold_key", {"duration": 1}, "hold_key: text is required")
good("wait", "wait", {"duration": 3}, [wait("3s")], "Waited 3 s.")
bad("wait/negative", "wait", {"duration": -1}, "wait: duration must be a number from 0 to 300")
bad("wait/a string", "wait", {"duration": "1"}, "wait: duration must be a number from 0 to 300")
bad("wait/without duration", "wait", {}, "wait: duration is required")
bad("unknown member", "fly", {}, "there is no computer action 'fly'")
bad("input is a list", "type", ["hello"], "type: the arguments are not an object")
bad("input is null", "type", None, "type: the arguments are not an object")

vector("anthropic/screenshot", "anthropic", [use(1, "screenshot", {})], [shot(FIT)], [result(1, "", PICTURE)])
vector("anthropic/screenshot/a card", "anthropic", [use(1, "screenshot", {})], [shot(FIT, card=True)], [result(1, NO_PICTURE, error=True), FAILED])
bad("screenshot/with an argument", "screenshot", {"region": [0, 0, 1, 1]}, "screenshot: unknown argument 'region'; it has: none")
PART = {"region": {"x": 100, "y": 50, "width": 300, "height": 200}, "format": PNG, "coordinateSpace": {"frameId": "f0"}}
ENLARGED = {"maxSide": 1280, "tiles": {"size": 28, "maxCount": 4784}, "mayEnlarge": True}
vector("anthropic/zoom", "anthropic", [use(1, "zoom", {"region": [100, 50, 400, 250]})], [shot({**PART, "fit": ENLARGED}, size=(1200, 800))], [result(1, "", PICTURE)])
for kind, value, why in (
    ("empty", [100, 50, 100, 250], "region must have x0 < x1 and y0 < y1"),
    ("the wrong way round", [400, 250, 100, 50], "region must have x0 < x1 and y0 < y1"),
    ("three numbers", [1, 2, 3], "region must be [x0, y0, x1, y1] in whole numbers"),
    ("a string", "1,2,3,4", "region must be [x0, y0, x1, y1] in whole numbers"),
    ("fractions", [0.5, 0, 1, 1], "region must be [x0, y0, x1, y1] in whole numbers"),
):
    bad(f"zoom/{kind}", "zoom", {"region": value}, f"zoom: {why}")
bad("zoom/without region", "zoom", {}, "zoom: region is required")
vector(
    "anthropic/zoom/outside",
    "anthropic",
    [use(1, "zoom", {"region": [1000, 50, 1400, 250]})],
    [
        shot({**PART, "region": {"x": 1000, "y": 50, "width": 400, "height": 200}, "fit": ENLARGED}, error=status("OUT_OF_RANGE", "OUT_OF_SCREEN", "the region is not within the screen")),
        shot(FIT, number=2),
    ],
    [result(1, "Not performed: the region is not within the screen [OUT_OF_SCREEN]", error=True), PICTURE],
)
vector("anthropic/cursor_position", "anthropic", [use(1, "cursor_position", {})], [cursor(512, 384)], [result(1, "X=512,Y=384")])
HALF = {"frameId": "f0", "width": 640, "height": 400, "screenWidth": 1280, "screenHeight": 800}
vector("anthropic/cursor_position/in the picture's pixels", "anthropic", [use(1, "cursor_position", {})], [cursor(1279, 3)], [result(1, "X=639,Y=1")], seen=HALF)

# Rules of a turn.
vector(
    "anthropic/no picture seen yet: a point is refused, and a picture follows",
    "anthropic",
    [use(1, "left_click", {"coordinate": [40, 12]})],
    [shot(FIT)],
    [result(1, NO_SCREENSHOT, error=True), PICTURE],
    seen=None,
)
vector(
    "anthropic/no picture seen yet: the picture follows also without frames after",
    "anthropic",
    [use(1, "left_click", {"coordinate": [40, 12]})],
    [shot(FIT)],
    [result(1, NO_SCREENSHOT, error=True), PICTURE],
    options={"frame_after": False},
    seen=None,
)
vector(
    "anthropic/no picture seen yet: a part of one is refused",
    "anthropic",
    [use(1, "zoom", {"region": [100, 50, 400, 250]})],
    [shot(FIT)],
    [result(1, NO_SCREENSHOT, error=True), PICTURE],
    seen=None,
)
vector(
    "anthropic/no picture seen yet: a failure card is none",
    "anthropic",
    [use(1, "left_click", {"coordinate": [40, 12]})],
    [shot(FIT, card=True)],
    [result(1, f"{NO_SCREENSHOT} {NOT_THE_SCREEN}", error=True), FAILED],
    seen=None,
)
vector(
    "anthropic/no picture seen yet: what comes before the first point is done",
    "anthropic",
    [use(1, "type", {"text": "x"}), use(2, "left_click", {"coordinate": [40, 12]}), use(3, "type", {"text": "y"})],
    [act([typed("x")], FIT, space=None)],
    [result(1, "Typed."), result(2, NO_SCREENSHOT, error=True), result(3, HALT, error=True), PICTURE],
    seen=None,
)
vector(
    "anthropic/no picture seen yet: the model sees that of the same turn only afterwards",
    "anthropic",
    [use(1, "screenshot", {}), use(2, "left_click", {"coordinate": [40, 12]})],
    [shot(FIT)],
    [result(1, "", PICTURE), result(2, NO_SCREENSHOT, error=True)],
    seen=None,
)
vector(
    "anthropic/no picture needed for keys",
    "anthropic",
    [use(1, "key", {"text": "Return"})],
    [act([key("Return", repeat=1)], FIT, space=None)],
    [result(1, "Pressed Return.", PICTURE)],
    seen=None,
)
vector(
    "anthropic/nothing changed",
    "anthropic",
    [use(1, "left_click", {"coordinate": [40, 12]})],
    [act([click(AT)], FIT, settle="NO_CHANGE")],
    [result(1, "Clicked." + NO_CHANGE, PICTURE)],
)
vector(
    "anthropic/still changing",
    "anthropic",
    [use(1, "left_click", {"coordinate": [40, 12]})],
    [act([click(AT)], FIT, settle="TIMEOUT")],
    [result(1, "Clicked. The screen is still changing.", PICTURE)],
)
vector(
    "anthropic/a batch is one step",
    "anthropic",
    [use(1, "left_click", {"coordinate": [40, 12]}), use(2, "type", {"text": "hi"}), use(3, "key", {"text": "Return"})],
    [act([click(AT), typed("hi"), key("Return", repeat=1)], FIT)],
    [result(1, "Clicked."), result(2, "Typed."), result(3, "Pressed Return.", PICTURE)],
)
vector(
    "anthropic/other blocks are ignored",
    "anthropic",
    [{"type": "text", "text": "I click."}, {"type": "tool_use", "id": "x", "name": "screenshot", "input": {}}, use(1, "type", {"text": "hi"})],
    [act([typed("hi")], FIT)],
    [result(1, "Typed.", PICTURE)],
)
vector("anthropic/no call", "anthropic", [{"type": "text", "text": "Done."}], [], [])
vector(
    "anthropic/the second of three fails",
    "anthropic",
    [use(1, "left_click", {"coordinate": [40, 12]}), use(2, "left_click", {"coordinate": [5000, 10]}), use(3, "type", {"text": "x"})],
    [act([click(AT), click((5000, 10)), typed("x")], FIT, results=[DONE, failed("OUT_OF_SCREEN", OUTSIDE), NOT_EXECUTED])],
    [result(1, "Clicked."), result(2, f"Failed: {OUTSIDE} [OUT_OF_SCREEN]", error=True), result(3, HALT, error=True), PICTURE],
)
vector(
    "anthropic/the first of three is malformed",
    "anthropic",
    [use(1, "wait", {}), use(2, "type", {"text": "x"}), use(3, "screenshot", {})],
    [shot(FIT)],
    [result(1, "Invalid call, not performed: wait: duration is required", error=True), result(2, HALT, error=True), result(3, HALT, error=True), PICTURE],
)
vector(
    "anthropic/the second of three is malformed: the first is done",
    "anthropic",
    [use(1, "type", {"text": "x"}), use(2, "fly", {}), use(3, "screenshot", {})],
    [act([typed("x")], FIT)],
    [result(1, "Typed."), result(2, "Invalid call, not performed: there is no computer action 'fly'", error=True), result(3, HALT, error=True), PICTURE],
)
vector(
    "anthropic/a screenshot in the middle",
    "anthropic",
    [use(1, "left_click", {"coordinate": [40, 12]}), use(2, "screenshot", {}), use(3, "type", {"text": "x"})],
    [act([click(AT), picture(FIT), typed("x")], FIT, results=[DONE, {**DONE, "frame": frame(5)}, DONE], number=6)],
    [result(1, "Clicked."), result(2, "", PICTURE), result(3, "Typed.", PICTURE)],
)
vector(
    "anthropic/a card in the middle ends the turn",
    "anthropic",
    [use(1, "left_click", {"coordinate": [40, 12]}), use(2, "screenshot", {}), use(3, "type", {"text": "x"})],
    [
        act(
            [click(AT), picture(FIT), typed("x")],
            FIT,
            results=[DONE, {**failed("X_UNRESPONSIVE", "the X server did not answer", "CAPTURE"), "frame": frame(5, card=True)}, NOT_EXECUTED],
            number=6,
        )
    ],
    [result(1, "Clicked."), result(2, "Failed: the X server did not answer [X_UNRESPONSIVE]", error=True), result(3, HALT, error=True), FAILED, PICTURE],
)
vector(
    "anthropic/a screenshot at the end is the step's frame",
    "anthropic",
    [use(1, "left_click", {"coordinate": [40, 12]}), use(2, "screenshot", {})],
    [act([click(AT)], FIT)],
    [result(1, "Clicked."), result(2, "", PICTURE)],
)
vector(
    "anthropic/a zoom at the end",
    "anthropic",
    [use(1, "left_click", {"coordinate": [40, 12]}), use(2, "zoom", {"region": [100, 50, 400, 250]})],
    [act([click(AT)], {**PART, "fit": ENLARGED}, size=(1200, 800))],
    [result(1, "Clicked."), result(2, "", PICTURE)],
)
vector(
    "anthropic/the pointer in the middle splits the step",
    "anthropic",
    [use(1, "mouse_move", {"coordinate": [40, 12]}), use(2, "cursor_position", {}), use(3, "type", {"text": "x"})],
    [act([move(AT)], None, no_frame=True), cursor(40, 12), act([typed("x")], FIT)],
    [result(1, "Moved the mouse."), result(2, "X=40,Y=12"), result(3, "Typed.", PICTURE)],
)
SHOTS = [use(number, "screenshot", {}) for number in range(1, 7)]
vector(
    "anthropic/more than four pictures are two steps",
    "anthropic",
    [use(0, "type", {"text": "x"}), *SHOTS[:5], use(9, "type", {"text": "y"})],
    [
        act([typed("x"), *[picture(FIT)] * 3], FIT, results=[DONE, *[{**DONE, "frame": frame(3)}] * 3], number=4),
        act([picture(FIT), typed("y")], FIT, space="f4", results=[{**DONE, "frame": frame(5)}, DONE], number=6),
    ],
    [result(0, "Typed."), *[result(number, "", PICTURE) for number in range(1, 6)], result(9, "Typed.", PICTURE)],
)
for code, reason in (("FAILED_PRECONDITION", "STALE_EPOCH"), ("FAILED_PRECONDITION", "STALE_GENERATION"), ("FAILED_PRECONDITION", "UNKNOWN_FRAME")):
    vector(
        f"anthropic/{reason}: nothing is done, and a new picture follows",
        "anthropic",
        [use(1, "left_click", {"coordinate": [40, 12]}), use(2, "type", {"text": "x"})],
        [act([click(AT), typed("x")], FIT, error=status(code, reason, "the frame is not of this screen")), shot(FIT, number=2)],
        [result(1, f"Not performed: the frame is not of this screen [{reason}]", error=True), result(2, HALT, error=True), PICTURE],
    )
for code, reason in (("FAILED_PRECONDITION", "OUTCOME_UNKNOWN"), ("DEADLINE_EXCEEDED", "DEADLINE")):
    text = f"It is not known whether this was done: no answer came [{reason}]. Look at the screen."
    vector(
        f"anthropic/{reason}: nothing is claimed",
        "anthropic",
        [use(1, "left_click", {"coordinate": [40, 12]}), use(2, "type", {"text": "x"})],
        # Another instance of the daemon refuses the step, which is sent once more for that instance.
        [act([click(AT), typed("x")], FIT, error=status(code, reason, "no answer came"))] * (2 if reason == "OUTCOME_UNKNOWN" else 1)
        + [shot(FIT, number=2)],
        [result(1, text, error=True), result(2, text, error=True), PICTURE],
    )
vector(
    "anthropic/a picture that does not come in time: it is known that nothing was done",
    "anthropic",
    [use(1, "screenshot", {})],
    [shot(FIT, error=status("DEADLINE_EXCEEDED", "DEADLINE", "no answer came")), shot(FIT, number=2)],
    [result(1, "Not performed: no answer came [DEADLINE]", error=True), PICTURE],
)
vector(
    "anthropic/READ_ONLY",
    "anthropic",
    [use(1, "type", {"text": "x"})],
    [act([typed("x")], FIT, error=status("PERMISSION_DENIED", "READ_ONLY", "the daemon is read-only")), shot(FIT, number=2)],
    [result(1, "Not performed: the daemon is read-only [READ_ONLY]", error=True), PICTURE],
)
vector(
    "anthropic/an unknown key is named",
    "anthropic",
    [use(1, "key", {"text": "Foo"})],
    [act([key("Foo", repeat=1)], FIT, results=[failed("UNKNOWN_KEY", 'no key is called "Foo"')])],
    [result(1, 'Failed: no key is called "Foo" [UNKNOWN_KEY]', error=True), PICTURE],
)
vector(
    "anthropic/a member that is off",
    "anthropic",
    [use(1, "key", {"text": "Return"})],
    [shot(FIT)],
    [result(1, "Not performed: the action key is turned off here.", error=True), PICTURE],
    options={"disabled": ["key"]},
)
vector(
    "anthropic/a person does not allow it",
    "anthropic",
    [use(1, "key", {"text": "Return"}), use(2, "screenshot", {})],
    [shot(FIT)],
    [result(1, "Not performed: a person did not allow key.", error=True), result(2, HALT, error=True), PICTURE],
    options={"confirm": False},
)
for answer in ("yes", 1, None, {"allowed": True}):
    vector(
        f"anthropic/a person answers {answer}, which does not allow it",
        "anthropic",
        [use(1, "key", {"text": "Return"})],
        [shot(FIT)],
        [result(1, "Not performed: a person did not allow key.", error=True), PICTURE],
        options={"confirm": answer},
    )
vector(
    "anthropic/a person allows it",
    "anthropic",
    [use(1, "key", {"text": "Return"})],
    [act([key("Return", repeat=1)], FIT)],
    [result(1, "Pressed Return.", PICTURE)],
    options={"confirm": True},
)
vector(
    "anthropic/without a frame after",
    "anthropic",
    [use(1, "key", {"text": "Return"})],
    [act([key("Return", repeat=1)], None, no_frame=True)],
    [result(1, "Pressed Return.")],
    options={"frame_after": False},
)
vector(
    "anthropic/the frame after is a card",
    "anthropic",
    [use(1, "key", {"text": "Return"})],
    [act([key("Return", repeat=1)], FIT, card=True)],
    [result(1, "Pressed Return. The picture is not the screen: the screen could not be captured.", FAILED)],
)
vector(
    "anthropic/other limits and JPEG",
    "anthropic",
    [use(1, "screenshot", {})],
    [shot({"format": "IMAGE_FORMAT_JPEG", "fit": {"maxSide": 1024}})],
    [result(1, "", PICTURE)],
    options={"fit": {"max_side": 1024}, "format": "jpeg"},
)

vector(
    "anthropic/more than a hundred actions are two steps",
    "anthropic",
    [use(number, "wait", {"duration": 1}) for number in range(101)],
    [
        act([wait("1s")] * 100, None, no_frame=True),
        act([wait("1s")], FIT),
    ],
    [*[result(number, "Waited 1 s.") for number in range(100)], result(100, "Waited 1 s.", PICTURE)],
)
vector(
    "anthropic/points after a card refer to the last real picture",
    "anthropic",
    [use(1, "screenshot", {}), use(2, "left_click", {"coordinate": [40, 12]})],
    [act([picture(FIT), click(AT)], FIT, results=[{**failed("X_UNRESPONSIVE", "the X server did not answer", "CAPTURE"), "frame": frame(5, card=True)}, NOT_EXECUTED], card=True)],
    [result(1, "Failed: the X server did not answer [X_UNRESPONSIVE]", error=True), result(2, HALT, error=True), FAILED, FAILED],
)
vector(
    "anthropic/a zoom that was not reached is not shown",
    "anthropic",
    [use(1, "left_click", {"coordinate": [5000, 10]}), use(2, "zoom", {"region": [100, 50, 400, 250]})],
    [
        act([click((5000, 10))], {**PART, "fit": ENLARGED}, results=[failed("OUT_OF_SCREEN", OUTSIDE)]),
        shot(FIT, number=2),
    ],
    [result(1, f"Failed: {OUTSIDE} [OUT_OF_SCREEN]", error=True), result(2, HALT, error=True), PICTURE],
)

# The versions before the toolset.


def older(version, name, given, exchanges, text, *images, error=False, seen=True):
    calls = [{"type": "tool_use", "id": "t1", "name": "computer", "input": given}]
    reply = [result(1, text, *(() if error else images), error=error, toolset=False)]
    reply += images if error else ()
    extra = {} if seen else {"seen": None}
    vector(f"{version}/{name}", "anthropic", calls, exchanges, reply, options={"version": version}, **extra)


def older_good(version, name, given, actions, said):
    older(version, name, given, [act(actions, OLDER)], said, PICTURE)


def older_bad(version, name, given, why):
    older(version, name, given, [shot(OLDER)], f"Invalid call, not performed: {why}", PICTURE, error=True)


OLDEST = VERSIONS[0]
for version in VERSIONS:
    older_good(version, "left_click", {"action": "left_click", "coordinate": [40, 12]}, [click(AT)], "Clicked.")
    older_good(version, "right_click", {"action": "right_click"}, [click(None, "RIGHT")], "Right-clicked.")
    older_good(version, "middle_click", {"action": "middle_click"}, [click(None, "MIDDLE")], "Middle-clicked.")
    older_good(version, "double_click", {"action": "double_click"}, [click(None, "LEFT", 2)], "Double-clicked.")
    older_good(version, "mouse_move", {"action": "mouse_move", "coordinate": [40, 12]}, [move(AT)], "Moved the mouse.")
    older_good(version, "type", {"action": "type", "text": "a"}, [typed("a")], "Typed.")
    older_good(version, "key", {"action": "key", "text": "ctrl+c"}, [key("ctrl", "c", repeat=1)], "Pressed ctrl+c.")
    older(version, "screenshot", {"action": "screenshot"}, [shot(OLDER)], "", PICTURE)
    older(version, "screenshot, a card", {"action": "screenshot"}, [shot(OLDER, card=True)], NO_PICTURE, FAILED, error=True)
    older(version, "cursor_position", {"action": "cursor_position"}, [cursor(7, 9)], "X=7,Y=9")
    older_bad(version, "unknown action", {"action": "fly"}, f"there is no computer action 'fly' in {version}")
    older_bad(version, "without action", {}, "computer: action is required")
    older_bad(version, "unknown argument", {"action": "key", "text": "a", "speed": 2}, "computer: unknown argument 'speed'; it has: action, coordinate, start_coordinate, text, key, scroll_direction, scroll_amount, duration, region, repeat")
    older_bad(version, "action is a number", {"action": 3}, "computer: action must be a string")
    older_good(version, "modifiers of a click in key", {"action": "left_click", "coordinate": [40, 12], "key": "ctrl+shift"}, [click(AT, held=["ctrl", "shift"])], "Clicked.")
    older_good(version, "modifiers in key, text is null", {"action": "right_click", "text": None, "key": "alt"}, [click(None, "RIGHT", held=["alt"])], "Right-clicked.")
    older_bad(version, "modifiers in text and key", {"action": "left_click", "coordinate": [40, 12], "text": "ctrl", "key": "shift"}, "computer: text and key exclude each other")
    older_bad(version, "key with text and key", {"action": "key", "text": "a", "key": "b"}, "key: unknown argument 'key'; it has: text, repeat")
    older_bad(version, "key without text", {"action": "key", "key": "b"}, "key: unknown argument 'key'; it has: text, repeat")
    older_bad(version, "type with key", {"action": "type", "key": "hello"}, "type: unknown argument 'key'; it has: text")
    older(version, "no picture seen yet", {"action": "left_click", "coordinate": [40, 12]}, [shot(OLDER)], NO_SCREENSHOT, PICTURE, error=True, seen=False)
older_good(OLDEST, "left_click_drag from the pointer", {"action": "left_click_drag", "coordinate": [90, 50]}, [button_down(), move((90, 50)), button_up()], "Dragged.")
for name in ("triple_click", "scroll", "hold_key", "wait", "left_mouse_down", "left_mouse_up", "zoom"):
    older_bad(OLDEST, f"{name} is later", {"action": name}, f"there is no computer action '{name}' in {OLDEST}")
older_bad(VERSIONS[1], "zoom is later", {"action": "zoom", "region": [0, 0, 1, 1]}, f"there is no computer action 'zoom' in {VERSIONS[1]}")
for version in VERSIONS[1:]:
    older_good(version, "left_click_drag", {"action": "left_click_drag", "start_coordinate": [40, 12], "coordinate": [90, 50]}, [drag(AT, (90, 50))], "Dragged.")
    older_good(version, "triple_click", {"action": "triple_click", "coordinate": [40, 12]}, [click(AT, "LEFT", 3)], "Triple-clicked.")
    older_good(version, "modifiers in text", {"action": "left_click", "coordinate": [40, 12], "text": "shift"}, [click(AT, held=["shift"])], "Clicked.")
    older_good(version, "modifiers in key", {"action": "left_click", "coordinate": [40, 12], "key": "shift"}, [click(AT, held=["shift"])], "Clicked.")
    older_good(version, "scroll", {"action": "scroll", "coordinate": [40, 12], "scroll_direction": "down", "scroll_amount": 5}, [scroll(0, 5, AT)], "Scrolled down.")
    older_good(version, "scroll with modifiers in key", {"action": "scroll", "scroll_direction": "down", "scroll_amount": 5, "key": "ctrl"}, [scroll(0, 5, held=["ctrl"])], "Scrolled down.")
    older_bad(version, "scroll with text and key", {"action": "scroll", "scroll_direction": "down", "scroll_amount": 5, "text": "alt", "key": "ctrl"}, "computer: text and key exclude each other")
    older_bad(version, "hold_key with key", {"action": "hold_key", "key": "shift", "duration": 1}, "hold_key: unknown argument 'key'; it has: text, duration")
    older_good(version, "hold_key", {"action": "hold_key", "text": "shift", "duration": 1}, [key("shift", hold="1s")], "Held shift for 1 s.")
    older_good(version, "wait", {"action": "wait", "duration": 1}, [wait("1s")], "Waited 1 s.")
    older_good(version, "left_mouse_down", {"action": "left_mouse_down"}, [button_down()], "Left mouse button pressed.")
    older_good(version, "left_mouse_up", {"action": "left_mouse_up"}, [button_up()], "Left mouse button released.")
older(
    VERSIONS[2],
    "zoom",
    {"action": "zoom", "region": [100, 50, 400, 250]},
    [shot({**PART, "fit": {"maxSide": 1280, "maxPixels": "1150000", "mayEnlarge": True}})],
    "",
    PICTURE,
)
