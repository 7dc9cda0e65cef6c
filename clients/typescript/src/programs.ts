/** The programs of a desktop. */
import { randomUUID } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import type { Caller } from "./caller.js";
import { invalid } from "./errors.js";
import {
  checkLaunch,
  type Launch,
  launchOf,
  type Program,
  type ProgramOutput,
  outputOf,
  programOf,
  type Signalled,
  signalledOf,
} from "./program.js";
import type { CallOptions } from "./settings.js";
import * as pb from "./v1/programs_pb.js";
import {
  CALL_OPTIONS,
  checkOptions,
  flag,
  isSendable,
  later,
  limited,
  MAX_TIMEOUT,
  shown,
  waitTimeout,
} from "./values.js";

/** A program that deskd launched, or its id. */
export type ProgramName = Program | string;

/** Options of the methods that launch. */
export interface LaunchOptions extends CallOptions {
  /** The working folder, an absolute path. Default: the home of the desktop's user. */
  folder?: string;
  /** Environment variables besides those of the session. */
  env?: Readonly<Record<string, string>>;
  /**
   * Maximum seconds to wait until the program has painted a window, at most 120. Default: the call
   * returns when the program is started.
   */
  waitWindow?: number;
  /**
   * Whether to throw `ActionFailed` if a window was awaited and not painted. Its reason is the
   * outcome: WINDOW_BLANK, NO_WINDOW or ENDED. The program may run: `error.launch` has it. Default:
   * true.
   */
  check?: boolean;
  /** Seconds for the whole call. Default: that of the `Desktop` and `waitWindow`. */
  timeout?: number;
}

/** The name of a signal. */
export type SignalName = keyof typeof SIGNALS;

/** Options of `signal`. */
export interface SignalOptions {
  /** Seconds to wait until all processes have ended. Default: 2; at most 30. */
  timeout?: number;
  /** Cancels the call, which then throws the signal's reason. */
  signal?: AbortSignal;
}

const SIGNALS = {
  terminate: pb.ProgramSignal.TERMINATE,
  kill: pb.ProgramSignal.KILL,
  interrupt: pb.ProgramSignal.INTERRUPT,
  hang_up: pb.ProgramSignal.HANG_UP,
} as const;
/** Maximum seconds to wait for a window. */
const MAX_WAIT = 120;
/** Maximum seconds to wait for the end of a program. */
const MAX_SIGNAL = 30;
const REQUIRED = ["programs"];
const CALLS = pb.Programs.method;

/**
 * The programs of a desktop: `desktop.programs`. Requires a session helper.
 *
 *     const { program, window } = await desktop.programs.launch(["xterm", "-e", "top"], {
 *       waitWindow: 10,
 *     });
 *     console.log(window?.title);
 *     await desktop.programs.signal(program);
 *
 * Each launch has an id, which stays the same when the call is made again: it starts the program at
 * most once. No shell is involved.
 */
export class Programs {
  readonly #caller: Caller;

  /** Made by `Desktop.programs`. */
  constructor(caller: Caller) {
    this.#caller = caller;
  }

  /** Starts a program with arguments: `launch(["xterm", "-e", "top"])`. */
  async launch(words: readonly string[], options: LaunchOptions = {}): Promise<Launch> {
    const value = create(pb.ArgumentsSchema, { words: wordsOf(words, "word") });
    if (value.words.length === 0) {
      throw invalid('no program is given; give words such as ["xterm", "-e", "top"]');
    }
    return this.#launch({ case: "arguments", value }, options);
  }

  /**
   * Starts a program of the desktop's menu by the id of its entry, such as `thunar.desktop`. It opens
   * the URIs.
   */
  async launchEntry(
    entry: string,
    uris: readonly string[] = [],
    options: LaunchOptions = {},
  ): Promise<Launch> {
    const value = create(pb.DesktopEntrySchema, {
      entry: string(entry, "entry"),
      uris: wordsOf(uris, "URI"),
    });
    return this.#launch({ case: "desktopEntry", value }, options);
  }

  /** Opens a URI or an absolute path with the program that the desktop's user prefers. */
  async open(uri: string, options: LaunchOptions = {}): Promise<Launch> {
    return this.#launch({ case: "uri", value: string(uri, "uri") }, options);
  }

