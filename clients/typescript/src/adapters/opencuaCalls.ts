/** The functions of pyautogui code, and their translation into actions. */
import * as actions from "../actions.js";
import { Arguments, checkAnswer, has, Malformed, type Signatures } from "./fields.js";
import type { Wanted } from "./flow.js";
import { first, quoted } from "./format.js";
import { type PythonCall, pythonCalls } from "./pythonCalls.js";

const BLOCK = /```(?:python|code)?\s*\n(.*?)```/gs;
/** Size of the grid to which coordinates from 0 to 1 are converted. */
export const GRID = 10_000;
/** Seconds after which a key or button is released that the model left down. */
const HOLD = 60;

const PLACE = ["x", "y"] as const;
const PLACED = [...PLACE, "interval", "duration"] as const;
const CLICKED = [...PLACE, "interval", "button", "duration"] as const;
const SCROLLED = ["clicks", ...PLACE] as const;
const WRITTEN = ["message", "interval"] as const;

/** The functions with their parameters, in order. */
export const FUNCTIONS = {
  "pyautogui.click": [...PLACE, "clicks", "interval", "button", "duration"],
  "pyautogui.leftClick": PLACED,
  "pyautogui.doubleClick": CLICKED,
  "pyautogui.tripleClick": CLICKED,
  "pyautogui.rightClick": PLACED,
  "pyautogui.middleClick": PLACED,
  "pyautogui.moveTo": [...PLACE, "duration"],
  "pyautogui.dragTo": [...PLACE, "duration", "button"],
  "pyautogui.mouseDown": [...PLACE, "button"],
  "pyautogui.mouseUp": [...PLACE, "button"],
  "pyautogui.scroll": SCROLLED,
  "pyautogui.vscroll": SCROLLED,
  "pyautogui.hscroll": SCROLLED,
  "pyautogui.write": WRITTEN,
  "pyautogui.typewrite": WRITTEN,
  "pyautogui.press": ["keys", "presses", "interval"],
  "pyautogui.hotkey": ["keys", "interval"],
  "pyautogui.keyDown": ["key"],
  "pyautogui.keyUp": ["key"],
  "pyautogui.sleep": ["seconds"],
  "time.sleep": ["seconds"],
  "computer.triple_click": PLACE,
  "computer.tripleClick": PLACE,
  "computer.wait": ["seconds"],
  "computer.terminate": ["status", "answer"],
} as const satisfies Signatures;

const CLICKS: Readonly<Record<string, { button: "left" | "right" | "middle"; count: number }>> = {
  click: { button: "left", count: 1 },
  leftClick: { button: "left", count: 1 },
  doubleClick: { button: "left", count: 2 },
  tripleClick: { button: "left", count: 3 },
  triple_click: { button: "left", count: 3 },
  rightClick: { button: "right", count: 1 },
  middleClick: { button: "middle", count: 1 },
};
const BUTTONS = ["left", "middle", "right"] as const;
/** Names of pyautogui that are neither keysyms nor names of a vendor. */
const KEYS: Readonly<Record<string, string>> = {
  winleft: "Super_L",
  winright: "Super_R",
  prtsc: "Print",
};

/** A call: its name and its arguments. */
export type Call = [name: string, values: Record<string, unknown>];

/**
 * Returns the calls in the last block of code of an answer.
 *
 * Throws `Malformed` if there is no call, or the code has anything but calls with literal arguments.
 */
export function parse(answer: string): Call[] {
  checkAnswer(answer);
  const code = [...answer.matchAll(BLOCK)].at(-1)?.[1] ?? answer;
  const calls: Call[] = [];
  // A call is read before the next statement: the error is that of the first wrong statement.
  for (const call of pythonCalls(code.trim())) calls.push(read(call));
  if (calls.length === 0) throw new Malformed("the answer has no call");
  return calls;
}

