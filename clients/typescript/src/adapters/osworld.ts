/**
 * OSWorld's action spaces: pyautogui code, and the objects of `computer_13`.
 *
 *     const environment = new Computer(desktop);
 *     const messages = [await environment.start(task)]; // the task and the screen
 *     const turn = await environment.step(action); // "pyautogui.click(10, 20)", "DONE", or an object
 *
 * Coordinates are pixels of the screen, in which OSWorld takes its screenshots.
 */
import * as actions from "../actions.js";
import type { Frame } from "../frame.js";
import { callable, checkOptions } from "../values.js";
import { Arguments, has, isMapping, Malformed, type Signatures } from "./fields.js";
import { type Confirm, type Desk, Session, type Wanted } from "./flow.js";
import { quoted } from "./format.js";
import { parse, translate as translateCode } from "./opencuaCalls.js";
import {
  firstMessage,
  type Translated,
  Turn,
  turn,
  untranslated,
  type UserMessage,
} from "./text.js";

export { Turn };

const PLACE = ["x", "y"] as const;

/** The actions of `computer_13` with their parameters. */
export const ACTIONS = {
  MOVE_TO: PLACE,
  CLICK: ["button", ...PLACE, "num_clicks"],
  MOUSE_DOWN: ["button"],
  MOUSE_UP: ["button"],
  RIGHT_CLICK: PLACE,
  DOUBLE_CLICK: PLACE,
  DRAG_TO: PLACE,
  SCROLL: ["dx", "dy"],
  TYPING: ["text"],
  PRESS: ["key"],
  KEY_DOWN: ["key"],
  KEY_UP: ["key"],
  HOTKEY: ["keys"],
  WAIT: [],
  FAIL: [],
  DONE: [],
} as const satisfies Signatures;

/** Seconds that `WAIT` takes, which names no duration. */
const WAIT = 3;
/** Seconds after which a key or button is released that the model left down. */
const HOLD = 60;
const BUTTONS = ["left", "middle", "right"] as const;
const WORDS = ["WAIT", "FAIL", "DONE"];

/** Translates an object of `computer_13`. Throws `Malformed` if it is wrong. */
export function translate(action: unknown): Wanted {
  if (!isMapping(action)) throw new Malformed("the action is no object");
  const { action_type: name, parameters, ...rest } = action;
  if (!has(ACTIONS, name)) throw new Malformed(`there is no action ${quoted(name)}`);
  const values = (Object.hasOwn(action, "parameters") ? parameters : rest) ?? {};
  const given = new Arguments(name, values, ACTIONS[name]);
  if (name === "DONE") return { control: "finished" };
  if (name === "FAIL") return { control: "failed" };
  return { actions: [translated(name, given)].flat() };
}

function translated(
  name: Exclude<keyof typeof ACTIONS, "DONE" | "FAIL">,
  given: Arguments,
): actions.Action | actions.Action[] {
  switch (name) {
    case "WAIT":
      return actions.wait(WAIT);
    case "TYPING":
      return actions.typeText(given.text("text"));
    case "PRESS":
      return actions.press(given.text("key"));
    case "KEY_DOWN":
      return actions.keyDown(given.text("key"), { hold: HOLD });
    case "KEY_UP":
      return actions.keyUp(given.text("key"));
    case "HOTKEY":
      return actions.press(given.strings("keys"));
    case "SCROLL": {
      // Positive numbers scroll up and to the right, as pyautogui's do.
      const [dx, dy] = [given.whole("dx", -1000, 1000, 0), given.whole("dy", -1000, 1000, 0)];
      return dx !== 0 || dy !== 0 ? actions.scroll(dx, -dy) : [];
    }
    case "MOVE_TO":
      return actions.move(...given.xy());
    case "DRAG_TO": {
      const down = actions.buttonDown(undefined, undefined, { hold: HOLD });
      return [down, actions.move(...given.xy()), actions.buttonUp()];
    }
  }
  const [x, y] = given.has("x") || given.has("y") ? given.xy() : [];
  const button = given.knows("button") ? given.choice("button", BUTTONS, "left") : "left";
  switch (name) {
    case "MOUSE_DOWN":
      return actions.buttonDown(undefined, undefined, { button, hold: HOLD });
    case "MOUSE_UP":
      return actions.buttonUp(undefined, undefined, { button });
    case "CLICK":
      return actions.click(x, y, { button, count: given.whole("num_clicks", 1, 3, 1) });
    case "DOUBLE_CLICK":
      return actions.click(x, y, { count: 2 });
    case "RIGHT_CLICK":
      return actions.click(x, y, { button: "right" });
  }
}

/** Options of a `Computer`. */
export interface ComputerOptions {
  /** Asks a person before each action. */
  confirm?: Confirm;
}

/** OSWorld's actions on a `Desktop`. */
export class Computer {
  readonly #confirm: Confirm | undefined;
  private readonly session: Session;

  /** Connects the actions to a desktop. */
  constructor(desktop: Desk, options: ComputerOptions = {}) {
    checkOptions(options, { confirm: callable }, "option of this adapter");
    this.#confirm = options.confirm;
    this.session = new Session(desktop, {});
  }

  /** Takes the picture for the model. */
  look(): Promise<Frame> {
    return this.session.look();
  }

  /** Returns the first message of the user in the form of chat completions: the task and the screen. */
  async start(task: string): Promise<UserMessage> {
    return firstMessage(task, await this.look());
  }

  /** Performs an action: code, a word, or an object. */
  async step(action: unknown): Promise<Turn> {
    let calls: Translated[];
    try {
      calls = read(action);
    } catch (error) {
      calls = [["", {}, untranslated(error)]];
    }
    return turn(this.session, this.#confirm, calls);
  }
}

function read(action: unknown): Translated[] {
  const isWord = typeof action === "string" && WORDS.includes(action.trim());
  if (typeof action === "string" && !isWord) {
    return parse(action).map(([name, values]) => [
      name,
      values,
      translateCode(name, values, false),
    ]);
  }
  const made = isWord ? { action_type: action.trim() } : (action as Record<string, unknown>);
  const wanted = translate(made);
  return [[String(made["action_type"]), made, wanted]];
}