  /**
   * Returns the programs that deskd launched, the latest first, and then those that have a window.
   */
  async list(options: CallOptions = {}): Promise<Program[]> {
    checkOptions(options, CALL_OPTIONS);
    const request = create(pb.ListProgramsRequestSchema);
    const settings = { ...options, required: REQUIRED };
    return (await this.#caller.call(CALLS.listPrograms, request, settings)).programs.map(programOf);
  }

  /** Returns the end of what a launched program wrote. */
  async output(of: ProgramName, options: CallOptions = {}): Promise<ProgramOutput> {
    checkOptions(options, CALL_OPTIONS);
    const request = create(pb.ReadOutputRequestSchema, { id: idOf(of) });
    const settings = { ...options, required: REQUIRED };
    return outputOf(await this.#caller.call(CALLS.readOutput, request, settings));
  }

  /** Sends a signal to all processes of a launched program, and waits until they have ended. */
  async signal(
    of: ProgramName,
    signal: SignalName = "terminate",
    options: SignalOptions = {},
  ): Promise<Signalled> {
    checkOptions(options, CALL_OPTIONS);
    if (typeof signal !== "string" || !Object.hasOwn(SIGNALS, signal)) {
      const known = Object.keys(SIGNALS).join(", ");
      throw invalid(`there is no signal ${shown(signal)}; choose one of ${known}`);
    }
    const { timeout = 2 } = options;
    const request = create(pb.SignalProgramRequestSchema, {
      id: idOf(of),
      signal: SIGNALS[signal],
      timeout: limited(timeout, "timeout", MAX_SIGNAL),
    });
    const settings = { ...options, timeout: waitTimeout(timeout), required: REQUIRED };
    // A signal is not sent again: a program may treat a second interrupt in another way.
    const { connection } = this.#caller;
    return signalledOf(await connection.unary(CALLS.signalProgram, request, settings));
  }

  async #launch(program: pb.LaunchRequest["program"], options: LaunchOptions): Promise<Launch> {
    const checks = { folder: later, env: later, waitWindow: later, check: flag };
    checkOptions(options, { ...CALL_OPTIONS, ...checks });
    const { folder = "", env = {}, waitWindow, check = true, signal } = options;
    const request = create(pb.LaunchRequestSchema, {
      program,
      folder: string(folder, "folder"),
      environment: environmentOf(env),
      waitWindow:
        waitWindow === undefined ? undefined : limited(waitWindow, "waitWindow", MAX_WAIT),
      // A launch that is sent again starts nothing.
      operationId: randomUUID().replaceAll("-", ""),
    });
    const longest = Math.min(this.#caller.timeout + (waitWindow ?? 0), MAX_TIMEOUT);
    const settings = { timeout: options.timeout ?? longest, signal, required: REQUIRED };
    const made = launchOf(await this.#caller.call(CALLS.launch, request, settings));
    return check ? checkLaunch(made) : made;
  }
}

function string(value: unknown, name: string): string {
  if (typeof value === "string" && isSendable(value)) return value;
  throw invalid(`${name} is ${shown(value)}; give a string`);
}

function wordsOf(list: unknown, name: string): string[] {
  if (!Array.isArray(list)) throw invalid(`the ${name}s are ${shown(list)}; give a list of strings`);
  return list.map((word: unknown, at) => string(word, `${name} ${at + 1}`));
}

/** Checks environment variables. An error does not show a value, which may be a secret. */
function environmentOf(env: unknown): Record<string, string> {
  if (typeof env !== "object" || env === null || Array.isArray(env)) {
    const kind = Array.isArray(env) ? "a list" : `of type ${typeof env}`;
    throw invalid(`env is ${kind}; give an object of names and values`);
  }
  const entries = Object.entries(env).map(([name, value]): [string, string] => {
    string(name, "a name in env");
    if (typeof value !== "string" || !isSendable(value)) {
      throw invalid(`the value of ${shown(name)} in env is no valid string (${typeof value})`);
    }
    return [name, value];
  });
  return Object.fromEntries(entries);
}

function idOf(of: unknown): string {
  if (typeof of === "string") return string(of, "the id of the program");
  const isProgram = typeof of === "object" && of !== null && "id" in of && "pid" in of;
  if (!isProgram) throw invalid(`the program is ${shown(of)}; give a program or its id`);
  if (of.id === "") {
    const name = "name" in of ? of.name : undefined;
    throw invalid(`deskd did not launch the program ${shown(name)}; give a launched one`);
  }
  return string(of.id, "the id of the program");
}
