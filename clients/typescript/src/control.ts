/** Who is in control of a desktop's input. */
import { setTimeout as sleep } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { timeoutError } from "./attempts.js";
import type { Caller } from "./caller.js";
import { invalid } from "./errors.js";
import * as pb from "./v1/control_pb.js";
import {
  CALL_OPTIONS,
  checkedText,
  checkOptions,
  duration,
  flag,
  inSeconds,
  later,
  text,
  timeoutOf,
} from "./values.js";

/** Who is in control of the input. */
export interface ControlState {
  /** Rises each time control changes hands. */
  readonly epoch: bigint;
  /** The name of who is in control. Undefined if nobody holds a lease: every caller may act. */
  readonly holder: string | undefined;
  /** Whether that is a person. */
  readonly isPerson: boolean;
  /** Why the holder took control. */
  readonly reason: string;
  /** Seconds until the lease ends if it is not renewed. Undefined without a lease. */
  readonly remaining: number | undefined;
  /** Why the last lease ended. Undefined if none has. */
  readonly lastEnd: "GIVEN" | "EXPIRED" | "TAKEN" | undefined;
  /** The protobuf message. */
  readonly message: pb.ControlState;
}

/** Options of `take`. */
export interface TakeOptions {
  /** Why, for people to see. */
  reason?: string;
  /** Whether a person takes control, who takes it also from an agent. Default: false. */
  person?: boolean;
  /** Seconds after which the lease ends if it is not renewed, from 1 to 3,600. Default: 60. */
  ttl?: number;
  /** Seconds for the call. */
  timeout?: number;
  /** Cancels the call, which then throws the signal's reason. */
  signal?: AbortSignal;
}

/** Options of `wait`. */
export interface ControlWaitOptions {
  /** Seconds to wait. Default: 600. */
  timeout?: number;
  /** Cancels the wait, which then throws the signal's reason. */
  signal?: AbortSignal;
}

const REQUIRED = ["control"];
/** Seconds between two looks at who is in control. */
const PAUSE = 0.5;
const CALLS = pb.Control.method;
const ENDS = {
  [pb.LeaseEnd.UNSPECIFIED]: undefined,
  [pb.LeaseEnd.GIVEN]: "GIVEN",
  [pb.LeaseEnd.EXPIRED]: "EXPIRED",
  [pb.LeaseEnd.TAKEN]: "TAKEN",
} as const;

/**
 * Who is in control of the input: `desktop.control`. While a person is in control, steps throw
 * `NotInControl`, and screenshots continue:
 *
 *     try {
 *       await desktop.click(40, 12);
 *     } catch (error) {
 *       if (!(error instanceof NotInControl)) throw error;
 *       await desktop.control.wait({ timeout: 600 });
 *       // The screen is not what it was: take a screenshot, and decide again.
 *     }
 *
 * `take` takes control for this `Desktop`: its later calls act under the lease.
 */
export class Control {
  readonly #caller: Caller;

  /** Made by `Desktop.control`. */
  constructor(caller: Caller) {
    this.#caller = caller;
  }

  /** Returns who is in control. */
  async state(options: { timeout?: number; signal?: AbortSignal } = {}): Promise<ControlState> {
    checkOptions(options, CALL_OPTIONS);
    const request = create(pb.GetControlRequestSchema);
    const settings = { ...options, required: REQUIRED };
    return stateOf((await this.#caller.call(CALLS.getControl, request, settings)).control);
  }

  /**
   * Takes control, as an agent or as a person. `holder` is a name for people to see. Returns when the
   * step under way has stopped and no key or button is held down.
   */
  async take(holder: string, options: TakeOptions = {}): Promise<ControlState> {
    checkOptions(options, { ...CALL_OPTIONS, reason: text, person: flag, ttl: later });
    const { reason = "", person = false, ttl = 60, timeout, signal } = options;
    if (checkedText(holder) === "") throw invalid("holder is empty; give a name for people to see");
    const request = create(pb.TakeControlRequestSchema, {
      kind: person ? pb.LeaseKind.PERSON : pb.LeaseKind.AGENT,
      holder,
      reason,
      ttl: duration(ttl, "ttl"),
    });
    const { connection } = this.#caller;
    // A call that is made again could find its own lease.
    const reply = await connection.unary(CALLS.takeControl, request, this.#once(timeout, signal));
    connection.lease = reply.leaseId;
    return stateOf(reply.control);
  }

  /**
   * Extends the lease that `take` took: it ends `ttl` seconds from now; without `ttl`, after the same
   * time as before.
   */
  async renew(options: { ttl?: number } = {}): Promise<ControlState> {
    checkOptions(options, { ttl: later });
    const { lease } = this.#caller.connection;
    if (lease === "") throw invalid("this object holds no lease; call take first");
    const request = create(pb.RenewControlRequestSchema, {
      leaseId: lease,
      ttl: options.ttl === undefined ? undefined : duration(options.ttl, "ttl"),
    });
    const settings = { required: REQUIRED };
    return stateOf((await this.#caller.call(CALLS.renewControl, request, settings)).control);
  }

  /** Gives control back. Without a lease of this object, it ends that of its user or token. */
  async give(): Promise<ControlState> {
    const { connection } = this.#caller;
    const request = create(pb.GiveControlRequestSchema, { leaseId: connection.lease });
    connection.lease = "";
    // A call that is made again would find that the lease has ended.
    const reply = await connection.unary(CALLS.giveControl, request, this.#once());
    return stateOf(reply.control);
  }

  /**
   * Waits until this object may act: nobody else holds a lease. Then take a screenshot. Throws
   * `DeadlineExceeded` if that is not so in time.
   */
  async wait(options: ControlWaitOptions = {}): Promise<ControlState> {
    checkOptions(options, CALL_OPTIONS);
    const { timeout = 600, signal } = options;
    let left = timeoutOf(timeout);
    while (true) {
      const state = await this.state({ signal });
      const { connection } = this.#caller;
      if (state.holder === undefined) {
        // Its own lease has ended, too.
        connection.lease = "";
        return state;
      }
      if (connection.lease !== "" && !state.isPerson) return state;
      if (left <= 0) throw timeoutError("the wait for control", timeout);
      const pause = Math.min(PAUSE, left);
      await sleep(pause * 1000, undefined, { signal }).catch(() => signal?.throwIfAborted());
      left -= pause;
    }
  }

  #once(timeout = this.#caller.timeout, signal?: AbortSignal) {
    return { timeout: timeoutOf(timeout), signal, required: REQUIRED };
  }
}

function stateOf(state: pb.ControlState | undefined): ControlState {
  const message = state ?? create(pb.ControlStateSchema);
  const { lease } = message;
  return {
    epoch: message.controlEpoch,
    holder: lease?.holder,
    isPerson: lease?.kind === pb.LeaseKind.PERSON,
    reason: lease?.reason ?? "",
    remaining: lease === undefined ? undefined : inSeconds(lease.remaining),
    lastEnd: ENDS[message.lastEnd],
    message,
  };
}
