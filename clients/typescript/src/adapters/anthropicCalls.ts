/** The calls of Anthropic's computer tool, and their translation into actions. */
import * as actions from "../actions.js";
import type { Frame } from "../frame.js";
import type { Picture } from "../options.js";
import { Arguments, has, Malformed } from "./fields.js";
import type { Wanted } from "./flow.js";
import { general, quoted } from "./format.js";

/** The text that the API requires for each call after one that failed. */
export const HALTED = "Not executed: an earlier computer action in this turn failed.";

/** Each version of the tool with the beta header that it requires, if any. */
export const VERSIONS = {
  computer_toolset_20260801: null,
  computer_20251124: "computer-use-2025-11-24",
  computer_20250124: "computer-use-2025-01-24",
  computer_20241022: "computer-use-2024-10-22",
} as const;

/** The name of a version of the tool. */
export type Version = keyof typeof VERSIONS;

const POINTED = ["coordinate", "text"] as const;

/** The members of the toolset with their arguments. */
export const MEMBERS = {
  screenshot: [],
  zoom: ["region"],
  left_click: POINTED,
  right_click: POINTED,
  middle_click: POINTED,
  double_click: POINTED,
  triple_click: POINTED,
  left_click_drag: ["start_coordinate", "coordinate", "text"],
  mouse_move: ["coordinate"],
  left_mouse_down: [],
  left_mouse_up: [],
  cursor_position: [],
  scroll: ["scroll_direction", "scroll_amount", "coordinate", "text"],
  type: ["text"],
  key: ["text", "repeat"],
  hold_key: ["text", "duration"],
  wait: ["duration"],
} as const;

/** The name of a member of the toolset. */
export type Member = keyof typeof MEMBERS;

/** The actions of computer_20241022. */
const OLDEST: readonly string[] = [
  ...["key", "type", "mouse_move", "left_click", "left_click_drag", "right_click"],
  ...["middle_click", "double_click", "screenshot", "cursor_position"],
];

/** The arguments of all actions before the toolset. */
const OLDER_ARGUMENTS = [
  ...["action", "coordinate", "start_coordinate", "text", "key", "scroll_direction"],
  ...["scroll_amount", "duration", "region", "repeat"],
];

const CLICKS = {
  left_click: { button: "left", count: 1, said: "Clicked." },
  right_click: { button: "right", count: 1, said: "Right-clicked." },
  middle_click: { button: "middle", count: 1, said: "Middle-clicked." },
  double_click: { button: "left", count: 2, said: "Double-clicked." },
  triple_click: { button: "left", count: 3, said: "Triple-clicked." },
} as const;

const SCROLLS = { up: [0, -1], down: [0, 1], left: [-1, 0], right: [1, 0] } as const;

/** Maximum duration of `wait` and `hold_key`, in seconds. */
const MAX_TIME = 300;
/** Seconds after which a button is released that the model left down. It may look around first. */
const HOLD = 60;

/**
 * Translates a call of a member of the toolset.
 *
 * `name` is the name of the member, and `values` its input. `picture` is the picture of the whole
 * screen that the model sees. `seen` is the last one, to which the region of `zoom` refers. Throws
 * `Malformed` if the call is wrong.
 */