function read(call: PythonCall): Call {
  const { name } = call;
  if (!has(FUNCTIONS, name)) throw new Malformed(`there is no function ${quoted(first(80, name))}`);
  const known: readonly string[] = FUNCTIONS[name];
  const { given, named } = call.arguments();
  let listed = given;
  if (name === "pyautogui.hotkey" && !(given.length === 1 && Array.isArray(given[0]))) {
    listed = [given];
  }
  const [only] = listed;
  if (listed.length === 1 && Array.isArray(only) && known[0] === "x" && known[1] === "y") {
    listed = [...only];
  }
  if (listed.length > known.length) throw new Malformed(`${name}: too many arguments`);
  const values = Object.fromEntries(listed.map((value, at) => [known[at]!, value]));
  const names = new Set([...Object.keys(values), ...named.map(([each]) => each)]);
  if (names.size < listed.length + named.length) {
    throw new Malformed(`${name}: an argument is given twice`);
  }
  return [name, { ...values, ...Object.fromEntries(named) }];
}

/**
 * Translates a call. `isRelative`: coordinates are fractions from 0 to 1.
 *
 * Throws `Malformed` if the call is wrong.
 */
export function translate(name: string, values: unknown, isRelative: boolean): Wanted {
  if (!has(FUNCTIONS, name)) throw new Malformed(`there is no function ${quoted(name)}`);
  const given = new Arguments(name, values, FUNCTIONS[name]);
  for (const time of ["interval", "duration"]) {
    const isTime = given.isNumber(time) && given.number(time, -Infinity, Infinity) >= 0;
    if (given.has(time) && !isTime) throw given.error(`${time} must be a number, at least 0`);
  }
  if (name === "computer.terminate") {
    const status = given.choice("status", ["success", "failure"], "success");
    const control = status === "success" ? "finished" : "failed";
    return { control, value: given.text("answer", "") };
  }
  const place = () => placeOf(given, isRelative);
  return { actions: translated(name.slice(name.indexOf(".") + 1), given, place) };
}

function translated(
  name: string,
  given: Arguments,
  place: () => [x: number, y: number],
): actions.Action[] {
  switch (name) {
    case "sleep":
    case "wait": {
      const seconds = given.number("seconds", 0, 300, name === "wait" ? 3 : undefined);
      return seconds > 0 ? [actions.wait(seconds)] : [];
    }
    case "write":
    case "typewrite": {
      const text = given.text("message");
      return text === "" ? [] : [actions.typeText(text)];
    }
    case "press": {
      const keys = given.isText("keys") ? [given.text("keys")] : given.strings("keys");
      const repeat = given.whole("presses", 1, 100, 1);
      return keys.map((key) => actions.press(keyOf(key), { repeat }));
    }
    case "hotkey":
      return [actions.press(given.strings("keys").map(keyOf))];
    case "keyDown":
      return [actions.keyDown(keyOf(given.text("key")), { hold: HOLD })];
    case "keyUp":
      return [actions.keyUp(keyOf(given.text("key")))];
  }
  const [x, y] = given.has("x") || given.has("y") ? place() : [];
  if (name === "scroll" || name === "vscroll" || name === "hscroll") {
    const clicks = given.whole("clicks", -1000, 1000);
    // Positive numbers scroll up and to the right.
    const [dx, dy] = name === "hscroll" ? [clicks, 0] : [0, -clicks];
    return clicks === 0 ? [] : [actions.scroll(dx, dy, { x, y })];
  }
  if (name === "moveTo") return [actions.move(...place())];
  const button = given.knows("button") ? given.choice("button", BUTTONS, "left") : "left";
  switch (name) {
    case "dragTo": {
      const end = place();
      const down = actions.buttonDown(undefined, undefined, { button, hold: HOLD });
      return [down, actions.move(...end), actions.buttonUp(undefined, undefined, { button })];
    }
    case "mouseDown":
      return [actions.buttonDown(x, y, { button, hold: HOLD })];
    case "mouseUp":
      return [actions.buttonUp(x, y, { button })];
  }
  const own = CLICKS[name]!;
  const count = name === "click" ? given.whole("clicks", 1, 3, 1) : own.count;
  return [actions.click(x, y, { button: given.knows("button") ? button : own.button, count })];
}

function keyOf(name: string): string {
  return has(KEYS, name) ? KEYS[name]! : name;
}

function placeOf(given: Arguments, isRelative: boolean): [x: number, y: number] {
  if (!isRelative) return given.xy();
  const [x, y] = [given.number("x", 0, 1), given.number("y", 0, 1)];
  // 1 is the edge, which is outside: the daemon refuses it.
  return [Math.trunc(x * GRID), Math.trunc(y * GRID)];
}
