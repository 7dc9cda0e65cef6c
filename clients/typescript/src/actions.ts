/**
 * Actions: the elements of a step. Give them to `Desktop.act`.
 *
 *     await desktop.act([actions.click(40, 12), actions.typeText("hello"), actions.press("Return")]);
 *
 * Coordinates are pixels of the step's coordinate space: the screen, unless `act` or the `Desktop`
 * names another one. The daemon refuses a point outside; it never moves it.
 */
import { create, isMessage } from "@bufbuild/protobuf";
import { type Condition, conditionOf } from "./conditions.js";
import { invalid } from "./errors.js";
import { captureOptions, type Picture } from "./options.js";
import * as pb from "./v1/action_pb.js";
import { type CaptureOptions, CaptureOptionsSchema } from "./v1/capture_pb.js";
import {
  checkedText,
  duration,
  inSeconds,
  onlyKnown,
  pixel,
  shown,
  text as checkString,
  whole,
} from "./values.js";

/** One action of a step, a message of deskd.v1. */
export type Action = pb.Action;

/** A pixel: x and y. */
export type Point = readonly [x: number, y: number];

/** The name of a pointer button. `wheel` is the middle one. */
export type Button = "left" | "middle" | "wheel" | "right" | "back" | "forward";

/** Names of keys: a chord such as `ctrl+shift+s`, or a list. */
export type Keys = string | readonly string[];

/** The unit of a scroll. */
export type ScrollUnit = "notch" | "pixel";

const OPTION = "option of this action";

const BUTTONS: Readonly<Record<Button, pb.Button>> = {
  left: pb.Button.LEFT,
  middle: pb.Button.MIDDLE,
  wheel: pb.Button.MIDDLE,
  right: pb.Button.RIGHT,
  back: pb.Button.BACK,
  forward: pb.Button.FORWARD,
};

const UNITS: Readonly<Record<ScrollUnit, pb.ScrollUnit>> = {
  notch: pb.ScrollUnit.NOTCH,
  pixel: pb.ScrollUnit.PIXEL,
};

/**
 * Splits a chord such as `ctrl+shift+s` into key names. A list is returned as it is.
 *
 * `+` is itself a key: `ctrl++` is Ctrl and plus. Throws `InvalidRequest` for other values.
 */
export function keys(chord: Keys): string[] {
  if (typeof chord !== "string") return namesOf(chord, "keys");
  if (chord === "+") return ["+"];
  const names = chord.replaceAll("++", "+\0").split("+");
  return names.map((name) => name.replaceAll("\0", "+").trim() || name);
}

/** Options of `move`. */
export interface MoveOptions {
  /** Keys that are held meanwhile. */
  modifiers?: Keys;
}

/** Moves the pointer. */
export function move(x: number, y: number, options: MoveOptions = {}): Action {
  onlyKnown(options, ["modifiers"], OPTION);
  const value = create(pb.MoveActionSchema, {
    to: target(x, y),
    modifiers: held(options.modifiers),
  });
  return action({ case: "move", value });
}

/** Options of `click`. */
export interface ClickOptions {
  /** The button. Default: left. */
  button?: Button;
  /** Number of clicks, 1 to 3. Default: 1. */
  count?: number;
  /** Keys that are held meanwhile. */
  modifiers?: Keys;
}

/** Clicks `count` times; without a point, where the pointer is. */
export function click(x?: number, y?: number, options: ClickOptions = {}): Action {
  onlyKnown(options, ["button", "count", "modifiers"], OPTION);
  const value = create(pb.ClickActionSchema, {
    at: target(x, y),
    button: button(options.button),
    count: whole(options.count, "count") ?? 1,
    modifiers: held(options.modifiers),
  });
  return action({ case: "click", value });
}

/** Options of `buttonDown`. */
export interface ButtonDownOptions {
  /** The button. Default: left. */
  button?: Button;
  /** Seconds after which the daemon releases it. Default: 10. */
  hold?: number;
}

/** Presses a button, which stays down after the step. */
export function buttonDown(x?: number, y?: number, options: ButtonDownOptions = {}): Action {
  onlyKnown(options, ["button", "hold"], OPTION);
  const value = create(pb.ButtonDownActionSchema, {
    at: target(x, y),
    button: button(options.button),
    hold: optionalTime(options.hold, "hold"),
  });
  return action({ case: "buttonDown", value });
}

