/** The options of the methods of `Desktop`. Times are in seconds. */
import type * as actions from "./actions.js";
import type { Access } from "./address.js";
import type { ExpectedWindow } from "./calls.js";
import type { Frame } from "./frame.js";
import type { Picture, Size, Space } from "./options.js";

/** Options of a `Desktop`. */
export interface DesktopOptions extends Access {
  /** Width and height of every picture. */
  size?: Size;
  /** Options of every picture, instead of `size`. */
  picture?: Picture;
  /**
   * Seconds that a call may take, beside the time that its actions take by themselves. Default: 30;
   * at most 86,400.
   */
  timeout?: number;
}

/** Options of every call. */
export interface CallOptions {
  /** Seconds for the whole call, at most 86,400. Default: that of the `Desktop`. */
  timeout?: number;
  /** Cancels the call, which then throws the signal's reason. */
  signal?: AbortSignal;
}

/** Options of `screenshot`: those of a `Picture`, singly or as `picture`. */
export interface ScreenshotOptions extends Picture, CallOptions {
  /** Options of the picture, instead of single ones. */
  picture?: Picture;
  /** A frame that the caller has, or its id. If the picture is the same, the frame has no image. */
  ifChangedSince?: Frame | string;
  /** Whether the screen is returned even if it is not proved that the desktop is painted. */
  unproved?: boolean;
}

/** Options of `watch`. */
export interface WatchOptions {
  /** Options of the pictures. */
  picture?: Picture;
  /** Maximum number of frames per second, 1 to 60. Default: 10. */
  maxFps?: number;
  /** Whether only changes are sent, and each frame has the complete raw pixels. */
  regions?: boolean;
  /** Whether frames are sent even if it is not proved that the desktop is painted. */
  unproved?: boolean;
  /** Seconds within which a stream that broke off must open again. Default: that of the `Desktop`. */
  timeout?: number;
  /** Cancels the stream, which then throws the signal's reason. */
  signal?: AbortSignal;
}

/** Options of `waitReady`. */
export interface WaitReadyOptions {
  /** Windows that must be shown: a part of the title, or an object with `title` and `class`. */
  windows?: readonly ExpectedWindow[];
  /** Whether the desktop is also ready while content keeps moving. */
  allowUnsettled?: boolean;
  /** Cancels the call, which then throws the signal's reason. */
  signal?: AbortSignal;
}

/** Options of `waitFor`. */
export interface WaitForOptions {
  /** What the regions are pixels of. Default: the screen. */
  space?: Space;
  /** Whether to throw an error if the condition is not met. Default: true. */
  check?: boolean;
  /** Cancels the call, which then throws the signal's reason. */
  signal?: AbortSignal;
}

/** Options of `act`, and of each method that makes a step. */
export interface ActOptions extends CallOptions {
  /**
   * The coordinate space of the points: a frame, the size of an image of the whole screen, or null
   * for the screen. Default: see `Desktop`.
   */
  space?: Space;
  /** Options of the frame after the step. */
  picture?: Picture;
  /** Whether to take that frame. Default: true. */
  frame?: boolean;
  /** Whether each action is checked when its turn comes, and earlier ones stay done. */
  stopAtFirst?: boolean;
  /** Maximum seconds to wait until the screen rests. 0: do not wait. */
  settle?: number;
  /** Minimum seconds for which the screen must not change. */
  quiet?: number;
  /** A frame whose X server and screen size must still be the present ones. */
  expect?: Frame;
  /** Whether the step is performed even if it is not proved that the desktop is painted. */
  unproved?: boolean;
  /** Whether the actions do not wait for each other's effect. */
  noPacing?: boolean;
  /** Whether to throw an error if an action was not done. Default: true. */
  check?: boolean;
}

/** Options of `click`. */
export type ClickOptions = actions.ClickOptions & ActOptions;
/** Options of `doubleClick`, `tripleClick`, `rightClick` and `middleClick`. */
export type PlainClickOptions = Pick<actions.ClickOptions, "modifiers"> & ActOptions;
/** Options of `move`. */
export type MoveOptions = actions.MoveOptions & ActOptions;
/** Options of `drag`. */
export type DragOptions = actions.DragOptions & ActOptions;
/** Options of `scroll`. */
export type ScrollOptions = actions.ScrollOptions & ActOptions;
/** Options of `type`. */
export type TypeOptions = actions.TypeOptions & ActOptions;
/** Options of `paste`. */
export type PasteOptions = actions.PasteOptions & ActOptions;
/** Options of `press` and `key`. */
export type PressOptions = actions.PressOptions & ActOptions;
