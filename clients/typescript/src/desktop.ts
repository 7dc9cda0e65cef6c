/** The client: one class with a method for each thing to see or to do. */
import { create } from "@bufbuild/protobuf";
import * as actions from "./actions.js";
import { Address } from "./address.js";
import {
  checkReady,
  Defaults,
  optionalCapture,
  pictureFeatures,
  pressedName,
  StepRequest,
  waitForRequest,
  waitReadyRequest,
  watchRequest,
} from "./calls.js";
import { Caller } from "./caller.js";
import { Canvas } from "./canvas.js";
import { Clipboard } from "./clipboard.js";
import { Control } from "./control.js";
import type { Condition } from "./conditions.js";
import { Connection } from "./connection.js";
import { DeskdError, invalid } from "./errors.js";
import { Frame, frameOf } from "./frame.js";
import { captureOptions, type Picture, PICTURE_FIELDS } from "./options.js";
import { Programs } from "./programs.js";
import { Recorder } from "./recorder.js";
import type * as settings from "./settings.js";
import { Stack } from "./stack.js";
import { Step } from "./step.js";
import * as pb from "./v1/desktop_pb.js";
import {
  CALL_OPTIONS,
  type Check,
  checkOptions,
  duration,
  flag,
  later,
  onlyKnown,
  shown,
  signal,
  text,
  timeoutOf,
  waitTimeout,
} from "./values.js";
import { checkWait, type Waited, waitedOf } from "./window.js";
import { Windows } from "./windows.js";

const CALLS = pb.Desktop.method;
const frame: Check = (value, name) => {
  if (!(value instanceof Frame)) throw invalid(`${name} is ${shown(value)}; give a frame`);
};
const frameOrId: Check = (value, name) => {
  if (value instanceof Frame || typeof value === "string") return;
  throw invalid(`${name} is ${shown(value)}; give a frame or its id`);
};
const DESKTOP_OPTIONS: Readonly<Record<keyof settings.DesktopOptions, Check>> = {
  size: later,
  picture: later,
  timeout: later,
  token: text,
  tokenFile: text,
  tlsCa: text,
  tlsCert: text,
  tlsKey: text,
};
const ACT_OPTIONS: Readonly<Record<keyof settings.ActOptions, Check>> = {
  ...CALL_OPTIONS,
  space: later,
  picture: later,
  frame: flag,
  stopAtFirst: flag,
  settle: later,
  quiet: later,
  expect: frame,
  unproved: flag,
  noPacing: flag,
  check: flag,
};
const SCREENSHOT_OPTIONS: Readonly<Record<keyof settings.ScreenshotOptions, Check>> = {
  ...PICTURE_FIELDS,
  ...CALL_OPTIONS,
  picture: later,
  ifChangedSince: frameOrId,
  unproved: flag,
};
const WATCH_OPTIONS: Readonly<Record<keyof settings.WatchOptions, Check>> = {
  ...CALL_OPTIONS,
  picture: later,
  maxFps: later,
  regions: flag,
  unproved: flag,
};
const READY_OPTIONS: Readonly<Record<keyof settings.WaitReadyOptions, Check>> = {
  windows: later,
  allowUnsettled: flag,
  signal,
};
const WAIT_OPTIONS: Readonly<Record<keyof settings.WaitForOptions, Check>> = {
  space: later,
  check: flag,
  signal,
};

/**
 * A desktop that a daemon serves.
 *
 *     const desktop = new Desktop("unix:/run/deskd/deskd.sock");
 *     await (await desktop.screenshot()).save("screen.png");
 *     await desktop.click(640, 400);
 *     await desktop.close();
 *
 * Calls that fail because the daemon or the X server restarts are made again. A step has an id, by
 * which the daemon executes it at most once, also when it is sent again.
 *
 * Points are pixels of the screen. With `size`, they are pixels of an image of that size; with a
 * `picture` that has a `fit`, pixels of the last screenshot. Each call can name another `space`.
 *
 * Actions wait until the screen has settled, and throw `ActionFailed` if they were not done. Every
 * call throws a `DeskdError` if it was refused. All times are in seconds.
 */
export class Desktop {
  readonly #address: Address;
  readonly #connection: Connection;
  readonly #caller: Caller;
  readonly #defaults: Defaults;

