/** Programs, and the results of launching them and of signals. */
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { ActionFailed } from "./errors.js";
import * as pb from "./v1/programs_pb.js";
import { inSeconds } from "./values.js";
import { type Window, windowOf } from "./window.js";

/** A program of the desktop. */
export interface Program {
  /** Names a launched program in later calls. Empty if deskd did not launch it. */
  readonly id: string;
  /** The process that was launched, or that has the windows. */
  readonly pid: number;
  /** Its name. */
  readonly name: string;
  /** When it was launched. Undefined if deskd did not launch it. */
  readonly launchedAt: Date | undefined;
  /** Its windows, the topmost first. Only in the results of `list`. */
  readonly windows: readonly Window[];
  /** The code with which the launched process ended by itself. Undefined if it did not. */
  readonly exitCode: number | undefined;
  /** The number of the signal that ended the launched process. Undefined if none did. */
  readonly signal: number | undefined;
  /** Whether the launched process has ended. Other processes of the program may still run. */
  readonly hasEnded: boolean;
  /** The protobuf message. */
  readonly message: pb.Program;
}

/** The result of a launch. */
export interface Launch {
  /** The program. */
  readonly program: Program;
  /** `STARTED`, `WINDOW_PAINTED`, `WINDOW_BLANK`, `NO_WINDOW` or `ENDED`. */
  readonly outcome: string;
  /** The window that it painted, or has. Undefined if there is none. */
  readonly window: Window | undefined;
  /** One sentence that says what happened. */
  readonly text: string;
  /** The end of what the program wrote, if it has ended without a window. */
  readonly output: string;
  /** Seconds from the start of the program to its painted window. */
  readonly paintedAfter: number | undefined;
}

/** What a launched program wrote to its standard output and standard error. */
export interface ProgramOutput {
  /** The last 64 KiB. Bytes that are not UTF-8 are replaced. */
  readonly text: string;
  /** Number of bytes that it wrote, also of those that are not kept. */
  readonly totalBytes: number;
  /** The program. */
  readonly program: Program;
}

/** The result of a signal. */
export interface Signalled {
  /** Whether all processes of the program have ended. */
  readonly hasEnded: boolean;
  /** Number of processes that got the signal. */
  readonly processes: number;
  /** The program. */
  readonly program: Program;
}

/** Converts a protobuf `Program`. */
export function programOf(message: pb.Program): Program {
  const { id, pid, name, launchedAt, end } = message;
  const exitCode = end?.how.case === "exitCode" ? end.how.value : undefined;
  const signal = end?.how.case === "signal" ? end.how.value : undefined;
  return {
    ...{ id, pid, name, exitCode, signal, message },
    launchedAt: launchedAt && timestampDate(launchedAt),
    windows: message.windows.map(windowOf),
    hasEnded: exitCode !== undefined || signal !== undefined,
  };
}

/** Converts a protobuf `LaunchResponse`. */
export function launchOf(message: pb.LaunchResponse): Launch {
  return {
    program: programOf(message.program!),
    outcome: pb.LaunchOutcome[message.outcome] ?? String(message.outcome),
    window: message.window && windowOf(message.window),
    text: message.message,
    output: message.output,
    paintedAfter: message.paintedAfter && inSeconds(message.paintedAfter),
  };
}

/** Throws `ActionFailed` if a window was awaited, and the program painted none. */
export function checkLaunch(launch: Launch): Launch {
  if (launch.outcome === "STARTED" || launch.outcome === "WINDOW_PAINTED") return launch;
  throw new ActionFailed(launch.text, { reason: launch.outcome, launch });
}

/** Converts a protobuf `ReadOutputResponse`. */
export function outputOf(message: pb.ReadOutputResponse): ProgramOutput {
  const { output: text, totalBytes } = message;
  return { text, totalBytes: Number(totalBytes), program: programOf(message.program!) };
}

/** Converts a protobuf `SignalProgramResponse`. */
export function signalledOf(message: pb.SignalProgramResponse): Signalled {
  const { ended: hasEnded, signalled: processes } = message;
  return { hasEnded, processes, program: programOf(message.program!) };
}