export function translate(
  name: string,
  values: unknown,
  picture: Picture,
  seen: Frame | undefined,
): Wanted {
  if (!has(MEMBERS, name)) throw new Malformed(`there is no computer action ${quoted(name)}`);
  const given = new Arguments(name, values, MEMBERS[name]);
  const [x, y] = given.has("coordinate") ? given.point("coordinate") : [];
  switch (name) {
    case "screenshot":
      return { picture, said: "" };
    case "zoom":
      return { picture: zoomed(given, picture, seen), isPart: true, said: "" };
    case "cursor_position":
      return { wantsCursor: true };
    case "wait": {
      const seconds = given.number("duration", 0, MAX_TIME);
      const said = `Waited ${general(seconds)} s.`;
      return { actions: seconds > 0 ? [actions.wait(seconds)] : [], said };
    }
    case "left_mouse_down": {
      const down = actions.buttonDown(undefined, undefined, { hold: HOLD });
      return { actions: [down], said: "Left mouse button pressed." };
    }
    case "left_mouse_up":
      return { actions: [actions.buttonUp()], said: "Left mouse button released." };
    case "mouse_move":
      return { actions: [actions.move(...given.point("coordinate"))], said: "Moved the mouse." };
    case "type":
      return { actions: [actions.typeText(given.text("text"))], said: "Typed." };
    case "key":
      return pressed(given);
    case "hold_key": {
      const seconds = given.number("duration", 0, MAX_TIME);
      const held = actions.press(actions.keys(given.text("text")), { hold: seconds });
      const said = `Held ${given.text("text")} for ${general(seconds)} s.`;
      return { actions: [held], said };
    }
    case "left_click_drag": {
      const modifiers = modifiersOf(given);
      const end = given.point("coordinate");
      const path = [given.point("start_coordinate"), end];
      return { actions: [actions.drag(path, { modifiers })], said: "Dragged." };
    }
    case "scroll": {
      const modifiers = modifiersOf(given);
      const direction = given.choice("scroll_direction", ["up", "down", "left", "right"]);
      const amount = given.whole("scroll_amount", 0, 1000);
      const [dx, dy] = SCROLLS[direction];
      const turned = actions.scroll(amount * dx, amount * dy, { x, y, modifiers });
      return { actions: amount > 0 ? [turned] : [], said: `Scrolled ${direction}.` };
    }
    default: {
      const { button, count, said } = CLICKS[name];
      const modifiers = modifiersOf(given);
      return { actions: [actions.click(x, y, { button, count, modifiers })], said };
    }
  }
}

/** Translates the input of a version of the tool before the toolset. */
export function translateOlder(
  version: Version,
  values: unknown,
  picture: Picture,
  seen: Frame | undefined,
): Wanted {
  const given = new Arguments("computer", values, OLDER_ARGUMENTS);
  const name = given.text("action");
  const isKnown = version === "computer_20241022" ? OLDEST.includes(name) : has(MEMBERS, name);
  if (!isKnown || (name === "zoom" && version === "computer_20250124")) {
    throw new Malformed(`there is no computer action ${quoted(name)} in ${version}`);
  }
  const { action: _, ...rest } = present(values as object);
  if ((has(CLICKS, name) || name === "scroll") && Object.hasOwn(rest, "key")) {
    // The modifiers of clicks and scrolls have both names.
    if (Object.hasOwn(rest, "text")) throw given.error("text and key exclude each other");
    rest["text"] = rest["key"];
    delete rest["key"];
  }
  if (name === "left_click_drag" && version === "computer_20241022") {
    // This version drags from the pointer.
    const end = new Arguments(name, rest, ["coordinate"]).point("coordinate");
    const down = actions.buttonDown(undefined, undefined, { hold: HOLD });
    return { actions: [down, actions.move(...end), actions.buttonUp()], said: "Dragged." };
  }
  return translate(name, rest, picture, seen);
}

/** The values that are not null. */
function present(values: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null));
}

function pressed(given: Arguments): Wanted {
  const repeat = given.whole("repeat", 1, 100, 1);
  const text = given.text("text");
  const chords = text.split(/\s+/).filter((chord) => chord !== "");
  const made = (chords.length > 0 ? chords : [text]).map((chord) =>
    actions.press(actions.keys(chord), { repeat }),
  );
  return { actions: made, said: `Pressed ${text}.` };
}

function modifiersOf(given: Arguments): string[] {
  return given.has("text") ? actions.keys(given.text("text")) : [];
}

function zoomed(given: Arguments, picture: Picture, seen: Frame | undefined): Picture {
  const { fit, format, quality, maxBytes } = picture;
  const region = given.region("region");
  // The part is scaled up to the size of the usual screenshot, as the tool promises.
  const larger = seen && { ...fit, mayEnlarge: true, maxSide: Math.max(...seen.size) };
  return { fit: larger ?? fit, region, format, quality, maxBytes, space: seen };
}
