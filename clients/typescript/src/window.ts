/** Windows, and the results of changes and waits. */
import { ActionFailed } from "./errors.js";
import { type Rect, rectOf } from "./frame.js";
import type { ConditionState as ConditionStateMessage, WaitReport } from "./v1/condition_pb.js";
import * as pb from "./v1/window_pb.js";
import { type ChangeWindowResponse, WindowOutcome } from "./v1/windows_pb.js";
import { inSeconds, shown } from "./values.js";

/** A top-level window. Its places are in pixels of the screen, and may lie outside it. */
export interface Window {
  /** Names this window in later calls, also when its title changes. */
  readonly id: string;
  /** Its title. */
  readonly title: string;
  /** The class of its program (WM_CLASS), such as `Thunar`. */
  readonly className: string;
  /** The instance name (WM_CLASS), such as `thunar`. */
  readonly instance: string;
  /** The process that created it, if known. */
  readonly pid: number | undefined;
  /** The name of that process's program. Empty if not known. */
  readonly program: string;
  /** The window with its decoration. */
  readonly frame: Rect;
  /** Its content. */
  readonly client: Rect;
  /** Names such as `focused`, `minimized`, `maximized`, `fullscreen`, `modal`. */
  readonly states: readonly string[];
  /** `normal`, `dialog`, `menu`, `tooltip`, `dock`, `desktop` and others. */
  readonly kind: string;
  /** The id of the window that it belongs to. Empty if there is none. */
  readonly transientFor: string;
  /** Whether it has the keyboard focus. */
  readonly isFocused: boolean;
  /** Whether it is mapped on the present workspace. It may be covered. */
  readonly isViewable: boolean;
  /** The protobuf message. */
  readonly message: pb.Window;
}

/** The result of a change of a window. */
export interface WindowChange {
  /** `DONE`, `ALREADY`, `ADJUSTED`, `NOT_DONE` or `UNSUPPORTED`. */
  readonly outcome: string;
  /** The window afterwards. Undefined if it has ended. */
  readonly window: Window | undefined;
  /** One sentence that says what happened. */
  readonly text: string;
  /** Windows that appeared meanwhile, such as the question whether to save. */
  readonly appeared: readonly Window[];
}

/** The state of a window or region condition when a wait ended. */
export interface ConditionState {
  /** Whether it was met. */
  readonly isMet: boolean;
  /** The windows on the screen that match. */
  readonly windows: readonly Window[];
  /** Whether the region changed since the wait began. */
  readonly hasChanged: boolean;
  /** Seconds since the region's last change, or since the wait began. */
  readonly rested: number;
}

/** The end of a wait for a condition. */
export interface Waited {
  /** Whether the condition was met. */
  readonly isMet: boolean;
  /** The state of each window and region condition, in order. */
  readonly states: readonly ConditionState[];
  /** If it was not met: the windows on the screen, the topmost first. */
  readonly windows: readonly Window[];
  /** Duration of the wait. */
  readonly seconds: number;
}

/** Converts a protobuf `Window`. */
export function windowOf(message: pb.Window): Window {
  const states = message.states.map((each) => (pb.WindowState[each] ?? String(each)).toLowerCase());
  const { id, title, instance, pid, program, transientFor, frame, client } = message;
  const nowhere = { x: 0, y: 0, width: 0, height: 0 };
  return {
    ...{ id, title, instance, pid, program, transientFor, states, message },
    className: message.class,
    frame: frame === undefined ? nowhere : rectOf(frame),
    client: client === undefined ? nowhere : rectOf(client),
    kind: (pb.WindowKind[message.kind] ?? String(message.kind)).toLowerCase(),
    isFocused: states.includes("focused"),
    isViewable: message.viewable,
  };
}

/** Converts a protobuf `ChangeWindowResponse`. */
export function changeOf(message: ChangeWindowResponse): WindowChange {
  return {
    outcome: WindowOutcome[message.outcome] ?? String(message.outcome),
    window: message.window && windowOf(message.window),
    text: message.message,
    appeared: message.appeared.map(windowOf),
  };
}

/** Throws `ActionFailed` if a window is not as requested. */
export function checkChange(change: WindowChange): WindowChange {
  if (change.outcome === "DONE" || change.outcome === "ALREADY") return change;
  throw new ActionFailed(change.text, { reason: change.outcome });
}

/** Converts a protobuf `WaitReport`. */
export function waitedOf(message: WaitReport): Waited {
  return {
    isMet: message.met,
    states: message.states.map(stateOf),
    windows: message.windows.map(windowOf),
    seconds: inSeconds(message.waited),
  };
}

/** Throws `ActionFailed` if a condition was not met. The message names the windows there were. */
export function checkWait(waited: Waited): Waited {
  if (waited.isMet) return waited;
  const titles = waited.windows.slice(0, 8).map((each) => shown(each.title));
  const there = titles.length > 0 ? titles.join(", ") : "no windows";
  const time = waited.seconds.toFixed(1);
  const text = `the condition was not met within ${time} s; on the screen: ${there}`;
  throw new ActionFailed(text, { reason: "CONDITION_NOT_MET" });
}

function stateOf(state: ConditionStateMessage): ConditionState {
  return {
    isMet: state.met,
    windows: state.windows.map(windowOf),
    hasChanged: state.changed,
    rested: inSeconds(state.rested),
  };
}
