/** The windows of a desktop. */
import { create } from "@bufbuild/protobuf";
import { matchOf, type WindowFilter } from "./conditions.js";
import type { Call } from "./stack.js";
import * as pb from "./v1/windows_pb.js";
import { type WindowTarget, WindowTargetSchema } from "./v1/window_pb.js";
import {
  checkOptions,
  duration,
  flag,
  later,
  onlyKnown,
  pixel,
  text,
  waitTimeout,
} from "./values.js";
import { changeOf, checkChange, type Window, type WindowChange, windowOf } from "./window.js";

/** A window, or properties that only one window has: a part of its title, or several properties. */
export type WindowName = Window | WindowFilter;

/** Options of a change. */
export interface ChangeOptions {
  /** Seconds to wait until the window has changed. Default: 2; at most 30. */
  timeout?: number;
  /** Whether to throw an error if the window does not become as requested. Default: true. */
  check?: boolean;
}

/** Where a window's frame is to be, in pixels of the screen. What is not given stays as it is. */
export interface WindowPlace {
  /** The left column. */
  x?: number;
  /** The top row. */
  y?: number;
  /** The width. */
  width?: number;
  /** The height. */
  height?: number;
}

const REQUIRED = ["windows"];

/**
 * The windows of a desktop: `desktop.windows`.
 *
 *     for (const window of await desktop.windows.list()) console.log(window.title, window.frame);
 *     await desktop.windows.activate("Save As");
 *
 * Each change is verified, and throws `ActionFailed` if the window did not become as requested.
 */
export class Windows {
  readonly #call: Call;
  readonly #once: Call;

  /** Made by `Desktop.windows`. */
  constructor(call: Call, once: Call) {
    this.#call = call;
    this.#once = once;
  }

  /** Returns the windows, the topmost first; with a filter, those that match. */
  async list(filter?: WindowFilter): Promise<Window[]> {
    const match = filter === undefined ? undefined : matchOf(filter);
    const request = create(pb.ListWindowsRequestSchema, { match });
    const reply = await this.#call(pb.Windows.method.listWindows, request, { required: REQUIRED });
    return reply.windows.map(windowOf);
  }

  /** Shows a window, raises it and gives it the keyboard focus. */
  activate(window: WindowName, options?: ChangeOptions): Promise<WindowChange> {
    return this.#operate(window, pb.WindowOperation.ACTIVATE, options);
  }

  /** Asks a window to close. If the program asks back, `appeared` has its question. */
  close(window: WindowName, options?: ChangeOptions): Promise<WindowChange> {
    return this.#operate(window, pb.WindowOperation.CLOSE, options);
  }

  /** Minimizes a window. */
  minimize(window: WindowName, options?: ChangeOptions): Promise<WindowChange> {
    return this.#operate(window, pb.WindowOperation.MINIMIZE, options);
  }

  /** Maximizes a window in both directions. */
  maximize(window: WindowName, options?: ChangeOptions): Promise<WindowChange> {
    return this.#operate(window, pb.WindowOperation.MAXIMIZE, options);
  }

  /** Makes a window fill the screen. */
  fullscreen(window: WindowName, options?: ChangeOptions): Promise<WindowChange> {
    return this.#operate(window, pb.WindowOperation.FULLSCREEN, options);
  }

  /** Ends the states minimized, maximized and fullscreen. */
  restore(window: WindowName, options?: ChangeOptions): Promise<WindowChange> {
    return this.#operate(window, pb.WindowOperation.RESTORE, options);
  }

  /** Moves or resizes a window's frame. */
  async place(
    window: WindowName,
    place: WindowPlace,
    options?: ChangeOptions,
  ): Promise<WindowChange> {
    const names = ["x", "y", "width", "height"] as const;
    onlyKnown(place, names, "part of a place");
    const given = names.filter((name) => place[name] !== undefined);
    const value = create(
      pb.WindowPlacementSchema,
      Object.fromEntries(given.map((name) => [name, pixel(place[name], name)])),
    );
    return this.#change(window, { case: "place", value }, options);
  }

  #operate(window: WindowName, value: pb.WindowOperation, options?: ChangeOptions) {
    return this.#change(window, { case: "operation", value }, options);
  }

  async #change(
    window: WindowName,
    change: pb.ChangeWindowRequest["change"],
    options: ChangeOptions = {},
  ): Promise<WindowChange> {
    checkOptions(options, { timeout: later, check: flag });
    const { timeout = 2, check = true } = options;
    // A change is not sent again: after a first one, the title may be that of another window.
    const settings = { timeout: waitTimeout(timeout), required: REQUIRED };
    const request = create(pb.ChangeWindowRequestSchema, {
      window: targetOf(window),
      change,
      timeout: duration(timeout, "timeout"),
    });
    const made = changeOf(await this.#once(pb.Windows.method.changeWindow, request, settings));
    return check ? checkChange(made) : made;
  }
}

function targetOf(window: WindowName): WindowTarget {
  const isWindow = typeof window === "object" && window !== null && "id" in window;
  if (isWindow) text(window.id, "the id of the window");
  return create(WindowTargetSchema, {
    target: isWindow ? { case: "id", value: window.id } : { case: "match", value: matchOf(window) },
  });
}
