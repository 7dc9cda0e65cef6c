/** The actions of UI-TARS: how its text is read, and its translation into actions. */
import * as actions from "../actions.js";
import type { Picture } from "../options.js";
import { Arguments, checkAnswer, has, Malformed, type Signatures } from "./fields.js";
import type { Wanted } from "./flow.js";
import { first, quoted } from "./format.js";

const CALL = /([\p{L}\p{N}_]+)\s*\(/uy;
const WORD = /\s*([\p{L}\p{N}_]+)\s*=\s*/uy;
/** The text after the quote that ends a string. */
const END = /\s*(,\s*[\p{L}\p{N}_]+\s*=|\))/uy;
const NUMBERS = /-?\d+(?:\.\d+)?/g;
/** Two or four numbers, in brackets or between the marks of the models, or both. */
const PLACE =
  /^(?:<point>|<bbox>|<\|box_start\|>)?\s*[([]?\s*-?\d+(?:\.\d+)?(?:(?:\s*,\s*|\s+)-?\d+(?:\.\d+)?)*\s*[)\]]?\s*(?:<\/point>|<\/bbox>|<\|box_end\|>)?$/;
const ESCAPES: Readonly<Record<string, string>> = {
  n: "\n",
  t: "\t",
  "\\": "\\",
  "'": "'",
  '"': '"',
};

const DIRECTIONS = { up: [0, -1], down: [0, 1], left: [-1, 0], right: [1, 0] } as const;
/** Notches of a scroll, which names no distance. */
const NOTCHES = 5;
/** Seconds of `wait`, if it names none. */
const WAIT = "5.0";
/** Seconds after which a key or button is released that the model left down. */
const HOLD = 60;

const POINT = ["point", "start_box"] as const;
const BUTTON = [...POINT, "button"] as const;

/** The actions with their arguments. */
export const CALLS = {
  click: POINT,
  left_double: POINT,
  right_single: POINT,
  move_to: POINT,
  mouse_down: BUTTON,
  mouse_up: BUTTON,
  drag: ["start_point", "end_point", "start_box", "end_box"],
  hotkey: ["key", "hotkey"],
  press: ["key"],
  release: ["key"],
  type: ["content"],
  scroll: [...POINT, "direction"],
  wait: ["seconds"],
  take_screenshot: [],
  finished: ["content"],
  call_user: ["content"],
} as const satisfies Signatures;

/** A call: its name and its arguments. */
export type Call = [name: string, values: Record<string, unknown>];

/**
 * Returns the calls after `Action:` in an answer.
 *
 * Throws `Malformed` if there is no call, or it cannot be read.
 */
export function parse(answer: string): Call[] {
  checkAnswer(answer);
  const text = answer.split("Action:").at(-1)!.trim();
  const calls: Call[] = [];
  let at = 0;
  while (at < text.length) {
    const head = matched(CALL, text, at);
    if (head === null) {
      throw new Malformed(`this is no action: ${quoted(first(80, text.slice(at)))}`);
    }
    const [values, end] = readArguments(text, at + head[0].length);
    calls.push([head[1]!, values]);
    at = end;
    while (" \t\r\n;".includes(text[at] ?? "x")) at++;
  }
  if (calls.length === 0) throw new Malformed("the answer has no action");
  return calls;
}

/** Reads arguments up to the closing bracket. Returns them, and the place after it. */
function readArguments(text: string, at: number): [Record<string, string>, number] {
  const found: Record<string, string> = {};
  while (true) {
    while (" ,\n".includes(text[at] ?? "x")) at++;
    if (text[at] === ")") return [found, at + 1];
    const word = matched(WORD, text, at);
    const start = at + (word?.[0].length ?? 0);
    if (word === null || start >= text.length) {
      throw new Malformed(`the arguments cannot be read at ${quoted(first(40, text.slice(at)))}`);
    }
    const quote = text[start]!;
    if (quote === "'" || quote === '"') {
      [found[word[1]!], at] = readString(text, start + 1, quote);
      continue;
    }
    const length = text.slice(start).search(/[,)]/);
    if (length < 0) throw new Malformed("a bracket is not closed");
    at = start + length;
    found[word[1]!] = text.slice(start, at).trim();
  }
}

