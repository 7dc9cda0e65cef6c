/** The recorder of a desktop: logs of the daemon that show a run step by step. */
import { type FileHandle, open, rm } from "node:fs/promises";
import { resolve } from "node:path";
import { create } from "@bufbuild/protobuf";
import { timestampDate, TimestampSchema } from "@bufbuild/protobuf/wkt";
import type { Caller } from "./caller.js";
import { invalid, StreamEnded } from "./errors.js";
import type { CallOptions } from "./settings.js";
import { LogEndReason } from "./v1/log_pb.js";
import * as pb from "./v1/recorder_pb.js";
import {
  CALL_OPTIONS,
  checkOptions,
  duration,
  isSendable,
  later,
  shown,
  timeoutOf,
  whole,
} from "./values.js";

/** The state of a log. */
export interface Recording {
  /** Names the log in later calls. */
  readonly id: string;
  /** Size of the file in bytes. */
  readonly bytes: number;
  /** Whether it still records. */
  readonly recording: boolean;
  /**
   * When it began, by the sandbox's clock. Of a log of an earlier instance of the daemon: when it was
   * last written.
   */
  readonly beganAt: Date;
  /** Why it ended. Undefined while it records, and for a log of an earlier instance. */
  readonly endReason: "STOPPED" | "SHUTDOWN" | "SIZE" | "DURATION" | undefined;
  /** Number of records that are missing. */
  readonly lost: number;
  /** Whether it is the log of the daemon itself, which no call can stop. */
  readonly ofDaemon: boolean;
  /** Why it cannot be written at present. Empty if it can. */
  readonly error: string;
  /** The protobuf message. */
  readonly message: pb.Recording;
}

/** A recording, or its id. */
export type RecordingName = Recording | string;

/** Options of `start`. */
export interface StartRecordingOptions extends CallOptions {
  /** A part of the file's name: at most 48 letters, digits, `-` and `_`. */
  name?: string;
  /**
   * Maximum size of the file in bytes, at least 1 MiB and at most that of the daemon. After seven
   * eighths, no more pictures are stored; at the maximum, the log ends. Default: that of the daemon.
   */
  maxBytes?: number;
  /** Seconds after which the log ends, from 1 to 86,400. Default: without a limit. */
  maxDuration?: number;
}

/** Options of `fetch`. */
export interface FetchRecordingOptions {
  /** Seconds without a piece of the log after which the call fails. Default: that of the `Desktop`. */
  timeout?: number;
  /** Cancels the call, which then throws the signal's reason. */
  signal?: AbortSignal;
}

const REQUIRED = ["recorder"];
const CALLS = pb.Recorder.method;
const ENDS = {
  [LogEndReason.UNSPECIFIED]: undefined,
  [LogEndReason.STOPPED]: "STOPPED",
  [LogEndReason.SHUTDOWN]: "SHUTDOWN",
  [LogEndReason.SIZE]: "SIZE",
  [LogEndReason.DURATION]: "DURATION",
} as const;

/**
 * The recorder of a desktop: `desktop.recorder`.
 *
 *     const recording = await desktop.recorder.start({ name: "checkout" });
 *     await desktop.click(640, 400);
 *     await desktop.recorder.stop(recording);
 *     await desktop.recorder.fetch(recording, "run.deskdlog");
 *
 * A log has every step with its result, the changes of the screen, and the frames that callers
 * received. The command `deskd log` shows, exports and replays it. Typed text is not in it, unless the
 * daemon was started with `--log-typed-text`. The pictures are: keep it secret.
 */
export class Recorder {
  readonly #caller: Caller;

  /** Made by `Desktop.recorder`. */
  constructor(caller: Caller) {
    this.#caller = caller;
  }

