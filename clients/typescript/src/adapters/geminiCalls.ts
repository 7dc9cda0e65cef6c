/** The functions of Gemini's computer use, and their translation into actions. */
import * as actions from "../actions.js";
import type { Picture } from "../options.js";
import { Arguments, has, Malformed, type Signatures } from "./fields.js";
import type { Wanted } from "./flow.js";
import { quoted } from "./format.js";

/** Width and height of the grid that coordinates count. */
export const GRID = 1000;
/** Seconds after which a key or button is released that the model left down. */
const HOLD = 60;
/** What the model reads if a distance refers to a screen whose size is not known. */
const NO_SIZE = "Not performed: the size of the screen is not known. Take a screenshot first.";
/** The page that `search` opens, and `open_web_browser` with a hook for it. */
const SEARCH_PAGE = "https://www.google.com";

const POINT = ["y", "x", "intent"] as const;
const NONE = ["intent"] as const;
const KEY = ["key", "intent"] as const;

const CLICKS = {
  click: { button: "left", count: 1 },
  click_at: { button: "left", count: 1 },
  double_click: { button: "left", count: 2 },
  triple_click: { button: "left", count: 3 },
  middle_click: { button: "middle", count: 1 },
  right_click: { button: "right", count: 1 },
} as const;

const DIRECTIONS = { up: [0, -1], down: [0, 1], left: [-1, 0], right: [1, 0] } as const;

/** The functions with their arguments, of all sets. */
export const FUNCTIONS = {
  click: POINT,
  double_click: POINT,
  triple_click: POINT,
  middle_click: POINT,
  right_click: POINT,
  mouse_down: POINT,
  mouse_up: POINT,
  move: POINT,
  type: ["text", "press_enter", "intent"],
  drag_and_drop: [
    ...(["start_y", "start_x", "end_y", "end_x"] as const),
    ...(["y", "x", "destination_y", "destination_x", "intent"] as const),
  ],
  wait: ["seconds", "intent"],
  press_key: KEY,
  key_down: KEY,
  key_up: KEY,
  hotkey: ["keys", "intent"],
  take_screenshot: NONE,
  scroll: ["y", "x", "direction", "magnitude_in_pixels", "intent"],
  long_press: ["y", "x", "seconds", "intent"],
  go_back: NONE,
  go_forward: NONE,
  navigate: ["url", "intent"],
  open_web_browser: NONE,
  wait_5_seconds: NONE,
  search: NONE,
  click_at: POINT,
  hover_at: POINT,
  type_text_at: ["y", "x", "text", "press_enter", "clear_before_typing", "intent"],
  key_combination: ["keys", "intent"],
  scroll_document: ["direction", "intent"],
  scroll_at: ["y", "x", "direction", "magnitude", "intent"],
} as const satisfies Signatures;

/** The name of a function. */
export type FunctionName = keyof typeof FUNCTIONS;

/** Functions of telephones, which a desktop refuses. Any other name is a function of the worker. */
const MOBILE: readonly unknown[] = ["open_app", "list_apps"];

/** Whether a function is one of the computer's. */
export function isComputerFunction(name: unknown): boolean {
  return has(FUNCTIONS, name) || MOBILE.includes(name);
}

/**
 * Translates a call of a function.
 *
 * `values` are its arguments without `safety_decision`, `picture` is the picture that the model
 * sees, and `screen` the size of the screen in pixels, for distances, if it is known. Throws
 * `Malformed` if the call is wrong.
 */
export function translate(
  name: string,
  values: unknown,
  picture: Picture,
  screen: readonly [width: number, height: number] | undefined,
): Wanted {
  if (!has(FUNCTIONS, name)) {
    throw new Malformed(`the function ${quoted(name)} is not available on this desktop`);
  }
  const given = new Arguments(name, values, FUNCTIONS[name]);
  if (name === "take_screenshot" || name === "open_web_browser") return { picture };
  if (has(CLICKS, name)) return { actions: [actions.click(...given.xy(), CLICKS[name])] };
  if (name === "scroll" || name === "scroll_at" || name === "scroll_document") {
    const made = scrolled(name, given, screen ?? [0, 0]);
    return made === undefined ? { error: NO_SIZE } : { actions: made };
  }
  return { actions: translated(name as Rest, given) };
}