/** Releases a button. */
export function buttonUp(x?: number, y?: number, options: { button?: Button } = {}): Action {
  onlyKnown(options, ["button"], OPTION);
  const value = create(pb.ButtonUpActionSchema, {
    at: target(x, y),
    button: button(options.button),
  });
  return action({ case: "buttonUp", value });
}

/** Options of `drag`. */
export interface DragOptions {
  /** The button. Default: left. */
  button?: Button;
  /** Keys that are held meanwhile. */
  modifiers?: Keys;
  /** Seconds that the movement takes. Default: 0.25. */
  seconds?: number;
}

/** Presses at the first point, moves through all points, and releases at the last. */
export function drag(path: readonly Point[], options: DragOptions = {}): Action {
  onlyKnown(options, ["button", "modifiers", "seconds"], OPTION);
  if (!Array.isArray(path)) throw invalid(`path is ${shown(path)}; give a list of [x, y]`);
  const value = create(pb.DragActionSchema, {
    path: path.map(pointOf),
    button: button(options.button),
    modifiers: held(options.modifiers),
    duration: optionalTime(options.seconds, "duration"),
  });
  return action({ case: "drag", value });
}

/** Options of `scroll`. */
export interface ScrollOptions {
  /** The place; with `y`. Default: where the pointer is. */
  x?: number;
  /** The place; with `x`. */
  y?: number;
  /** The unit of `dx` and `dy`. Default: notch. */
  unit?: ScrollUnit;
  /** Keys that are held meanwhile. */
  modifiers?: Keys;
}

/** Turns the wheel: `dy` down and `dx` to the right, in notches or in pixels. */
export function scroll(dx = 0, dy = 0, options: ScrollOptions = {}): Action {
  onlyKnown(options, ["x", "y", "unit", "modifiers"], OPTION);
  const { unit = "notch" } = options;
  if (typeof unit !== "string" || !Object.hasOwn(UNITS, unit)) {
    throw invalid(`unit is ${shown(unit)}; choose notch or pixel`);
  }
  const value = create(pb.ScrollActionSchema, {
    at: target(options.x, options.y),
    dx: pixel(dx, "dx"),
    dy: pixel(dy, "dy"),
    unit: UNITS[unit],
    modifiers: held(options.modifiers),
  });
  return action({ case: "scroll", value });
}

/** Options of `typeText`. */
export interface TypeOptions {
  /** Maximum number of characters per second. */
  rate?: number;
}

/** Types text of any script, at most 64 KiB of UTF-8. */
export function typeText(text: string, options: TypeOptions = {}): Action {
  onlyKnown(options, ["rate"], OPTION);
  const value = create(pb.TypeActionSchema, {
    text: checkedText(text),
    rate: whole(options.rate, "rate"),
  });
  return action({ case: "type", value });
}

/** Options of `paste`. */
export interface PasteOptions {
  /** The program's key chord for pasting. Default: Shift+Insert. */
  chord?: string;
}

/** Pastes text through the clipboard. */
export function paste(text: string, options: PasteOptions = {}): Action {
  onlyKnown(options, ["chord"], OPTION);
  if (options.chord !== undefined) checkString(options.chord, "chord");
  const value = create(pb.PasteActionSchema, { text: checkedText(text), chord: options.chord });
  return action({ case: "paste", value });
}

/** Options of `press`. */
export interface PressOptions {
  /** Number of times that the keys are pressed, 1 to 100. */
  repeat?: number;
  /** Seconds that the keys stay down each time. */
  hold?: number;
}

/** Presses keys together: `press("ctrl+s")` or `press(["ctrl", "s"])`. */
export function press(chord: Keys, options: PressOptions = {}): Action {
  onlyKnown(options, ["repeat", "hold"], OPTION);
  const names = typeof chord === "string" ? [chord] : namesOf(chord, "keys");
  if (names.length === 0) {
    throw invalid('no key is given; give names such as "ctrl+s" or "ctrl", "s"');
  }
  const value = create(pb.KeyActionSchema, {
    keys: names.length === 1 ? keys(names[0]!) : names,
    repeat: whole(options.repeat, "repeat"),
    hold: optionalTime(options.hold, "hold"),
  });
  return action({ case: "key", value });
}

/** Presses a key, which stays down after the step, at most `hold` seconds (default 10). */
export function keyDown(key: string, options: { hold?: number } = {}): Action {
  onlyKnown(options, ["hold"], OPTION);
  checkString(key, "key");
  const value = create(pb.KeyDownActionSchema, { key, hold: optionalTime(options.hold, "hold") });
  return action({ case: "keyDown", value });
}