  /**
   * Begins a log. At most 4 calls record at a time. The call is made once: a call that is made again
   * could begin a second log. If it fails without a reason, `list` shows whether the log has begun.
   */
  async start(options: StartRecordingOptions = {}): Promise<Recording> {
    checkOptions(options, { ...CALL_OPTIONS, name: later, maxBytes: later, maxDuration: later });
    const { name = "", maxBytes, maxDuration, timeout = this.#caller.timeout, signal } = options;
    const request = create(pb.StartRecordingRequestSchema, {
      name: string(name, "name"),
      maxBytes: maxBytes === undefined ? undefined : sizeOf(maxBytes),
      maxDuration: maxDuration === undefined ? undefined : duration(maxDuration, "maxDuration"),
    });
    const settings = { timeout: timeoutOf(timeout), signal, required: REQUIRED };
    const { connection } = this.#caller;
    return recordingOf((await connection.unary(CALLS.startRecording, request, settings)).recording);
  }

  /**
   * Ends a log, which is complete afterwards. A log that has ended stays as it is. Throws
   * `StaleTarget` if there is no such log, and `PermissionRefused` for that of the daemon itself.
   */
  async stop(recording: RecordingName, options: CallOptions = {}): Promise<Recording> {
    checkOptions(options, CALL_OPTIONS);
    const request = create(pb.StopRecordingRequestSchema, { recordingId: idOf(recording) });
    const settings = { ...options, required: REQUIRED };
    return recordingOf((await this.#caller.call(CALLS.stopRecording, request, settings)).recording);
  }

  /**
   * Returns the logs, the newest first. When another begins, the daemon deletes the oldest ones beyond
   * its limits.
   */
  async list(options: CallOptions = {}): Promise<Recording[]> {
    checkOptions(options, CALL_OPTIONS);
    const request = create(pb.ListRecordingsRequestSchema);
    const settings = { ...options, required: REQUIRED };
    const reply = await this.#caller.call(CALLS.listRecordings, request, settings);
    return reply.recordings.map(recordingOf);
  }

  /**
   * Copies a log to a new file that only its owner can read. Returns the state of the log.
   *
   * Of a log that still records, the file has what is written so far. If the connection breaks, the
   * copy continues where it stopped. Throws the error EEXIST of Node.js if the file exists. If the
   * call fails, the file is removed.
   */
  async fetch(
    recording: RecordingName,
    path: string | URL,
    options: FetchRecordingOptions = {},
  ): Promise<Recording> {
    checkOptions(options, CALL_OPTIONS);
    const recordingId = idOf(recording);
    const timeout = timeoutOf(options.timeout ?? this.#caller.timeout);
    const place = path instanceof URL ? path : resolve(path);
    const file = await open(place, "wx", 0o600);
    try {
      const made = await this.#copy(recordingId, file, { ...options, timeout });
      await file.close();
      return made;
    } catch (error) {
      await file.close().catch(() => {});
      await rm(place, { force: true });
      throw error;
    }
  }

  async #copy(
    recordingId: string,
    file: FileHandle,
    options: FetchRecordingOptions,
  ): Promise<Recording> {
    let offset = 0n;
    let state: pb.Recording | undefined;
    const request = () => create(pb.FetchRecordingRequestSchema, { recordingId, offset });
    const take = async ({ data, recording }: pb.FetchRecordingResponse) => {
      await file.writeFile(data);
      offset += BigInt(data.length);
      state = recording ?? state;
    };
    const settings = { ...options, required: REQUIRED };
    await this.#caller.receiveEach(CALLS.fetchRecording, request, take, settings);
    if (state !== undefined) return recordingOf(state);
    throw new StreamEnded("the daemon did not send the end of the log; fetch it again");
  }
}

function recordingOf(state: pb.Recording | undefined): Recording {
  const message = state ?? create(pb.RecordingSchema);
  const { recordingId: id, recording, ofDaemon, error, beganAt } = message;
  return {
    ...{ id, recording, ofDaemon, error, message },
    bytes: Number(message.bytes),
    beganAt: timestampDate(beganAt ?? create(TimestampSchema)),
    endReason: ENDS[message.endReason],
    lost: Number(message.lost),
  };
}

function string(value: unknown, name: string): string {
  if (typeof value === "string" && isSendable(value)) return value;
  throw invalid(`${name} is ${shown(value)}; give a string`);
}

function sizeOf(value: unknown): bigint {
  const bytes = whole(value, "maxBytes", 2 ** 53)!;
  // In the request, 0 stands for the daemon's default.
  if (bytes === 0) throw invalid("maxBytes is 0; give at least 1 MiB, or leave it out");
  return BigInt(bytes);
}

function idOf(of: unknown): string {
  if (typeof of === "string") return string(of, "the id of the recording");
  const isRecording = typeof of === "object" && of !== null && "id" in of && "ofDaemon" in of;
  if (!isRecording) throw invalid(`the recording is ${shown(of)}; give a recording or its id`);
  return string(of.id, "the id of the recording");
}
