"""Vectors of OpenAI's computer tool, from the types of its SDK and its guide."""

from write import (
    CARD,
    DONE,
    HALTED,
    IMAGE,
    NOT_EXECUTED,
    NO_SCREENSHOT,
    NOT_THE_SCREEN,
    OUTSIDE,
    act,
    click,
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

FIT = {"format": "IMAGE_FORMAT_PNG", "fit": {"maxPixels": "10240000", "tiles": {"size": 32, "maxCount": 30000}}}
AT = (40, 12)
CHECKS = [{"id": "s1", "code": "malicious_instructions", "message": "The page may be hostile."}]


def call(*actions, preview=False, checks=None):
    made = {"type": "computer_call", "id": "cu_1", "call_id": "c1", "status": "completed", "pending_safety_checks": checks or []}
    if preview:
        return {**made, "action": actions[0]}
    return {**made, "actions": list(actions)}


def output(*said, card=False, preview=False, checks=None):
    shown = {"type": "computer_screenshot", "image_url": f"data:image/png;base64,{CARD if card else IMAGE}"}
    if not preview:
        shown["detail"] = "original"
    made = {"type": "computer_call_output", "call_id": "c1", "output": shown}
    if checks:
        made["acknowledged_safety_checks"] = checks
    if not said:
        return [made]
    text = "Computer tool: " + " ".join(said)
    return [made, {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}]


def good(name, action, actions):
    vector(f"openai/{name}", "openai", [call(action)], [act(actions, FIT)], output())
    vector(
        f"openai/preview/{name}",
        "openai",
        [call(action, preview=True)],
        [act(actions, FIT)],
        output(preview=True),
        options={"preview": True},
    )


def bad(name, action, why):
    kind = action.get("type") if isinstance(action, dict) else None
    kind = kind if isinstance(kind, str) else None
    said = f"Action 1 ({kind}): Invalid action, not performed: {why}"
    vector(f"openai/{name}", "openai", [call(action)], [shot(FIT)], output(said))


for button, made in {"left": "LEFT", "right": "RIGHT", "wheel": "MIDDLE", "back": "BACK", "forward": "FORWARD"}.items():
    good(f"click {button}", {"type": "click", "button": button, "x": 40, "y": 12}, [click(AT, made)])
good("click with keys", {"type": "click", "button": "left", "x": 40, "y": 12, "keys": ["CTRL", "SHIFT"]}, [click(AT, held=["CTRL", "SHIFT"])])
good("click, keys null", {"type": "click", "button": "left", "x": 40, "y": 12, "keys": None}, [click(AT)])
good("double_click", {"type": "double_click", "x": 40, "y": 12}, [click(AT, "LEFT", 2)])
good("double_click with keys", {"type": "double_click", "x": 40, "y": 12, "keys": ["ALT"]}, [click(AT, "LEFT", 2, ["ALT"])])
good("drag", {"type": "drag", "path": [{"x": 40, "y": 12}, {"x": 90, "y": 50}, {"x": 95, "y": 51}]}, [drag(AT, (90, 50), (95, 51))])
good("drag with keys", {"type": "drag", "path": [{"x": 40, "y": 12}, {"x": 90, "y": 50}], "keys": ["SHIFT"]}, [drag(AT, (90, 50), held=["SHIFT"])])
good("drag, pairs", {"type": "drag", "path": [[40, 12], [90, 50]]}, [drag(AT, (90, 50))])
good("move", {"type": "move", "x": 40, "y": 12}, [move(AT)])
good("move with keys", {"type": "move", "x": 40, "y": 12, "keys": ["CTRL"]}, [move(AT, ["CTRL"])])
good("scroll down", {"type": "scroll", "x": 40, "y": 12, "scroll_x": 0, "scroll_y": 300}, [scroll(0, 300, AT, "PIXEL")])
good("scroll up and left", {"type": "scroll", "x": 40, "y": 12, "scroll_x": -50, "scroll_y": -120}, [scroll(-50, -120, AT, "PIXEL")])
good("scroll with keys", {"type": "scroll", "x": 40, "y": 12, "scroll_x": 0, "scroll_y": 100, "keys": ["CTRL"]}, [scroll(0, 100, AT, "PIXEL", ["CTRL"])])
good("keypress", {"type": "keypress", "keys": ["ENTER"]}, [key("ENTER")])
good("keypress chord", {"type": "keypress", "keys": ["CTRL", "L"]}, [key("CTRL", "L")])
good("keypress plus", {"type": "keypress", "keys": ["CTRL", "+"]}, [key("CTRL", "+")])
good("type", {"type": "type", "text": "hello"}, [typed("hello")])
good("type any script", {"type": "type", "text": "ñ 漢字 🙂"}, [typed("ñ 漢字 🙂")])
good("wait", {"type": "wait"}, [wait("2s")])

for name in ("click", "double_click", "move"):
    base = {"type": name, **({"button": "left"} if name == "click" else {})}
    bad(f"{name} without x", {**base, "y": 12}, f"{name}: x is required")
    bad(f"{name} without y", {**base, "x": 40}, f"{name}: y is required")
    bad(f"{name} at a fraction", {**base, "x": 40.5, "y": 12}, f"{name}: x and y must be whole numbers")
    bad(f"{name} at a string", {**base, "x": "40", "y": 12}, f"{name}: x and y must be whole numbers")
    bad(f"{name} with keys as a string", {**base, "x": 40, "y": 12, "keys": "CTRL"}, f"{name}: keys must be a list of strings")
    bad(f"{name} beyond 32 bits", {**base, "x": 4294967296, "y": 12}, f"{name}: x and y must be whole numbers")
bad("click without button", {"type": "click", "x": 1, "y": 2}, "click: button is required")
bad("click with another button", {"type": "click", "button": "middle", "x": 1, "y": 2}, "click: button must be one of left, right, wheel, back, forward")
bad("click with an unknown member", {"type": "click", "button": "left", "x": 1, "y": 2, "count": 3}, "click: unknown argument 'count'; it has: type, button, x, y, keys")
bad("drag without path", {"type": "drag"}, "drag: path is required")
bad("drag along a string", {"type": "drag", "path": "1,2"}, "drag: path must be a list of points")
bad("drag, a point without y", {"type": "drag", "path": [{"x": 1}, {"x": 2, "y": 3}]}, "drag: path must be [x, y] in whole numbers")
bad("scroll without distance", {"type": "scroll", "x": 1, "y": 2}, "scroll: scroll_x is required")
bad("keypress without keys", {"type": "keypress"}, "keypress: keys is required")
bad("keypress with no keys", {"type": "keypress", "keys": []}, 'no key is given; give names such as "ctrl+s" or "ctrl", "s"')
bad("keypress with a number", {"type": "keypress", "keys": [1]}, "keypress: keys must be a list of strings")
bad("type without text", {"type": "type"}, "type: text is required")
bad("type a number", {"type": "type", "text": 5}, "type: text must be a string")
bad("wait with a duration", {"type": "wait", "ms": 5}, "wait: unknown argument 'ms'; it has: type")
bad("unknown action", {"type": "fly"}, "there is no computer action 'fly'")
bad("no object", "click", "there is no computer action None")

bad("type is a list", {"type": ["click"]}, "there is no computer action ['click']")
vector(
    "openai/safety checks without an action",
    "openai",
    [call(checks=CHECKS)],
    [shot(FIT)],
    output("Action 1 (None): Not performed: a person must confirm first: The page may be hostile."),
)
vector("openai/screenshot", "openai", [call({"type": "screenshot"})], [shot(FIT)], output())
vector("openai/screenshot, a card", "openai", [call({"type": "screenshot"})], [shot(FIT, card=True)], output("Action 1 (screenshot): The screen could not be captured.", card=True))
vector("openai/no action: a screenshot", "openai", [call()], [shot(FIT)], output())
vector("openai/a scroll by nothing", "openai", [call({"type": "scroll", "x": 1, "y": 2, "scroll_x": 0, "scroll_y": 0})], [shot(FIT)], output())
vector("openai/other items are ignored", "openai", [{"type": "reasoning", "id": "r"}, {"type": "message", "role": "assistant", "content": []}], [], [])
vector(
    "openai/a batch is one step with one screenshot",
    "openai",
    [call({"type": "click", "button": "left", "x": 40, "y": 12}, {"type": "type", "text": "hi"}, {"type": "keypress", "keys": ["ENTER"]})],
    [act([click(AT), typed("hi"), key("ENTER")], FIT)],
    output(),
)
vector(
    "openai/a batch that ends in a screenshot",
    "openai",
    [call({"type": "click", "button": "left", "x": 40, "y": 12}, {"type": "screenshot"})],
    [act([click(AT)], FIT)],
    output(),
)
vector(
    "openai/a screenshot in the middle is taken there",
    "openai",
    [call({"type": "type", "text": "a"}, {"type": "screenshot"}, {"type": "type", "text": "b"})],
    [act([typed("a"), picture(FIT), typed("b")], FIT, results=[DONE, {**DONE, "frame": frame(5)}, DONE], number=6)],
    output(),
)
vector(
    "openai/the second of three is outside",
    "openai",
    [call({"type": "type", "text": "a"}, {"type": "click", "button": "left", "x": 5000, "y": 10}, {"type": "type", "text": "b"})],
    [act([typed("a"), click((5000, 10)), typed("b")], FIT, results=[DONE, failed("OUT_OF_SCREEN", OUTSIDE), NOT_EXECUTED])],
    output(f"Action 2 (click): Failed: {OUTSIDE} [OUT_OF_SCREEN]", f"Action 3 (type): {HALTED}"),
)
vector(
    "openai/the second of two is malformed: the first is done",
    "openai",
    [call({"type": "type", "text": "a"}, {"type": "fly"})],
    [act([typed("a")], FIT)],
    output("Action 2 (fly): Invalid action, not performed: there is no computer action 'fly'"),
)
vector(
    "openai/the screen is another one",
    "openai",
    [call({"type": "click", "button": "left", "x": 40, "y": 12})],
    [act([click(AT)], FIT, error=status("FAILED_PRECONDITION", "STALE_EPOCH", "the screen was resized")), shot(FIT, number=2)],
    output("Action 1 (click): Not performed: the screen was resized [STALE_EPOCH]"),
)
vector(
    "openai/no picture seen yet",
    "openai",
    [call({"type": "click", "button": "left", "x": 40, "y": 12})],
    [shot(FIT)],
    output(f"Action 1 (click): {NO_SCREENSHOT}"),
    seen=None,
)
vector(
    "openai/no picture seen yet: a failure card is none",
    "openai",
    [call({"type": "move", "x": 40, "y": 12}, {"type": "type", "text": "a"})],
    [shot(FIT, card=True)],
    output(f"Action 1 (move): {NO_SCREENSHOT} {NOT_THE_SCREEN}", f"Action 2 (type): {HALTED}", card=True),
    seen=None,
)
vector(
    "openai/no picture seen yet: the model sees that of an earlier call only afterwards",
    "openai",
    [call({"type": "type", "text": "a"}), call({"type": "click", "button": "left", "x": 40, "y": 12})],
    [act([typed("a")], FIT, space=None), shot(FIT, number=2)],
    output() + output(f"Action 1 (click): {NO_SCREENSHOT}"),
    seen=None,
)
vector(
    "openai/a picture that does not come in time: it is known that nothing was done",
    "openai",
    [call({"type": "screenshot"})],
    [shot(FIT, error=status("DEADLINE_EXCEEDED", "DEADLINE", "no answer came")), shot(FIT, number=2)],
    output("Action 1 (screenshot): Not performed: no answer came [DEADLINE]"),
)
vector(
    "openai/the frame after is a card",
    "openai",
    [call({"type": "type", "text": "a"})],
    [act([typed("a")], FIT, card=True)],
    output("The picture is not the screen: the screen could not be captured.", card=True),
)
vector(
    "openai/safety checks are acknowledged",
    "openai",
    [call({"type": "type", "text": "a"}, checks=CHECKS)],
    [act([typed("a")], FIT)],
    output(checks=CHECKS),
    options={"acknowledge": True},
)
NOBODY = (
    ("a person declines", {"acknowledge": False}),
    ("a person answers yes, which is not true", {"acknowledge": "yes"}),
    ("nobody can acknowledge", {}),
)
for name, options in NOBODY:
    vector(
        f"openai/safety checks: {name}",
        "openai",
        [call({"type": "type", "text": "a"}, checks=CHECKS)],
        [shot(FIT)],
        output("Action 1 (type): Not performed: a person must confirm first: The page may be hostile."),
        options=options,
    )
vector(
    "openai/safety checks of a second call: nothing of the first is done",
    "openai",
    [call({"type": "type", "text": "a"}), call({"type": "type", "text": "b"}, checks=CHECKS)],
    [shot(FIT)],
    output("Action 1 (type): Not performed: another call of this response must be confirmed first.")
    + output("Action 1 (type): Not performed: a person must confirm first: The page may be hostile."),
)
vector(
    "openai/two calls, the first fails: nothing of the second is done",
    "openai",
    [call({"type": "fly"}), call({"type": "type", "text": "b"})],
    [shot(FIT)],
    output("Action 1 (fly): Invalid action, not performed: there is no computer action 'fly'")
    + output(f"Action 1 (type): {HALTED}"),
)
vector(
    "openai/a person does not allow it",
    "openai",
    [call({"type": "type", "text": "a"})],
    [shot(FIT)],
    output("Action 1 (type): Not performed: a person did not allow type."),
    options={"confirm": False},
)
vector(
    "openai/two calls are two steps",
    "openai",
    [call({"type": "type", "text": "a"}), call({"type": "type", "text": "b"})],
    [act([typed("a")], FIT), act([typed("b")], FIT, space="f1", number=2)],
    output() + output(),
)
