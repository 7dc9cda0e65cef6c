"""Vectors of models that answer in text: UI-TARS, Qwen-VL, Fara, OpenCUA, and OSWorld's actions."""

import json

from write import (
    CARD,
    DONE,
    HALTED,
    IMAGE,
    NO_CHANGE,
    NO_SCREENSHOT,
    NOT_EXECUTED,
    act,
    button_down,
    button_up,
    click,
    drag,
    failed,
    frame,
    key,
    key_down,
    key_up,
    move,
    picture,
    scroll,
    shot,
    status,
    typed,
    vector,
    wait,
)

AT = (40, 12)
TARS = {"fit": {"maxSide": 1920, "maxPixels": "12845056", "multipleOf": 28}}
QWEN3 = {"fit": {"maxSide": 1920, "maxPixels": "12845056", "multipleOf": 32}}
GRID = {"grid": 1000, "expect": "f0"}


def turn(*said, card=False, control=None, answer=""):
    content = [{"type": "text", "text": " ".join(said)}] if said else []
    content.append({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{CARD if card else IMAGE}"}})
    return {"message": {"role": "user", "content": content}, "control": control, "answer": answer}


def malformed(why):
    return turn(f"Invalid action, not performed: {why}")


# --- UI-TARS ---


def tars(title, answer, exchanges, reply, version="1.5", **more):
    vector(f"ui_tars/{title}", "ui_tars", answer, exchanges, reply, options={"version": version}, **more)


def tars_good(title, action, actions):
    answer = f"Thought: I act.\nAction: {action}"
    tars(title, answer, [act(actions, TARS)], turn())
    tars(f"1.0/{title}", answer, [act(actions, TARS, **GRID)], turn(), "1.0")


def tars_bad(title, answer, why):
    tars(title, answer, [shot(TARS)], malformed(why))


tars_good("click", "click(start_box='(40,12)')", [click(AT)])
tars_good("click, point", "click(point='<point>40 12</point>')", [click(AT)])
tars_good("click, box", "click(start_box='[30, 10, 50, 15]')", [click(AT)])
tars_good("click, tokens", "click(start_box='<|box_start|>(40,12)<|box_end|>')", [click(AT)])
tars_good("left_double", "left_double(point='<point>40 12</point>')", [click(AT, "LEFT", 2)])
tars_good("right_single", "right_single(point='<point>40 12</point>')", [click(AT, "RIGHT")])
tars_good("drag", "drag(start_point='<point>40 12</point>', end_point='<point>90 50</point>')", [drag(AT, (90, 50))])
tars_good("drag, boxes", "drag(start_box='(40,12)', end_box='(90,50)')", [drag(AT, (90, 50))])
tars_good("hotkey", "hotkey(key='ctrl c')", [key("ctrl", "c")])
tars_good("hotkey, three keys", "hotkey(key='ctrl shift t')", [key("ctrl", "shift", "t")])
tars_good("type", "type(content='hello')", [typed("hello")])
tars_good("type and submit", "type(content='hello\\n')", [typed("hello\n")])
tars_good("type quotes", 'type(content=\'it\\\'s "it"\')', [typed("it's \"it\"")])
tars_good("type, a quote that is not escaped", "type(content='it's (here), ok')", [typed("it's (here), ok")])
tars_good("type brackets", "type(content='f(x) = [1]')", [typed("f(x) = [1]")])
tars_good("scroll", "scroll(start_box='(40,12)', direction='down')", [scroll(0, 5, AT)])
tars_good("scroll, point", "scroll(point='<point>40 12</point>', direction='left')", [scroll(-5, 0, AT)])
tars_good("wait", "wait()", [wait("5s")])
tars_good("two actions", "click(start_box='(40,12)')\n\ntype(content='a')", [click(AT), typed("a")])
for name, (dx, dy) in {"up": (0, -5), "right": (5, 0)}.items():
    tars_good(f"scroll {name}", f"scroll(start_box='(40,12)', direction='{name}')", [scroll(dx, dy, AT)])
tars("finished", "Thought: done.\nAction: finished(content='It is 42.')", [shot(TARS)], turn(control="finished", answer="It is 42."))
tars("finished without content", "Action: finished()", [shot(TARS)], turn(control="finished"))
tars("call_user", "Action: call_user()", [shot(TARS)], turn(control="call_user"))
tars("act and finish", "Action: type(content='a')\nfinished(content='ok')", [act([typed("a")], TARS)], turn(control="finished", answer="ok"))
tars(
    "fail and do not finish",
    "Action: click(start_box='(5000,10)')\nfinished(content='ok')",
    [act([click((5000, 10))], TARS, results=[failed("OUT_OF_SCREEN", "point 5000,10 is outside")])],
    turn("Failed: point 5000,10 is outside [OUT_OF_SCREEN]", HALTED),
)
tars("2/move_to", "move_to(point='<point>40 12</point>')", [act([move(AT)], TARS, **GRID)], turn(), "2")
tars("2/mouse_down", "mouse_down(point='<point>40 12</point>', button='right')", [act([button_down(AT, "RIGHT")], TARS, **GRID)], turn(), "2")
tars("2/mouse_up at the pointer", "mouse_up(button='left')", [act([button_up()], TARS, **GRID)], turn(), "2")
tars("2/press", "press(key='shift')", [act([key_down("shift")], TARS, **GRID)], turn(), "2")
tars("2/release", "release(key='shift')", [act([key_up("shift")], TARS, **GRID)], turn(), "2")
tars("2/take_screenshot", "take_screenshot()", [shot(TARS)], turn(), "2")
tars("2/scroll at the pointer", "scroll(direction='up')", [act([scroll(0, -5)], TARS, **GRID)], turn(), "2")
tars("2/wait", "wait(seconds='2')", [act([wait("2s")], TARS, **GRID)], turn(), "2")
tars_bad("no action", "Thought: hm.\nAction:", "the answer has no action")
tars_bad("prose", "I would click there.", "this is no action: 'I would click there.'")
tars_bad("unknown action", "Action: fly(point='(1,2)')", "there is no action 'fly'")
tars_bad("click nowhere", "Action: click()", "click: point is required")
tars_bad("click at one number", "Action: click(start_box='(40)')", "click: start_box must be a point in whole numbers")
tars_bad("click at fractions", "Action: click(start_box='(0.5,0.25)')", "click: start_box must be a point in whole numbers")
tars_bad("unknown argument", "Action: click(start_box='(1,2)', force='yes')", "click: unknown argument 'force'; it has: point, start_box")
tars_bad("scroll elsewhere", "Action: scroll(start_box='(1,2)', direction='away')", "scroll: direction must be one of up, down, left, right")
tars_bad("drag without end", "Action: drag(start_box='(1,2)')", "drag: end_point is required")
tars_bad("hotkey without keys", "Action: hotkey(key='')", "hotkey: key is empty")
tars_bad("a string that does not end", "Action: type(content='hello", "a string is not closed")
tars_bad("wait too long", "Action: wait(seconds='301')", "wait: seconds must be from 0 to 300")
tars("nothing changed", "Action: click(start_box='(40,12)')", [act([click(AT)], TARS, settle="NO_CHANGE")], turn(NO_CHANGE.strip()))
tars("a card", "Action: click(start_box='(40,12)')", [act([click(AT)], TARS, card=True)], turn("The picture is not the screen: the screen could not be captured.", card=True))
tars("no picture seen yet", "Action: click(start_box='(40,12)')", [shot(TARS)], turn(NO_SCREENSHOT), seen=None)
tars("1.0/no picture seen yet: points count the grid", "Action: click(start_box='(40,12)')", [act([click(AT)], TARS, grid=1000)], turn(), "1.0", seen=None)
tars_bad("the answer is null", None, "the answer is no text")
tars_bad("the answer is a list", ["Action: wait()"], "the answer is no text")

# --- Qwen-VL and Fara ---


def block(arguments, name="computer_use"):
    return "<tool_call>\n" + json.dumps({"name": name, "arguments": arguments}) + "\n</tool_call>"


def qwen(title, answer, exchanges, reply, version="3", **more):
    vector(f"qwen/{version}/{title}", "qwen", answer, exchanges, reply, options={"version": version}, **more)


def qwen_good(title, arguments, actions):
    qwen(title, block(arguments), [act(actions, QWEN3, **GRID)], turn())
    qwen(title, "I act.\n" + block(arguments), [act(actions, TARS)], turn(), "2.5")


def qwen_bad(title, arguments, why):
    qwen(title, block(arguments), [shot(QWEN3)], malformed(why))


for name, (button, count) in {"left_click": ("LEFT", 1), "right_click": ("RIGHT", 1), "middle_click": ("MIDDLE", 1), "double_click": ("LEFT", 2), "triple_click": ("LEFT", 3)}.items():
    qwen_good(name, {"action": name, "coordinate": [40, 12]}, [click(AT, button, count)])
    qwen_good(f"{name} at the pointer", {"action": name}, [click(None, button, count)])
    qwen_bad(f"{name} at one number", {"action": name, "coordinate": [40]}, f"{name}: coordinate must be [x, y]")
qwen_good("left_click with a modifier", {"action": "left_click", "coordinate": [40, 12], "text": "ctrl"}, [click(AT, held=["ctrl"])])
qwen_good("mouse_move", {"action": "mouse_move", "coordinate": [40, 12]}, [move(AT)])
qwen_good("left_click_drag", {"action": "left_click_drag", "coordinate": [90, 50]}, [button_down(), move((90, 50)), button_up()])
qwen_good("left_click_drag with a modifier", {"action": "left_click_drag", "coordinate": [90, 50], "text": "shift"}, [key_down("shift"), button_down(), move((90, 50)), button_up(), key_up("shift")])
qwen_good("key", {"action": "key", "keys": ["ctrl", "c"]}, [key("ctrl", "c")])
qwen_good("type", {"action": "type", "text": "hello"}, [typed("hello")])
qwen_good("scroll up", {"action": "scroll", "pixels": 200, "coordinate": [40, 12]}, [scroll(0, -200, AT, "PIXEL")])
qwen_good("scroll down", {"action": "scroll", "pixels": -200}, [scroll(0, 200, None, "PIXEL")])
qwen_good("scroll with a modifier", {"action": "scroll", "pixels": -100, "text": "ctrl"}, [scroll(0, 100, None, "PIXEL", ["ctrl"])])
qwen_good("hscroll", {"action": "hscroll", "pixels": -100}, [scroll(100, 0, None, "PIXEL")])
qwen_good("wait", {"action": "wait", "time": 2}, [wait("2s")])
qwen("terminate", block({"action": "terminate", "status": "success"}), [shot(QWEN3)], turn(control="finished"))
qwen("terminate, failure", block({"action": "terminate", "status": "failure"}), [shot(QWEN3)], turn(control="failed"))
qwen("answer", block({"action": "answer", "text": "42"}), [shot(QWEN3)], turn(control="finished", answer="42"))
qwen("two blocks are one step", block({"action": "left_click", "coordinate": [40, 12]}) + block({"action": "type", "text": "a"}), [act([click(AT), typed("a")], QWEN3, **GRID)], turn())
qwen("a block that is not closed", "<tool_call>\n" + json.dumps({"name": "computer_use", "arguments": {"action": "wait", "time": 1}}), [act([wait("1s")], QWEN3, **GRID)], turn())
qwen("no block", "I am done.", [shot(QWEN3)], malformed("the answer has no tool call"))
qwen("another tool", block({"action": "wait", "time": 1}, "browser"), [shot(QWEN3)], malformed("there is no tool 'browser'; use computer_use"))
qwen("without arguments", "<tool_call>{\"name\": \"computer_use\"}</tool_call>", [shot(QWEN3)], malformed("the tool call has no arguments"))
qwen("no JSON", "<tool_call>{action: 1}</tool_call>", [shot(QWEN3)], malformed("the tool call is not JSON"))
qwen_bad("action is a list", {"action": ["wait"]}, "there is no action ['wait']")
qwen_bad("unknown action", {"action": "fly"}, "there is no action 'fly'")
qwen_bad("without action", {"coordinate": [1, 2]}, "there is no action None")
qwen_bad("key without keys", {"action": "key", "keys": []}, 'no key is given; give names such as "ctrl+s" or "ctrl", "s"')
qwen_bad("key as a string", {"action": "key", "keys": "ctrl+c"}, "key: keys must be a list of strings")
qwen_bad("scroll without pixels", {"action": "scroll"}, "scroll: pixels is required")
qwen_bad("wait without time", {"action": "wait"}, "wait: time is required")
qwen_bad("terminate without status", {"action": "terminate"}, "terminate: status is required")
qwen_bad("type without text", {"action": "type"}, "type: text is required")
qwen_bad("unknown argument", {"action": "type", "text": "a", "speed": 3}, "type: unknown argument 'speed'; it has: action, text")


qwen("no picture seen yet", block({"action": "left_click", "coordinate": [40, 12]}), [shot(TARS)], turn(NO_SCREENSHOT), "2.5", seen=None)
qwen("the answer is null", None, [shot(QWEN3)], malformed("the answer is no text"))
qwen("the answer is a number", 5, [shot(QWEN3)], malformed("the answer is no text"))


def fara(title, arguments, actions):
    qwen(title, block(arguments), [act(actions, TARS)], turn(), "fara")


CLEAR = [key("ctrl", "a"), key("BackSpace")]
fara("left_click", {"action": "left_click", "coordinate": [40, 12]}, [click(AT)])
fara("mouse_move", {"action": "mouse_move", "coordinate": [40, 12]}, [move(AT)])
fara("key", {"action": "key", "keys": ["Enter"]}, [key("Enter")])
fara("type", {"action": "type", "text": "hi", "coordinate": [40, 12]}, [click(AT), typed("hi")])
fara("type, clear and submit", {"action": "type", "text": "hi", "coordinate": [40, 12], "press_enter": True, "delete_existing_text": True}, [click(AT), *CLEAR, typed("hi"), key("Return")])
fara("scroll", {"action": "scroll", "pixels": -300}, [scroll(0, 300, None, "PIXEL")])
fara("visit_url", {"action": "visit_url", "url": "https://example.com"}, [key("ctrl", "l"), typed("https://example.com"), key("Return")])
fara("web_search", {"action": "web_search", "query": "a b&c"}, [key("ctrl", "l"), typed("https://www.bing.com/search?q=a%20b%26c"), key("Return")])
fara("history_back", {"action": "history_back"}, [key("alt", "Left")])
fara("wait", {"action": "wait", "time": 1}, [wait("1s")])
qwen("pause_and_memorize_fact", block({"action": "pause_and_memorize_fact", "fact": "It costs 5."}), [shot(TARS)], turn("Noted: It costs 5."), "fara")
qwen("terminate", block({"action": "terminate", "status": "success"}), [shot(TARS)], turn(control="finished"), "fara")
qwen("double_click is not Fara's", block({"action": "double_click"}), [shot(TARS)], malformed("there is no action 'double_click'"), "fara")

# --- OpenCUA ---


def code(*lines):
    return "## Action:\nI act.\n```python\n" + "\n".join(lines) + "\n```"


def cua(title, answer, exchanges, reply, **options):
    vector(f"opencua/{title}", "opencua", answer, exchanges, reply, options=options)


def cua_good(title, line, actions):
    cua(title, code(line), [act(actions, TARS)], turn())


def cua_bad(title, line, why):
    cua(title, code(line), [shot(TARS)], malformed(why))


cua_good("click", "pyautogui.click(40, 12)", [click(AT)])
cua_good("click by name", "pyautogui.click(x=40, y=12)", [click(AT)])
cua_good("click a pair", "pyautogui.click((40, 12))", [click(AT)])
cua_good("click a pair in a list", "pyautogui.click([40, 12])", [click(AT)])
cua_good("click at the pointer", "pyautogui.click()", [click()])
cua_good("click right", "pyautogui.click(40, 12, button='right')", [click(AT, "RIGHT")])
cua_good("click twice", "pyautogui.click(40, 12, clicks=2)", [click(AT, "LEFT", 2)])
cua_good("doubleClick", "pyautogui.doubleClick(40, 12)", [click(AT, "LEFT", 2)])
cua_good("tripleClick", "pyautogui.tripleClick(40, 12)", [click(AT, "LEFT", 3)])
cua_good("triple_click", "computer.triple_click(x=40, y=12)", [click(AT, "LEFT", 3)])
cua_good("rightClick", "pyautogui.rightClick(40, 12)", [click(AT, "RIGHT")])
cua_good("middleClick", "pyautogui.middleClick(x=40, y=12)", [click(AT, "MIDDLE")])
cua_good("moveTo", "pyautogui.moveTo(40, 12, duration=0.5)", [move(AT)])
cua_good("dragTo", "pyautogui.dragTo(90, 50, button='left')", [button_down(), move((90, 50)), button_up()])
cua_good("mouseDown", "pyautogui.mouseDown()", [button_down()])
cua_good("mouseUp", "pyautogui.mouseUp()", [button_up()])
cua_good("scroll up", "pyautogui.scroll(5)", [scroll(0, -5)])
cua_good("scroll down at a point", "pyautogui.scroll(-5, x=40, y=12)", [scroll(0, 5, AT)])
cua_good("hscroll", "pyautogui.hscroll(3)", [scroll(3, 0)])
cua_good("write", "pyautogui.write('hello', interval=0.1)", [typed("hello")])
cua_good("write by name", 'pyautogui.write(message="it\'s")', [typed("it's")])
cua_good("typewrite", "pyautogui.typewrite('hello\\n')", [typed("hello\n")])
cua_good("press", "pyautogui.press('enter')", [key("enter", repeat=1)])
cua_good("press three times", "pyautogui.press('down', presses=3)", [key("down", repeat=3)])
cua_good("press a list", "pyautogui.press(['left', 'right'])", [key("left", repeat=1), key("right", repeat=1)])
cua_good("hotkey", "pyautogui.hotkey('ctrl', 'c')", [key("ctrl", "c")])
cua_good("hotkey, a list", "pyautogui.hotkey(['ctrl', 'c'])", [key("ctrl", "c")])
cua_good("hotkey, names of pyautogui", "pyautogui.hotkey('winleft', 'd')", [key("Super_L", "d")])
cua_good("keyDown", "pyautogui.keyDown('shift')", [key_down("shift")])
cua_good("keyUp", "pyautogui.keyUp('shift')", [key_up("shift")])
cua_good("sleep", "time.sleep(1.5)", [wait("1.500s")])
cua_good("wait", "computer.wait(seconds=2)", [wait("2s")])
cua_good("wait by default", "computer.wait()", [wait("3s")])
cua("several lines are one step", code("import pyautogui", "pyautogui.click(40, 12)", "pyautogui.write('a')", "pyautogui.press('enter')"), [act([click(AT), typed("a"), key("enter", repeat=1)], TARS)], turn())
cua("terminate", code("computer.terminate(status='success')"), [shot(TARS)], turn(control="finished"))
cua("terminate, failure with an answer", code("computer.terminate(status='failure', answer='no page')"), [shot(TARS)], turn(control="failed", answer="no page"))
cua("relative", code("pyautogui.click(x=0.5, y=0.25)"), [act([click((5000, 2500))], TARS, grid=10000, expect="f0")], turn(), relative=True)
cua("relative, beyond the edge", code("pyautogui.click(x=1.5, y=0.25)"), [shot(TARS)], malformed("pyautogui.click: x must be a number from 0 to 1"), relative=True)
cua("no block", "pyautogui.click(40, 12)", [act([click(AT)], TARS)], turn())
cua_bad("hotkey without keys", "pyautogui.hotkey()", 'no key is given; give names such as "ctrl+s" or "ctrl", "s"')
cua_bad("unknown function", "pyautogui.fly(1)", "there is no function 'pyautogui.fly'")
cua_bad("another module", "os.system('ls')", "there is no function 'os.system'")
cua_bad("a loop", "for i in range(3): pyautogui.click(1, 2)", "line 1 is no call but For")
cua_bad("an assignment", "x = 5", "line 1 is no call but Assign")
cua_bad("an argument that is computed", "pyautogui.click(20 * 2, 12)", "pyautogui.click: the arguments must be literals")
cua_bad("a variable", "pyautogui.write(text)", "pyautogui.write: the arguments must be literals")
cua_bad("too many arguments", "pyautogui.keyDown('a', 'b')", "pyautogui.keyDown: too many arguments")
cua_bad("an argument twice", "pyautogui.click(1, 2, x=3)", "pyautogui.click: an argument is given twice")
cua_bad("unknown argument", "pyautogui.click(1, 2, speed=3)", "pyautogui.click: unknown argument 'speed'; it has: x, y, clicks, interval, button, duration")
cua_bad("fractions of pixels", "pyautogui.click(0.5, 0.5)", "pyautogui.click: x and y must be whole numbers")
cua_bad("only x", "pyautogui.click(x=5)", "pyautogui.click: y is required")
cua_bad("text is a number", "pyautogui.write(5)", "pyautogui.write: message must be a string")
cua_bad("another button", "pyautogui.click(1, 2, button='back')", "pyautogui.click: button must be one of left, middle, right")
cua_bad("four clicks", "pyautogui.click(1, 2, clicks=4)", "pyautogui.click: clicks must be a whole number from 1 to 3")
cua_bad("nothing", "", "the answer has no call")
cua("the answer is null", None, [shot(TARS)], malformed("the answer is no text"))
cua("the answer is an object", {"code": "pyautogui.click()"}, [shot(TARS)], malformed("the answer is no text"))
vector("opencua/no picture seen yet", "opencua", code("pyautogui.click(40, 12)"), [shot(TARS)], turn(NO_SCREENSHOT), seen=None)
cua(
    "the second line is refused: the first is done",
    code("pyautogui.write('a')", "pyautogui.click(5000, 10)", "pyautogui.write('b')"),
    [act([typed("a"), click((5000, 10)), typed("b")], TARS, results=[DONE, failed("OUT_OF_SCREEN", "point 5000,10 is outside"), NOT_EXECUTED])],
    turn("Failed: point 5000,10 is outside [OUT_OF_SCREEN]", HALTED),
)

# --- OSWorld ---


def world(title, action, exchanges, reply, **more):
    vector(f"osworld/{title}", "osworld", action, exchanges, reply, **more)


def world_good(name, parameters, actions):
    world(f"{name} {json.dumps(parameters)}", {"action_type": name, "parameters": parameters}, [act(actions, None)], turn())


def world_bad(title, action, why):
    world(title, action, [shot(None)], malformed(why))


PLACE = {"x": 40, "y": 12}
world_good("MOVE_TO", PLACE, [move(AT)])
world_good("CLICK", {}, [click()])
world_good("CLICK", PLACE, [click(AT)])
world_good("CLICK", {**PLACE, "button": "right", "num_clicks": 2}, [click(AT, "RIGHT", 2)])
world_good("RIGHT_CLICK", PLACE, [click(AT, "RIGHT")])
world_good("DOUBLE_CLICK", {}, [click(None, "LEFT", 2)])
world_good("MOUSE_DOWN", {}, [button_down()])
world_good("MOUSE_DOWN", {"button": "middle"}, [button_down(None, "MIDDLE")])
world_good("MOUSE_UP", {}, [button_up()])
world_good("DRAG_TO", PLACE, [button_down(), move(AT), button_up()])
world_good("SCROLL", {"dx": 0, "dy": -3}, [scroll(0, 3)])
world_good("SCROLL", {"dx": 2, "dy": 1}, [scroll(2, -1)])
world_good("TYPING", {"text": "hello"}, [typed("hello")])
world_good("PRESS", {"key": "enter"}, [key("enter")])
world_good("KEY_DOWN", {"key": "shift"}, [key_down("shift")])
world_good("KEY_UP", {"key": "shift"}, [key_up("shift")])
world_good("HOTKEY", {"keys": ["ctrl", "c"]}, [key("ctrl", "c")])
world_good("WAIT", {}, [wait("3s")])
world("parameters beside the type", {"action_type": "CLICK", **PLACE}, [act([click(AT)], None)], turn())
world("WAIT", "WAIT", [act([wait("3s")], None)], turn())
world("DONE", "DONE", [shot(None)], turn(control="finished"))
world("FAIL", {"action_type": "FAIL"}, [shot(None)], turn(control="failed"))
world("code", "import pyautogui; pyautogui.click(40, 12); pyautogui.press('enter')", [act([click(AT), key("enter", repeat=1)], None)], turn())
world_bad("unknown action", {"action_type": "FLY"}, "there is no action 'FLY'")
world_bad("type is a list", {"action_type": ["CLICK"]}, "there is no action ['CLICK']")
world_bad("no object", 5, "the action is no object")
world_bad("null", None, "the action is no object")
world("no picture seen yet", {"action_type": "CLICK", "parameters": PLACE}, [shot(None)], turn(NO_SCREENSHOT), seen=None)
world_bad("MOVE_TO nowhere", {"action_type": "MOVE_TO", "parameters": {}}, "MOVE_TO: x is required")
world_bad("TYPING without text", {"action_type": "TYPING", "parameters": {}}, "TYPING: text is required")
world_bad("HOTKEY, no keys", {"action_type": "HOTKEY", "parameters": {"keys": []}}, 'no key is given; give names such as "ctrl+s" or "ctrl", "s"')
world_bad("HOTKEY, a string", {"action_type": "HOTKEY", "parameters": {"keys": "ctrl+c"}}, "HOTKEY: keys must be a list of strings")
world_bad("CLICK, another button", {"action_type": "CLICK", "parameters": {"button": "back"}}, "CLICK: button must be one of left, middle, right")
world_bad("unknown parameter", {"action_type": "PRESS", "parameters": {"key": "a", "times": 2}}, "PRESS: unknown argument 'times'; it has: key")
world(
    "the screen is another one",
    {"action_type": "CLICK", "parameters": PLACE},
    [act([click(AT)], None, error=status("FAILED_PRECONDITION", "STALE_EPOCH", "the screen was resized")), shot(None, number=2)],
    turn("Not performed: the screen was resized [STALE_EPOCH]"),
)