/** Returns the address of the page that a function opens, or undefined for any other function. */
export function addressOf(name: string, values: unknown): string | undefined {
  if (name === "navigate") return new Arguments(name, values, FUNCTIONS[name]).text("url");
  return name === "search" || name === "open_web_browser" ? SEARCH_PAGE : undefined;
}

type Clicks = keyof typeof CLICKS;
type Scrolls = "scroll" | "scroll_at" | "scroll_document";
type Rest = Exclude<FunctionName, Clicks | Scrolls | "take_screenshot" | "open_web_browser">;

function translated(name: Rest, given: Arguments): actions.Action[] {
  switch (name) {
    case "move":
    case "hover_at":
      return [actions.move(...given.xy())];
    case "mouse_down":
      return [actions.buttonDown(...given.xy(), { hold: HOLD })];
    case "mouse_up":
      return [actions.buttonUp(...given.xy())];
    case "long_press": {
      const down = actions.buttonDown(...given.xy(), { hold: HOLD });
      return [down, actions.wait(given.number("seconds", 0.001, 50, 2)), actions.buttonUp()];
    }
    case "type":
      return [...typed(given), ...entered(given, false)];
    case "type_text_at": {
      const click = actions.click(...given.xy());
      const clear = [actions.press(["ctrl", "a"]), actions.press("BackSpace")];
      const cleared = given.flag("clear_before_typing", true) ? clear : [];
      return [click, ...cleared, ...typed(given), ...entered(given, true)];
    }
    case "drag_and_drop": {
      if (given.has("start_x") || given.has("start_y")) {
        return [actions.drag([given.xy("start_x", "start_y"), given.xy("end_x", "end_y")])];
      }
      return [actions.drag([given.xy(), given.xy("destination_x", "destination_y")])];
    }
    case "wait": {
      const seconds = given.number("seconds", 0, 300, 1);
      return seconds > 0 ? [actions.wait(seconds)] : [];
    }
    case "wait_5_seconds":
      return [actions.wait(5)];
    case "press_key":
      return [actions.press(actions.keys(given.text("key")))];
    case "key_down":
      return [actions.keyDown(given.text("key"), { hold: HOLD })];
    case "key_up":
      return [actions.keyUp(given.text("key"))];
    case "hotkey":
      return [actions.press(given.strings("keys"))];
    case "key_combination":
      return [actions.press(actions.keys(given.text("keys")))];
    case "go_back":
      return [actions.press(["alt", "Left"])];
    case "go_forward":
      return [actions.press(["alt", "Right"])];
    case "navigate":
      return opened(given.text("url"));
    case "search":
      return opened(SEARCH_PAGE);
  }
}

function typed(given: Arguments): actions.Action[] {
  const text = given.text("text");
  return text === "" ? [] : [actions.typeText(text)];
}

function entered(given: Arguments, fallback: boolean): actions.Action[] {
  return given.flag("press_enter", fallback) ? [actions.press("Return")] : [];
}

function opened(url: string): actions.Action[] {
  return [actions.press(["ctrl", "l"]), actions.typeText(url), actions.press("Return")];
}

/** Returns the actions of a scroll, or undefined if it needs the size of the screen. */
function scrolled(
  name: Scrolls,
  given: Arguments,
  [width, height]: readonly [width: number, height: number],
): actions.Action[] | undefined {
  const direction = given.choice("direction", ["up", "down", "left", "right"]);
  const [xSign, ySign] = DIRECTIONS[direction];
  const side = xSign !== 0 ? width : height;
  if (name === "scroll_document") {
    if (ySign !== 0) return [actions.press(ySign > 0 ? "Page_Down" : "Page_Up")];
    if (side === 0) return undefined;
    const at = { x: GRID / 2, y: GRID / 2, unit: "pixel" } as const;
    return [actions.scroll(xSign * Math.floor(side / 2), 0, at)];
  }
  const pixels =
    name === "scroll"
      ? given.whole("magnitude_in_pixels", 0, 999, 300)
      : // The legacy distance counts the grid.
        Math.floor((given.whole("magnitude", 0, 1000, 800) * side) / GRID);
  const [x, y] = given.xy();
  if (name === "scroll_at" && side === 0) return undefined;
  if (pixels === 0) return [];
  return [actions.scroll(xSign * pixels, ySign * pixels, { x, y, unit: "pixel" })];
}