  /**
   * `server` is `unix:/path`, `host:port`, or `exec:COMMAND`: a command whose standard input and
   * output lead to a daemon. Default: the environment variable DESKD_SERVER, else the socket of a
   * daemon on this machine. Nothing is connected before the first call.
   */
  constructor(server?: string, options: settings.DesktopOptions = {}) {
    checkOptions(options, DESKTOP_OPTIONS, "option of a desktop");
    const { size, picture, timeout = 30, ...access } = options;
    this.#defaults = new Defaults(size, picture, timeout);
    this.#address = Address.of(server, access);
    this.#connection = new Connection(this.#address);
    this.#caller = new Caller(this.#connection, timeout);
  }

  /** The address of the daemon. */
  get server(): string {
    return this.#address.server;
  }

  /** Closes the connection. A later call opens another one. */
  async close(): Promise<void> {
    this.#connection.close();
  }

  /** Closes the connection at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  // --- Seeing ---

  /**
   * Takes a picture of the screen, or a failure card if that is not possible. The call waits until
   * the desktop is painted.
   */
  async screenshot(options: settings.ScreenshotOptions = {}): Promise<Frame> {
    checkOptions(options, SCREENSHOT_OPTIONS);
    const { picture, ifChangedSince = "", unproved, timeout, signal, ...single } = options;
    const [name] = Object.entries(single).find(([, value]) => value !== undefined) ?? [];
    if (picture !== undefined && name !== undefined) {
      throw invalid(`picture and ${name} exclude each other; put ${name} into the picture`);
    }
    const own: Picture | undefined = name === undefined ? picture : single;
    const capture = optionalCapture(own ?? this.#defaults.picture);
    const request = create(pb.ScreenshotRequestSchema, {
      capture,
      unproved,
      ifChangedSince: ifChangedSince instanceof Frame ? ifChangedSince.frameId : ifChangedSince,
    });
    const required = pictureFeatures(capture);
    const reply = await this.#caller.call(CALLS.screenshot, request, { timeout, required, signal });
    const frame = frameOf(reply.frame!);
    this.#defaults.saw(own, frame);
    return frame;
  }

  /**
   * Yields a frame whenever the screen has changed, the first one at once.
   *
   * With `regions`, the daemon sends only what changed, and each frame has the complete raw pixels
   * (`format` is `raw`) and the changed rectangles. If the stream breaks off, it is opened again,
   * for at most `timeout` seconds. A consumer that is slow gets the latest picture. Each stream has
   * its own connection.
   */
  async *watch(options: settings.WatchOptions = {}): AsyncGenerator<Frame, void, undefined> {
    checkOptions(options, WATCH_OPTIONS);
    const { picture = this.#defaults.picture, signal } = options;
    const resume = timeoutOf(options.timeout ?? this.#defaults.timeout);
    const canvas = new Canvas();
    const request = () => watchRequest(picture, options, canvas.frameId);
    const required = ["watch", ...pictureFeatures(captureOptions(picture))];
    for await (const update of this.#caller.watch(request, resume, { required, signal })) {
      yield canvas.draw(update);
    }
  }

  /** Returns the position of the pointer, in pixels of the screen. */
  async cursor(options: settings.CallOptions = {}): Promise<[x: number, y: number]> {
    checkOptions(options, CALL_OPTIONS);
    const request = create(pb.GetCursorRequestSchema);
    const { cursor } = await this.#caller.call(CALLS.getCursor, request, options);
    return [cursor?.position?.x ?? 0, cursor?.position?.y ?? 0];
  }

  /** Returns the daemon, its display, features and limits: a message of deskd.v1. */
  async info(options: settings.CallOptions = {}): Promise<pb.GetInfoResponse> {
    checkOptions(options, CALL_OPTIONS);
    return this.#caller.info(options);
  }

  /** Returns the width and height of the screen in pixels. */
  async screenSize(options: settings.CallOptions = {}): Promise<[width: number, height: number]> {
    const size = (await this.info(options)).geometry?.size;
    if (size === undefined) {
      throw new DeskdError("the screen is not known yet: no X server was connected");
    }
    return [size.width, size.height];
  }

  /**
   * Waits until the desktop is painted and at rest, and `windows` are shown. Returns the evidence,
   * a message of deskd.v1.
   *
   * Throws `DeadlineExceeded` if the desktop is not ready within `timeout` seconds. The message says
   * what is missing.
   */
  async waitReady(
    timeout = 90,
    options: settings.WaitReadyOptions = {},
  ): Promise<pb.WaitReadyResponse> {
    checkOptions(options, READY_OPTIONS);
    const { windows = [], allowUnsettled = false, signal } = options;
    const time = waitTimeout(timeout);
    const request = waitReadyRequest(timeout, windows, allowUnsettled);
    const required = ["paint_gate", ...(windows.length > 0 ? ["expected_windows"] : [])];
    const reply = await this.#caller.call(CALLS.waitReady, request, {
      timeout: time,
      required,
      signal,
    });
    checkReady(reply, timeout);
    return reply;
  }

  /**
   * Waits until a condition is met (see `conditions`), at most `timeout` seconds, at most 300.
   *
   * Throws `ActionFailed` if the condition is not met in time, unless `check` is false.
   */
  async waitFor(
    condition: Condition,
    timeout = 10,
    options: settings.WaitForOptions = {},
  ): Promise<Waited> {
    checkOptions(options, WAIT_OPTIONS);
    const { space, check = true, signal } = options;
    const call = { timeout: waitTimeout(timeout), required: ["wait_for"], signal };
    const request = waitForRequest(condition, timeout, space);
    const reply = await this.#caller.call(CALLS.waitFor, request, call);
    const waited = waitedOf(reply.report!);
    return check ? checkWait(waited) : waited;
  }

  // --- Acting ---

  /**
   * Performs one step: up to 100 actions in order, each exactly once.
   *
   * The daemon checks all actions first, and does nothing if one of them is impossible. With
   * `stopAtFirst`, it checks each action when its turn comes, and earlier ones stay done.
   *
   * Throws `ActionFailed` if an action was not done, `OutcomeUnknown` if it is not known what was
   * done, and another `DeskdError` if the step was refused: nothing was done then.
   */
  async act(list: Iterable<actions.Action>, options: settings.ActOptions = {}): Promise<Step> {
    checkOptions(options, ACT_OPTIONS, "option of steps");
    const { check = true, picture, signal } = options;
    const plan = new StepRequest(this.#defaults, list, options);
    const waitReady = (timeout: number) => this.waitReady(timeout, { signal });
    const reply = await this.#caller.act(plan, waitReady, signal);
    const step = new Step(reply, plan.request.operationId);
    this.#defaults.saw(picture, step.frame);
    return check ? step.check() : step;
  }

  /** Clicks where the pointer is. */
  click(options?: settings.ClickOptions): Promise<Step>;
  /** Clicks at a point. */
  click(x: number, y: number, options?: settings.ClickOptions): Promise<Step>;
  click(...place: Place<settings.ClickOptions>): Promise<Step> {
    const [x, y, options] = placed(place);
    const own = ["button", "count", "modifiers"];
    return this.#do(own, (given) => actions.click(x, y, given), options);
  }

  /** Clicks twice where the pointer is. */
  doubleClick(options?: settings.PlainClickOptions): Promise<Step>;
  /** Clicks twice at a point. */
  doubleClick(x: number, y: number, options?: settings.PlainClickOptions): Promise<Step>;
  doubleClick(...place: Place<settings.PlainClickOptions>): Promise<Step> {
    return this.#click(place, { count: 2 });
  }

  /** Clicks three times where the pointer is. */
  tripleClick(options?: settings.PlainClickOptions): Promise<Step>;
  /** Clicks three times at a point. */
  tripleClick(x: number, y: number, options?: settings.PlainClickOptions): Promise<Step>;
  tripleClick(...place: Place<settings.PlainClickOptions>): Promise<Step> {
    return this.#click(place, { count: 3 });
  }

  /** Clicks the right button where the pointer is. */
  rightClick(options?: settings.PlainClickOptions): Promise<Step>;
  /** Clicks the right button at a point. */
  rightClick(x: number, y: number, options?: settings.PlainClickOptions): Promise<Step>;
  rightClick(...place: Place<settings.PlainClickOptions>): Promise<Step> {
    return this.#click(place, { button: "right" });
  }

  /** Clicks the middle button where the pointer is. */
  middleClick(options?: settings.PlainClickOptions): Promise<Step>;
  /** Clicks the middle button at a point. */
  middleClick(x: number, y: number, options?: settings.PlainClickOptions): Promise<Step>;
  middleClick(...place: Place<settings.PlainClickOptions>): Promise<Step> {
    return this.#click(place, { button: "middle" });
  }

  /** Moves the pointer. */
  move(x: number, y: number, options: settings.MoveOptions = {}): Promise<Step> {
    return this.#do(["modifiers"], (own) => actions.move(x, y, own), options);
  }

  /** Drags from the first point through the others: `drag([[10, 10], [200, 80]])`. */
  drag(path: readonly actions.Point[], options: settings.DragOptions = {}): Promise<Step> {
    return this.#do(["button", "modifiers", "seconds"], (own) => actions.drag(path, own), options);
  }

  /** Turns the wheel `dy` notches down and `dx` to the right, at a point or the pointer. */
  scroll(dx = 0, dy = 0, options: settings.ScrollOptions = {}): Promise<Step> {
    return this.#do(["x", "y", "unit", "modifiers"], (own) => actions.scroll(dx, dy, own), options);
  }

  /** Types text of any script into the focused window. */
  type(text: string, options: settings.TypeOptions = {}): Promise<Step> {
    return this.#do(["rate"], (own) => actions.typeText(text, own), options);
  }

  /** Pastes text through the clipboard, whose former content comes back afterwards. */
  paste(text: string, options: settings.PasteOptions = {}): Promise<Step> {
    return this.#do(["chord"], (own) => actions.paste(text, own), options);
  }

  /** Presses keys together: `press("ctrl+s")`, `press(["ctrl", "s"])`, `press("Down", { repeat: 3 })`. */
  press(chord: actions.Keys, options: settings.PressOptions = {}): Promise<Step> {
    return this.#do(["repeat", "hold"], (own) => actions.press(chord, own), options);
  }

  /** The same as `press`. */
  key(chord: actions.Keys, options: settings.PressOptions = {}): Promise<Step> {
    return this.press(chord, options);
  }

  /** Holds keys down for some seconds. */
  async hold(
    chord: actions.Keys,
    seconds: number,
    options: settings.ActOptions = {},
  ): Promise<Step> {
    // Without a time, the keys would only be pressed.
    duration(seconds, "seconds");
    onlyKnown(options, Object.keys(ACT_OPTIONS), "option of steps");
    return this.press(chord, { ...options, hold: seconds });
  }

  /** Waits, and takes a frame afterwards. */
  wait(seconds: number, options: settings.ActOptions = {}): Promise<Step> {
    return this.#do([], () => actions.wait(seconds), options);
  }

  /** Releases every key and button that the daemon holds down. Returns their names. */
  async releaseAll(options: settings.CallOptions = {}): Promise<string[]> {
    checkOptions(options, CALL_OPTIONS);
    const request = create(pb.ReleaseAllRequestSchema);
    return (await this.#caller.call(CALLS.releaseAll, request, options)).released.map(pressedName);
  }

  /** Returns the names of the keys and buttons that the daemon holds down. */
  async pressed(options: settings.CallOptions = {}): Promise<string[]> {
    checkOptions(options, CALL_OPTIONS);
    const request = create(pb.GetPressedRequestSchema);
    return (await this.#caller.call(CALLS.getPressed, request, options)).pressed.map(pressedName);
  }

  /** The windows of the desktop: list, activate, close, move. */
  get windows(): Windows {
    return new Windows(
      (method, request, options) => this.#caller.call(method, request, options),
      (method, request, options) => this.#connection.unary(method, request, options),
    );
  }

  /** The clipboard of the desktop: read and write, in any format. */
  get clipboard(): Clipboard {
    return new Clipboard(this.#caller);
  }

  /** Who is in control of the input: a person takes it from an agent, and gives it back. */
  get control(): Control {
    return new Control(this.#caller);
  }

  /** The programs of the desktop: launch, list, signal. */
  get programs(): Programs {
    return new Programs(this.#caller);
  }

  /** The recorder of the desktop: logs that show a run step by step. */
  get recorder(): Recorder {
    return new Recorder(this.#caller);
  }

  /** The processes of the desktop: start, stop, resize. */
  get stack(): Stack {
    return new Stack((method, request, options) => this.#caller.call(method, request, options));
  }

  #click(place: Place<settings.PlainClickOptions>, own: actions.ClickOptions): Promise<Step> {
    const [x, y, options] = placed(place);
    return this.#do(["modifiers"], (given) => actions.click(x, y, { ...given, ...own }), options);
  }

  /** Makes a step of one action. `names` are its own options; the others are those of the step. */
  async #do<O extends settings.ActOptions>(
    names: readonly string[],
    make: (own: O) => actions.Action,
    options: O,
  ): Promise<Step> {
    onlyKnown(options, [...names, ...Object.keys(ACT_OPTIONS)], "option");
    const entries = Object.entries(options);
    const own = entries.filter(([name]) => names.includes(name));
    const rest = entries.filter(([name]) => !names.includes(name));
    return this.act([make(Object.fromEntries(own) as O)], Object.fromEntries(rest));
  }
}

/** The arguments of a method that has a place, which may be omitted. */
type Place<O> = [options?: O] | [x: number, y: number, options?: O];

function placed<O extends object>(place: Place<O>) {
  const [first, second, third] = place;
  if (typeof first === "object") return [undefined, undefined, first] as const;
  return [first, second, third ?? ({} as O)] as const;
}
