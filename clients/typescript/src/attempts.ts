/** When a call is made again, and when not. */
import { DeadlineExceeded, DeskdError, OutcomeUnknown } from "./errors.js";
import { type ActRequest, ActOutcome, type ActResponse } from "./v1/desktop_pb.js";
import { timeoutOf } from "./values.js";

/** Statuses of a call that may succeed when it is made again. */
const RETRIED = ["UNAVAILABLE", "RESOURCE_EXHAUSTED"];
/** Reasons of such a status for which it does not. */
const FINAL = [
  "INPUT_TAKEN",
  "EXTENSION_MISSING",
  "SCREEN_NOT_FOUND",
  "X_AUTH_REFUSED",
  "RECORDING_UNAVAILABLE",
];
/** Seconds between the first two attempts. Each later pause is twice as long. */
const FIRST_PAUSE = 0.1;
/** Maximum seconds between two attempts. */
const LONGEST_PAUSE = 2;

/** The error of a call that did not end in time. */
export function timeoutError(what: string, seconds: number): DeadlineExceeded {
  return new DeadlineExceeded(`${what} did not end within ${seconds} s`, {
    reason: "DEADLINE",
    status: "DEADLINE_EXCEEDED",
  });
}

/** The time of one call, and the pauses between its attempts. */
export class Attempts {
  /** Number of attempts. */
  number = 0;
  #pause = FIRST_PAUSE;
  readonly #end: number;

  /**
   * `what` names the call in errors. Throws `InvalidRequest` if `timeout` is not above 0, or longer
   * than a day.
   */
  constructor(
    private readonly what: string,
    private readonly timeout: number,
  ) {
    this.#end = now() + timeoutOf(timeout);
  }

  /** Returns the seconds that are left for the next attempt. Throws if the time is over. */
  left(): number {
    const left = this.#end - now();
    if (left <= 0) {
      throw timeoutError(this.what, this.timeout);
    }
    this.number++;
    return left;
  }

  /**
   * Returns the seconds to wait before the next attempt. Throws the error itself if another attempt
   * is useless or there is no time for it.
   */
  pause(error: DeskdError): number {
    const pause = this.#pause;
    const isFinal = !RETRIED.includes(error.status) || FINAL.includes(error.reason);
    if (isFinal || now() + pause >= this.#end) throw error;
    this.#pause = Math.min(2 * pause, LONGEST_PAUSE);
    return pause;
  }
}

function now(): number {
  return performance.now() / 1000;
}

/** Statuses of gRPC itself, without a reason of the daemon, for a call that got no answer. */
const LOST = ["UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "UNKNOWN", "INTERNAL"];
/**
 * How gRPC's messages begin for a call that found no connection. A call whose message changes counts
 * as sent.
 */
const NEVER_SENT = ["No connection established", "Name resolution failed"];
/** Maximum number of repetitions of a step whose outcome stays unknown. */
const MAX_QUERIES = 3;
/** Seconds before such a repetition, and maximum seconds that it may take. */
const QUERY = { pause: 0.5, timeout: 2 };

/** The attempts of one step, and what they show about it: whether the daemon may have done it. */
export class StepAttempts extends Attempts {
  /** The last answer whose outcome is UNKNOWN. */
  reply: ActResponse | undefined;
  readonly #request: ActRequest;
  #isSending = false;
  #mayBeDone = false;
  #hasWaited = false;
  #hasRenewed = false;
  #queries = 0;

  /** `request` is the step, whose instance id is set here. */
  constructor(request: ActRequest, timeout: number) {
    super("Act", timeout);
    this.#request = request;
  }

  /**
   * Addresses the step to an instance of the daemon, unless another one may have done it. Returns
   * the seconds that are left.
   */
  send(instance: string): number {
    const left = this.left();
    this.#isSending = true;
    if (!this.#mayBeDone) this.#request.instanceId = instance;
    // The daemon may learn the outcome later, but not much later.
    return this.reply === undefined ? left : Math.min(left, QUERY.timeout);
  }

  /** Returns undefined if the answer is final, else the seconds to wait before the next attempt. */
  answered(reply: ActResponse): number | undefined {
    this.#isSending = false;
    this.#mayBeDone = true;
    if (reply.outcome !== ActOutcome.UNKNOWN || this.#queries === MAX_QUERIES) return undefined;
    this.#queries++;
    this.reply = reply;
    return QUERY.pause;
  }

  /**
   * Returns the seconds to wait before the next attempt. If there is none, throws the error itself
   * if the daemon did nothing, and `OutcomeUnknown` if it may have done the step.
   */
  failed(error: DeskdError): number {
    const isLost = LOST.includes(error.status) && error.reason === "";
    const wasSent = !NEVER_SENT.some((start) => error.message.startsWith(start));
    if (this.#isSending && isLost && wasSent) this.#mayBeDone = true;
    this.#isSending = false;
    if (!this.#mayBeDone && error.reason === "OUTCOME_UNKNOWN" && !this.#hasRenewed) {
      // The daemon has restarted, and its former instance never received this step.
      this.#hasRenewed = true;
      return 0;
    }
    if (!this.#mayBeDone && error.reason === "NOT_PAINTED" && !this.#hasWaited) {
      this.#hasWaited = true;
      return 0;
    }
    try {
      return this.pause(error);
    } catch {
      if (!this.#mayBeDone || error instanceof OutcomeUnknown) throw error;
      throw unknownOf(error);
    }
  }
  /**
   * Returns the error of a step that was refused because the desktop was not painted. `error` is
   * that of the wait for the desktop.
   */
  unready(refused: DeskdError, error: DeskdError): DeskdError {
    if (this.#mayBeDone) return unknownOf(error);
    // A timeout would leave open whether the step was done.
    const isLate = error instanceof DeadlineExceeded && error.reason !== "NOT_PAINTED";
    return isLate ? refused : error;
  }
}

/** The error of a step that may be done. */
function unknownOf({ message, reason, status }: DeskdError): OutcomeUnknown {
  return new OutcomeUnknown(`it is not known whether the step was done: ${message}`, {
    reason,
    status,
  });
}