/** Releases a key. */
export function keyUp(key: string): Action {
  checkString(key, "key");
  return action({ case: "keyUp", value: create(pb.KeyUpActionSchema, { key }) });
}

/** Waits before the next action, at most 300 s. */
export function wait(seconds: number): Action {
  const value = create(pb.WaitActionSchema, { duration: duration(seconds) });
  return action({ case: "wait", value });
}

/**
 * Waits for a condition (see `conditions`), at most `timeout` seconds (default 10, at most 300). If
 * it is not met, the step ends.
 */
export function waitFor(condition: Condition, options: { timeout?: number } = {}): Action {
  onlyKnown(options, ["timeout"], OPTION);
  const timeout = optionalTime(options.timeout, "timeout");
  const value = create(pb.WaitForActionSchema, { condition: conditionOf(condition), timeout });
  return action({ case: "waitFor", value });
}

/** Takes a picture in the middle of a step, at most 4 in one step. */
export function screenshot(capture?: Picture | CaptureOptions): Action {
  const value = create(pb.ScreenshotActionSchema, {
    capture: capture === undefined ? undefined : captureOf(capture),
  });
  return action({ case: "screenshot", value });
}

/** Returns the time that an action takes by itself, in seconds. */
export function ownSeconds({ action: made }: Action): number {
  if (made.case === "wait" || made.case === "drag") return inSeconds(made.value.duration);
  if (made.case === "waitFor") {
    return made.value.timeout === undefined ? 10 : inSeconds(made.value.timeout);
  }
  if (made.case === "key") return inSeconds(made.value.hold) * Math.max(made.value.repeat ?? 1, 1);
  if (made.case === "type" && made.value.rate !== undefined) {
    return [...made.value.text].length / Math.max(made.value.rate, 1);
  }
  return 0;
}

/** Whether an action names a place in a coordinate space. */
export function hasPoint({ action: made }: Action): boolean {
  if (made.case === "move") return made.value.to !== undefined;
  if (made.case === "drag") return made.value.path.length > 0;
  return made.value !== undefined && "at" in made.value && made.value.at !== undefined;
}

/** Returns the daemon's features that an action needs, beside `act`. */
export function features({ action: made }: Action): string[] {
  if (made.case === "type" || made.case === "paste") return [made.case];
  if (made.case === "screenshot") return ["screenshot_action"];
  if (made.case === "waitFor") return ["wait_for"];
  return made.case === "move" && made.value.modifiers.length > 0 ? ["move_modifiers"] : [];
}

function captureOf(capture: Picture | CaptureOptions): CaptureOptions {
  return isMessage(capture, CaptureOptionsSchema) ? capture : captureOptions(capture);
}

function action(made: Action["action"]): Action {
  return create(pb.ActionSchema, { action: made });
}

function point(x: unknown, y: unknown): pb.Target {
  const value = { x: pixel(x, "x"), y: pixel(y, "y") };
  return create(pb.TargetSchema, { target: { case: "point", value } });
}

function pointOf(pair: unknown): pb.Target {
  if (Array.isArray(pair) && pair.length === 2) return point(pair[0], pair[1]);
  throw invalid(`a point of the path is ${shown(pair)}; give [x, y]`);
}

function target(x: unknown, y: unknown): pb.Target | undefined {
  return x === undefined && y === undefined ? undefined : point(x, y);
}

function button(name: Button = "left"): pb.Button {
  if (typeof name !== "string" || !Object.hasOwn(BUTTONS, name)) {
    const known = Object.keys(BUTTONS).join(", ");
    throw invalid(`there is no button ${shown(name)}; choose one of ${known}`);
  }
  return BUTTONS[name];
}

function held(modifiers: Keys = []): string[] {
  if (modifiers === "") return [];
  return typeof modifiers === "string" ? keys(modifiers) : namesOf(modifiers, "modifiers");
}

/** Returns a list of key names. Throws `InvalidRequest` for any other value. */
function namesOf(list: unknown, what: string): string[] {
  const isList = Array.isArray(list) && list.every((each) => typeof each === "string");
  if (isList) return [...list];
  throw invalid(`${what} is ${shown(list)}; give names such as "ctrl+s" or ["ctrl", "s"]`);
}

function optionalTime(seconds: number | undefined, name: string) {
  return seconds === undefined ? undefined : duration(seconds, name);
}
