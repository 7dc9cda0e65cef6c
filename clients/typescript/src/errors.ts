/**
 * Errors of this package. Each carries the daemon's `reason`, a name of `Reason` of deskd.v1.
 *
 * The page `docs/reference/reasons.md` of the project says what to do about each reason.
 */
import type { Launch } from "./program.js";
import type { Step } from "./step.js";

/** The details of an error beside its message. */
export interface ErrorDetails {
  /** Name of the cause, as in `DeskdError.reason`. */
  reason?: string;
  /** Name of the gRPC status, as in `DeskdError.status`. */
  status?: string;
}

/** The daemon refused a call, or no daemon answered. */
export class DeskdError extends Error {
  /**
   * Name of the cause, for example `OUT_OF_SCREEN`. Empty if the daemon did not send one, for
   * example because no daemon answered.
   */
  readonly reason: string;
  /** Name of the gRPC status, for example `OUT_OF_RANGE`. Empty if there was no call. */
  readonly status: string;

  /** `message` says what failed, why, and what to do. */
  constructor(message: string, details: ErrorDetails = {}) {
    super(message);
    this.reason = details.reason ?? "";
    this.status = details.status ?? "";
  }

  /** The name of the class. */
  override get name(): string {
    return this.constructor.name;
  }
}

/** A field of the request is wrong. The daemon did nothing. Correct the request. */
export class InvalidRequest extends DeskdError {}

/**
 * The request does not fit the present desktop: another size, another X server, a frame from before
 * control changed hands, an unknown frame, program or recording, a window that is not there or not
 * the only one, or a format that the clipboard does not have. The daemon did nothing. Look at the
 * desktop and decide again.
 */
export class StaleTarget extends DeskdError {}

/**
 * Another holder is in control of the input: a person (HUMAN_IN_CONTROL) or another agent (LEASE_HELD);
 * or the caller's own lease has ended (LEASE_ENDED). The daemon did nothing. `desktop.control.wait`
 * waits until the caller may act again.
 */
export class NotInControl extends DeskdError {}

/** It is not known whether the step was done. Take a new screenshot and decide again. */
export class OutcomeUnknown extends DeskdError {}

/**
 * The caller is not allowed to make the call: token, user id, a read-only daemon, or the log of the
 * daemon itself.
 */
export class PermissionRefused extends DeskdError {}

/** The daemon or the X server lacks a feature that the call needs. */
export class Unsupported extends DeskdError {}

/**
 * No daemon answered, or the desktop or the folder of the logs cannot be used at present. Retries did
 * not help.
 */
export class Unavailable extends DeskdError {}

/** The call did not end in time. */
export class DeadlineExceeded extends DeskdError {}

/** A stream of frames ended and could not be resumed. */
export class StreamEnded extends DeskdError {}

/** The image is a failure card. Thrown only by `Frame.check`. */
export class CaptureFailed extends DeskdError {}

/** An action of a step was not done. Earlier actions of the step stay done. */
export class ActionFailed extends DeskdError {
  /** The whole step, with a result for each action, if it is known. */
  readonly step: Step | undefined;
  /** The launch of a program that painted no window, if that failed. */
  readonly launch: Launch | undefined;

  /** `step` is the step that was not completely done, and `launch` a launch without a window. */
  constructor(message: string, details: ErrorDetails & { step?: Step; launch?: Launch } = {}) {
    super(message, details);
    this.step = details.step;
    this.launch = details.launch;
  }
}

type Kind = new (message: string, details?: ErrorDetails) => DeskdError;

const BY_REASON: Readonly<Record<string, Kind>> = {
  OUTCOME_UNKNOWN: OutcomeUnknown,
  UNKNOWN_FRAME: StaleTarget,
  FRAME_IS_CARD: StaleTarget,
  STALE_GENERATION: StaleTarget,
  STALE_EPOCH: StaleTarget,
  CONTROL_CHANGED: StaleTarget,
  HUMAN_IN_CONTROL: NotInControl,
  LEASE_HELD: NotInControl,
  LEASE_ENDED: NotInControl,
  UNKNOWN_WINDOW: StaleTarget,
  AMBIGUOUS_WINDOW: StaleTarget,
  FORMAT_NOT_OFFERED: StaleTarget,
  UNKNOWN_PROGRAM: StaleTarget,
  UNKNOWN_RECORDING: StaleTarget,
  PROGRAM_NOT_FOUND: InvalidRequest,
  PROGRAM_NOT_STARTED: InvalidRequest,
  OUT_OF_SCREEN: InvalidRequest,
  EXTENSION_MISSING: Unsupported,
  UNSUPPORTED_FEATURE: Unsupported,
  STACK_NOT_MANAGED: Unsupported,
  READ_ONLY: PermissionRefused,
  RECORDING_PROTECTED: PermissionRefused,
  RECORDING_UNAVAILABLE: Unavailable,
};

const BY_STATUS: Readonly<Record<string, Kind>> = {
  INVALID_ARGUMENT: InvalidRequest,
  OUT_OF_RANGE: InvalidRequest,
  UNAUTHENTICATED: PermissionRefused,
  PERMISSION_DENIED: PermissionRefused,
  UNIMPLEMENTED: Unsupported,
  UNAVAILABLE: Unavailable,
  RESOURCE_EXHAUSTED: Unavailable,
  DEADLINE_EXCEEDED: DeadlineExceeded,
};

/** Returns the error for a gRPC status. */
export function errorOfStatus(status: string, reason: string, message: string): DeskdError {
  const kind = BY_REASON[reason] ?? BY_STATUS[status] ?? DeskdError;
  return new kind(message, { reason, status });
}

/** Returns an error of the same class with another message. */
export function withMessage(error: DeskdError, message: string): DeskdError {
  const { reason, status } = error;
  return new (error.constructor as Kind)(message, { reason, status });
}

/** The error for a wrong argument, as the daemon would send it. */
export function invalid(message: string): InvalidRequest {
  return new InvalidRequest(message, { reason: "INVALID_FIELD", status: "INVALID_ARGUMENT" });
}
