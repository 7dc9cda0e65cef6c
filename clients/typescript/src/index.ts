/**
 * Client of deskd: see a Linux desktop sandbox, and act on it.
 *
 *     import { Desktop } from "@deskd/client";
 *
 *     const desktop = new Desktop("unix:/run/deskd/deskd.sock");
 *     await (await desktop.screenshot()).save("screen.png");
 *     await desktop.click(640, 400);
 *     await desktop.type("hello");
 *     await desktop.close();
 *
 * `@deskd/client/adapters/…` connects the tools of AI models. `@deskd/client/v1` has the protobuf
 * messages.
 */
export * as actions from "./actions.js";
export type { Action, Button, Keys, Point, ScrollUnit } from "./actions.js";
export type { Access } from "./address.js";
export type { ExpectedWindow } from "./calls.js";
export { Clipboard, type ClipboardOptions, type Content } from "./clipboard.js";
export * as conditions from "./conditions.js";
export type { Condition, WindowFilter } from "./conditions.js";
export {
  Control,
  type ControlState,
  type ControlWaitOptions,
  type TakeOptions,
} from "./control.js";
export { Desktop } from "./desktop.js";
export {
  ActionFailed,
  CaptureFailed,
  DeadlineExceeded,
  DeskdError,
  type ErrorDetails,
  InvalidRequest,
  NotInControl,
  OutcomeUnknown,
  PermissionRefused,
  StaleTarget,
  StreamEnded,
  Unavailable,
  Unsupported,
} from "./errors.js";
export {
  type Failure,
  Frame,
  type FrameFormat,
  type FrameValues,
  type MediaType,
  type Rect,
} from "./frame.js";
export {
  ANTHROPIC,
  ANTHROPIC_OLDER,
  type Fit,
  type Format,
  OPENAI,
  type Picture,
  type Region,
  type Size,
  type Space,
} from "./options.js";
export type { Launch, Program, ProgramOutput, Signalled } from "./program.js";
export {
  type LaunchOptions,
  type ProgramName,
  Programs,
  type SignalName,
  type SignalOptions,
} from "./programs.js";
export {
  type FetchRecordingOptions,
  Recorder,
  type Recording,
  type RecordingName,
  type StartRecordingOptions,
} from "./recorder.js";
export type {
  ActOptions,
  CallOptions,
  ClickOptions,
  DesktopOptions,
  DragOptions,
  MoveOptions,
  PasteOptions,
  PlainClickOptions,
  PressOptions,
  ScreenshotOptions,
  ScrollOptions,
  TypeOptions,
  WaitForOptions,
  WaitReadyOptions,
  WatchOptions,
} from "./settings.js";
export { Stack } from "./stack.js";
export { type ActionResult, type Settle, Step } from "./step.js";
export type { ConditionState, Waited, Window, WindowChange } from "./window.js";
export { viewerToken, type ViewerTokenOptions, viewerUrl } from "./viewer.js";
export { type ChangeOptions, type WindowName, type WindowPlace, Windows } from "./windows.js";
