/** The result of a step: one `act` call with its actions. */
import { ActionFailed, OutcomeUnknown } from "./errors.js";
import { type Failure, failureOf, type Frame, frameOf, type Rect, rectOf } from "./frame.js";
import * as pb from "./v1/desktop_pb.js";
import { inSeconds } from "./values.js";
import { type Waited, waitedOf } from "./window.js";

/** How the screen came to rest. */
export interface Settle {
  /** `QUIET`, `NO_CHANGE`, `TIMEOUT`, `DEADLINE` or `SKIPPED`. */
  readonly state: string;
  /** The smallest rectangle around all changes, in screen pixels. Undefined if nothing changed. */
  readonly changed: Rect | undefined;
  /** Seconds that the wait took. */
  readonly waited: number;
}

/** The result of one action. */
export interface ActionResult {
  /** `DONE`, `FAILED`, `NOT_EXECUTED` or `UNKNOWN`. */
  readonly status: string;
  /** The cause of a failure. Undefined if the action did not fail. */
  readonly failure: Failure | undefined;
  /** Position of the pointer after the action, in screen pixels, if known. */
  readonly pointer: readonly [x: number, y: number] | undefined;
  /** For `type` and `paste`: number of characters that were delivered. */
  readonly characters: number;
  /** For `screenshot`: the picture or a failure card. */
  readonly frame: Frame | undefined;
  /** For `screenshot`: how the screen settled before the picture. */
  readonly settle: Settle | undefined;
  /** For `waitFor`: how the wait ended. */
  readonly waited: Waited | undefined;
  /** The protobuf message with everything else. */
  readonly message: pb.ActionResult;
}

/** A step that the daemon executed, completely or in part. */
export class Step {
  /** `DONE`, `PARTIAL`, `CANCELLED`, `DEADLINE` or `UNKNOWN`. */
  readonly outcome: string;
  /** One result for each action, in order. */
  readonly results: readonly ActionResult[];
  /** How the screen settled after the last action. */
  readonly settle: Settle;
  /** The screen after the step, or a failure card. Undefined if the step was made without one. */
  readonly frame: Frame | undefined;
  /** Whether the step was executed by an earlier attempt of the same call. */
  readonly replayed: boolean;
  /** The idempotency key of the step. */
  readonly operationId: string;

  /** Converts a protobuf `ActResponse`. */
  constructor(message: pb.ActResponse, operationId: string) {
    this.outcome = pb.ActOutcome[message.outcome] ?? String(message.outcome);
    this.results = message.results.map(resultOf);
    this.settle = settleOf(message.settle);
    this.frame = message.frame && frameOf(message.frame);
    this.replayed = message.replayed;
    this.operationId = operationId;
  }

  /** Whether all actions were done. */
  get isDone(): boolean {
    return this.outcome === "DONE";
  }

  /** The failure of the action at which the step ended, if it has one. */
  get failure(): Failure | undefined {
    return this.results.find((each) => each.failure !== undefined)?.failure;
  }

  /**
   * Returns the step itself.
   *
   * Throws `OutcomeUnknown` if the outcome is `UNKNOWN`, and `ActionFailed` if an action was not
   * done.
   */
  check(): this {
    if (this.isDone) return this;
    const text = this.failure?.message ?? `the step ended with the outcome ${this.outcome}`;
    const reason = this.failure?.reason ?? this.outcome;
    if (this.outcome === "UNKNOWN") throw new OutcomeUnknown(text, { reason });
    throw new ActionFailed(text, { reason, step: this });
  }
}

function settleOf(message: pb.SettleReport | undefined): Settle {
  const state = message?.state ?? pb.SettleState.UNSPECIFIED;
  return {
    state: pb.SettleState[state] ?? String(state),
    changed: message?.changed && rectOf(message.changed),
    waited: inSeconds(message?.waited),
  };
}

function resultOf(message: pb.ActionResult): ActionResult {
  const { pointer, failure, frame, settle, waitFor } = message;
  return {
    status: pb.ActionStatus[message.status] ?? String(message.status),
    failure: failure && failureOf(failure),
    pointer: pointer && [pointer.x ?? 0, pointer.y ?? 0],
    characters: message.characters,
    frame: frame && frameOf(frame),
    settle: settle && settleOf(settle),
    waited: waitFor && waitedOf(waitFor),
    message,
  };
}