/** Reads a quoted string. A quote in it is escaped, or is not followed by `,` or `)`. */
function readString(text: string, at: number, quote: string): [string, number] {
  let made = "";
  for (; at < text.length; at++) {
    const letter = text[at]!;
    const escape = letter === "\\" ? ESCAPES[text[at + 1] ?? ""] : undefined;
    if (escape !== undefined) {
      made += escape;
      at++;
    } else if (letter === quote && matched(END, text, at + 1) !== null) {
      return [made, at + 1];
    } else {
      made += letter;
    }
  }
  throw new Malformed("a string is not closed");
}

function matched(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}

/** Translates a call. Throws `Malformed` if the call is wrong. */
export function translate(name: string, values: unknown, picture: Picture): Wanted {
  if (!has(CALLS, name)) throw new Malformed(`there is no action ${quoted(name)}`);
  const given = new Arguments(name, values, CALLS[name]);
  if (name === "finished" || name === "call_user") {
    return { control: name, value: given.text("content", "") };
  }
  if (name === "take_screenshot") return { picture };
  return { actions: translated(name, given) };
}

type Acting = Exclude<keyof typeof CALLS, "finished" | "call_user" | "take_screenshot">;

function translated(name: Acting, given: Arguments): actions.Action[] {
  switch (name) {
    case "wait":
      return [actions.wait(secondsOf(given))];
    case "type":
      return [actions.typeText(given.text("content"))];
    case "hotkey":
      return [actions.press(keysOf(given))];
    case "press":
      return keysOf(given).map((key) => actions.keyDown(key, { hold: HOLD }));
    case "release":
      return keysOf(given).map(actions.keyUp);
    case "drag": {
      const start = pointOf(given, "start_point", "start_box");
      return [actions.drag([start, pointOf(given, "end_point", "end_box")])];
    }
    case "scroll": {
      const direction = given.choice("direction", ["up", "down", "left", "right"]);
      const [dx, dy] = DIRECTIONS[direction];
      const [x, y] = optionalPoint(given);
      return [actions.scroll(NOTCHES * dx, NOTCHES * dy, { x, y })];
    }
    case "mouse_down":
    case "mouse_up": {
      const [x, y] = optionalPoint(given);
      const button = given.choice("button", ["left", "right", "middle"], "left");
      if (name === "mouse_up") return [actions.buttonUp(x, y, { button })];
      return [actions.buttonDown(x, y, { button, hold: HOLD })];
    }
    case "move_to":
      return [actions.move(...pointOf(given, ...POINT))];
    default: {
      const button = name === "right_single" ? "right" : "left";
      const count = name === "left_double" ? 2 : 1;
      return [actions.click(...pointOf(given, ...POINT), { button, count })];
    }
  }
}

function keysOf(given: Arguments): string[] {
  const keys = given
    .text(given.has("hotkey") ? "hotkey" : "key")
    .split(/\s+/)
    .filter(Boolean);
  if (keys.length === 0) throw given.error("key is empty");
  return keys;
}

function secondsOf(given: Arguments): number {
  const text = given.text("seconds", WAIT).trim();
  const seconds = /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text) ? Number(text) : NaN;
  if (Number.isNaN(seconds)) throw given.error("seconds must be a number");
  if (!(seconds > 0 && seconds <= 300)) throw given.error("seconds must be from 0 to 300");
  return seconds;
}

function optionalPoint(given: Arguments): [x?: number, y?: number] {
  return POINT.some((name) => given.has(name)) ? pointOf(given, ...POINT) : [];
}

/** Reads `<point>x y</point>`, `(x,y)` or `[x0, y0, x1, y1]`, whose middle it returns. */
function pointOf(given: Arguments, ...names: [string, string]): [x: number, y: number] {
  const name = names.find((each) => given.has(each)) ?? names[0];
  const text = given.text(name).trim();
  let numbers = (PLACE.test(text) ? text.match(NUMBERS)! : []).map(Number);
  if (numbers.length === 4) {
    const [left, top, right, bottom] = numbers as [number, number, number, number];
    numbers = [Math.floor((left + right) / 2), Math.floor((top + bottom) / 2)];
  }
  const [x, y] = numbers;
  const isWhole = numbers.every((each) => Number.isInteger(each) && Math.abs(each) < 2 ** 31);
  if (numbers.length !== 2 || x === undefined || y === undefined || !isWhole) {
    throw given.error(`${name} must be a point in whole numbers`);
  }
  return [x, y];
}
