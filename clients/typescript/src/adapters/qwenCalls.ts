/** The calls of Qwen-VL and Fara: how their text is read, and their translation into actions. */
import * as actions from "../actions.js";
import { checkedText } from "../values.js";
import { Arguments, checkAnswer, has, isMapping, Malformed, type Signatures } from "./fields.js";
import type { Wanted } from "./flow.js";
import { quoted } from "./format.js";

const BLOCK = /<tool_call>\s*(.*?)\s*(?:<\/tool_call>|$)/gs;
/** The page that `web_search` opens. */
const SEARCH_PAGE = "https://www.bing.com/search?q=";
/** Seconds after which a key or button is released that the model left down. */
const HOLD = 60;
/** Maximum number of pixels of a scroll. */
const MAX_SCROLL = 100_000;

const CLICKS = {
  left_click: { button: "left", count: 1 },
  right_click: { button: "right", count: 1 },
  middle_click: { button: "middle", count: 1 },
  double_click: { button: "left", count: 2 },
  triple_click: { button: "left", count: 3 },
} as const;

const POINTED = ["action", "coordinate", "text"] as const;
const SCROLLED = ["action", "pixels", "coordinate", "text"] as const;

/** The actions of Qwen-VL with their arguments. */
export const QWEN: Signatures = {
  key: ["action", "keys"],
  type: ["action", "text"],
  mouse_move: ["action", "coordinate"],
  left_click: POINTED,
  right_click: POINTED,
  middle_click: POINTED,
  double_click: POINTED,
  triple_click: POINTED,
  left_click_drag: POINTED,
  scroll: SCROLLED,
  hscroll: SCROLLED,
  wait: ["action", "time"],
  answer: ["action", "text"],
  terminate: ["action", "status", "text"],
};

/** The actions of Fara with their arguments. */
export const FARA: Signatures = {
  key: ["action", "keys"],
  type: ["action", "text", "coordinate", "press_enter", "delete_existing_text"],
  mouse_move: ["action", "coordinate"],
  left_click: ["action", "coordinate"],
  scroll: ["action", "pixels", "coordinate"],
  visit_url: ["action", "url"],
  web_search: ["action", "query"],
  history_back: ["action"],
  pause_and_memorize_fact: ["action", "fact"],
  wait: ["action", "time"],
  terminate: ["action", "status"],
};

/**
 * Returns the arguments of the calls in an answer.
 *
 * Throws `Malformed` if there is no call, or it is not JSON.
 */
export function parse(answer: string): unknown[] {
  checkAnswer(answer);
  const calls = [...answer.matchAll(BLOCK)].map(([, block = ""]) => {
    const call = parsed(block);
    if (!isMapping(call) || !has(call, "arguments")) {
      throw new Malformed("the tool call has no arguments");
    }
    if (call["name"] !== "computer_use" && call["name"] !== "computer") {
      throw new Malformed(`there is no tool ${quoted(call["name"])}; use computer_use`);
    }
    return call["arguments"];
  });
  if (calls.length === 0) throw new Malformed("the answer has no tool call");
  return calls;
}

function parsed(block: string): unknown {
  try {
    return JSON.parse(block);
  } catch {
    throw new Malformed("the tool call is not JSON");
  }
}

/** Returns the address of the page that an action opens, or undefined for any other action. */
export function addressOf(values: unknown, known: Signatures): string | undefined {
  const name = isMapping(values) ? values["action"] : undefined;
  if (!has(known, name)) return undefined;
  const given = new Arguments(name, values, known[name]!);
  if (name === "visit_url") return given.text("url");
  return name === "web_search" ? SEARCH_PAGE + percentEncoded(given.text("query")) : undefined;
}

/**
 * Translates the arguments of a call. `known` is `QWEN` or `FARA`.
 *
 * Throws `Malformed` if the call is wrong.
 */
export function translate(values: unknown, known: Signatures): Wanted {
  const name = isMapping(values) ? values["action"] : undefined;
  if (!has(known, name)) throw new Malformed(`there is no action ${quoted(name)}`);
  const given = new Arguments(name, values, known[name]!);
  if (name === "terminate") {
    const status = given.choice("status", ["success", "failure"]);
    const control = status === "success" ? "finished" : "failed";
    return { control, value: given.text("text", "") };
  }
  if (name === "answer") return { control: "finished", value: given.text("text") };
  if (name === "pause_and_memorize_fact") return { said: `Noted: ${given.text("fact")}` };
  return { actions: translated(name, given) };
}

function translated(name: string, given: Arguments): actions.Action[] {
  const [x, y] = given.has("coordinate") ? given.point("coordinate") : [];
  switch (name) {
    case "key":
      return [actions.press(given.strings("keys"))];
    case "type":
      return typed(given, x, y);
    case "wait": {
      const seconds = given.number("time", 0, 300);
      return seconds > 0 ? [actions.wait(seconds)] : [];
    }
    case "mouse_move":
      return [actions.move(...given.point("coordinate"))];
    case "history_back":
      return [actions.press(["alt", "Left"])];
    case "visit_url":
      return opened(given.text("url"));
    case "web_search":
      return opened(SEARCH_PAGE + percentEncoded(given.text("query")));
  }
  const modifiers = given.has("text") ? actions.keys(given.text("text")) : [];
  if (name === "left_click_drag") {
    // From where the pointer is.
    const end = given.point("coordinate");
    return [
      ...modifiers.map((key) => actions.keyDown(key, { hold: HOLD })),
      actions.buttonDown(undefined, undefined, { hold: HOLD }),
      actions.move(...end),
      actions.buttonUp(),
      ...modifiers.toReversed().map(actions.keyUp),
    ];
  }
  if (name === "scroll" || name === "hscroll") {
    // Positive numbers scroll up and to the left.
    const pixels = -given.whole("pixels", -MAX_SCROLL, MAX_SCROLL);
    const [dx, dy] = name === "hscroll" ? [pixels, 0] : [0, pixels];
    return pixels === 0 ? [] : [actions.scroll(dx, dy, { x, y, unit: "pixel", modifiers })];
  }
  return [actions.click(x, y, { ...CLICKS[name as keyof typeof CLICKS], modifiers })];
}

function typed(given: Arguments, x?: number, y?: number): actions.Action[] {
  const made = x === undefined ? [] : [actions.click(x, y)];
  if (given.flag("delete_existing_text", false)) {
    made.push(actions.press(["ctrl", "a"]), actions.press("BackSpace"));
  }
  if (given.text("text") !== "") made.push(actions.typeText(given.text("text")));
  return given.flag("press_enter", false) ? [...made, actions.press("Return")] : made;
}

function opened(url: string): actions.Action[] {
  return [actions.press(["ctrl", "l"]), actions.typeText(url), actions.press("Return")];
}

/** Encodes all characters except letters, digits, `_`, `.`, `-` and `~`. */
function percentEncoded(text: string): string {
  return encodeURIComponent(checkedText(text)).replace(
    /[!'()*]/g,
    (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
