/** Runs the calls of a model on a desktop: several calls in one step, each with a result. */
import { type Action, hasPoint, screenshot } from "../actions.js";
import type { Desktop } from "../desktop.js";
import {
  DeadlineExceeded,
  DeskdError,
  OutcomeUnknown,
  StaleTarget,
  withMessage,
} from "../errors.js";
import type { Frame } from "../frame.js";
import type { Picture, Space } from "../options.js";
import type { ActionResult, Step } from "../step.js";

/** Maximum number of actions of a step. */
const MAX_ACTIONS = 100;
/** Maximum number of pictures within a step. */
const MAX_PICTURES = 4;
/** What the model reads beside a failure card that no call asked for. */
export const NOT_THE_SCREEN = "The picture is not the screen: the screen could not be captured.";
/** What the model reads if its points are pixels of a screenshot, and it has seen none. */
const NO_SCREENSHOT =
  "Not performed: there is no screenshot to which the points refer. Take a screenshot first.";

/**
 * The status of a model's call. `failed`: it was not done, or only in part. `not executed`: it was
 * not begun, because an earlier call failed. `unknown`: it is not known whether it was done.
 */
export type Status = "done" | "failed" | "not executed" | "unknown";

/** A model's call, translated. */
export interface Wanted {
  /** The actions to perform; may be empty. */
  readonly actions?: readonly Action[];
  /** The picture that the call asks for, taken after its actions. */
  readonly picture?: Picture;
  /** Whether that picture shows only a part of the screen, so that later points do not refer to it. */
  readonly isPart?: boolean;
  /** Whether the call asks for the position of the pointer. */
  readonly wantsCursor?: boolean;
  /** The function that is called in place of actions, such as one that opens a page. */
  readonly ask?: () => unknown;
  /** The text that the model reads when the call is done. Default: OK. */
  readonly said?: string;
  /** The cause for which the call cannot be translated. Nothing of it is performed. */
  readonly error?: string;
  /** The request to the worker in place of the desktop, such as `finished`. */
  readonly control?: string;
  /** The text that comes with `control`. */
  readonly value?: string;
}

/** The result of a model's call. */
export class Outcome {
  /**
   * `text` is for the model. `frame` is the picture that the call asked for, or a failure card.
   * `cursor` is the position of the pointer in pixels of the screen, if the call asked for it.
   */
  constructor(
    readonly status: Status,
    readonly text: string,
    readonly frame?: Frame,
    readonly cursor?: readonly [x: number, y: number],
  ) {}

  /** Whether the call was not done, or its picture is a failure card. */
  get isError(): boolean {
    return this.status !== "done" || this.frame?.isCard === true;
  }

  /** Returns a copy with one more sentence. */
  withText(text: string): Outcome {
    if (text === "") return this;
    return new Outcome(this.status, `${this.text} ${text}`, this.frame, this.cursor);
  }

  /** Returns a copy with a picture. */
  withFrame(frame: Frame): Outcome {
    return new Outcome(this.status, this.text, frame, this.cursor);
  }
}

/** The results of a model's calls. */
export interface Batch {
  /** One for each call, in order. */
  readonly outcomes: readonly Outcome[];
  /** The screen after the calls, if it was asked for, or a failure card. */
  readonly frame: Frame | undefined;
  /** Whether that frame is the picture of one of the calls. */
  readonly isShown: boolean;
}

/**
 * Asks a person whether a call may be performed: its name and its arguments. The call is performed
 * only if the answer, or the value of its promise, is exactly `true`. Any other answer declines it.
 * All calls of a turn are confirmed before the first is performed.
 */
export type Confirm = (name: string, values: Record<string, unknown>) => boolean | Promise<boolean>;

/**
 * Opens the address of a page: a URI, or what a person enters into a browser. The value of its
 * promise is ignored, and a `DeskdError` is a failure of the call. `adapters/recipes` has one.
 */
export type Open = (address: string) => unknown;

/** Returns the call itself, or one that says that a person did not allow it. */
export async function confirmed(
  confirm: Confirm | undefined,
  name: string,
  values: object | undefined,
  made: Wanted,
): Promise<Wanted> {
  if (confirm === undefined || made.error !== undefined) return made;
  if ((await confirm(name, { ...values })) === true) return made;
  return { error: `Not performed: a person did not allow ${name}.` };
}

/** The methods of a desktop that the adapters call. */
export type Desk = Pick<Desktop, "act" | "cursor" | "screenshot">;

/** The settings of a `Session`. */
export interface SessionSettings {
  /** Size of the coordinate grid of a model that does not count pixels, such as 1000. */
  grid?: number;
  /** The text for calls after one that failed. */
  halted?: string;
  /** Whether the model sees a picture that comes with an error. Default: true. */
  showsErrors?: boolean;
}

interface Last {
  frame: Frame;
  isShown: boolean;
}

/** The state of a desktop between the calls of a model. */
export class Session {
  /** The last picture of the whole screen that the model saw, without the image. */
  seen: Frame | undefined;
  readonly #grid: number | undefined;
  readonly #halted: string;
  readonly #showsErrors: boolean;

  /** `picture` is the picture of the whole screen that the model sees. */
  constructor(
    readonly desktop: Desk,
    readonly picture: Picture,
    settings: SessionSettings = {},
  ) {
    this.#grid = settings.grid;
    this.#halted = settings.halted ?? "Not executed: an earlier action failed.";
    this.#showsErrors = settings.showsErrors ?? true;
  }

  /** The coordinate space of the model's points. Null if they refer to no picture. */
  get #space(): Space {
    return this.#grid !== undefined ? [this.#grid, this.#grid] : (this.seen ?? null);
  }

  /** Takes the picture of the whole screen. */
  async look(): Promise<Frame> {
    return this.#saw(await this.desktop.screenshot({ picture: this.picture }));
  }

  /**
   * Returns the size of the picture. The model does not see this picture, and cannot point at it.
   *
   * Throws `CaptureFailed` if the screen cannot be captured.
   */
  async pictureSize(): Promise<Pick<Frame, "width" | "height">> {
    return (await this.desktop.screenshot({ picture: this.picture })).check();
  }

  /** Notes a picture of the whole screen. A card has no pixels to point at. */
  #saw(frame: Frame): Frame {
    if (!frame.isCard) this.seen = frame.with({ image: new Uint8Array(0) });
    return frame;
  }

  /**
   * Returns the calls of a turn. If the model has seen no picture, an error takes the place of each
   * call that names pixels. Pictures of this turn do not count: the model sees them after the turn.
   */
  pointing(calls: readonly Wanted[]): readonly Wanted[] {
    return this.#space === null ? calls.map(unlessPointed) : calls;
  }

  /**
   * Performs calls in order, and stops at the first that fails.
   *
   * A call whose points refer to no picture fails, because the model has not seen one. The new
   * screen is then taken in any case, unless the model does not see pictures of errors.
   *
   * `frameAfter`: whether to take the screen after the calls, unless the last call asks for a
   * picture itself. `mustSee`: whether to take it in any case.
   */
  async perform(
    calls: readonly Wanted[],
    { frameAfter = true, mustSee = false }: { frameAfter?: boolean; mustSee?: boolean } = {},
  ): Promise<Batch> {
    const wanted = this.pointing(calls);
    const outcomes: Outcome[] = [];
    let last: Last | undefined;
    let index = 0;
    while (index < wanted.length && !outcomes.at(-1)?.isError) {
      const call = wanted[index]!;
      if (call.error !== undefined) {
        outcomes.push(new Outcome("failed", call.error));
        break;
      }
      if (call.wantsCursor) {
        outcomes.push(await this.#cursor(call));
        last = undefined;
        index += 1;
        continue;
      }
      if (call.ask !== undefined) {
        outcomes.push(await this.#asked(call, call.ask));
        last = undefined;
        index += 1;
        continue;
      }
      const part = firstPart(wanted.slice(index));
      index += part.length;
      const isLast = index === wanted.length || wanted[index]!.error !== undefined;
      const made = await this.#step(part, frameAfter && isLast);
      outcomes.push(...made.outcomes);
      last = made.last;
    }
    while (outcomes.length < wanted.length) outcomes.push(this.#notExecuted());
    const isError = outcomes.some((each) => each.isError);
    const isUnseen = outcomes.some((each) => each.text === NO_SCREENSHOT) && this.#showsErrors;
    // No step took the screen after a function.
    const isAsked = frameAfter && !isError && wanted.some((call) => call.ask !== undefined);
    if (last === undefined && (mustSee || isUnseen || isAsked || (frameAfter && isError))) {
      try {
        last = { frame: await this.look(), isShown: false };
      } catch (error) {
        if (!(error instanceof DeskdError)) throw error;
        if (mustSee) throw withoutPicture(error, wanted, outcomes);
        outcomes.push(outcomes.pop()!.withText(`No new picture: ${textOf(error)}`));
      }
    }
    if (last?.frame.isCard && !outcomes.some((each) => each.frame)) {
      const tried = outcomes.findLastIndex((each) => each.status !== "not executed");
      if (tried >= 0) outcomes[tried] = outcomes[tried]!.withText(NOT_THE_SCREEN);
    }
    return { outcomes, frame: last?.frame, isShown: last?.isShown ?? false };
  }

  #notExecuted(frame?: Frame): Outcome {
    return new Outcome("not executed", this.#halted, frame);
  }

  async #cursor(call: Wanted): Promise<Outcome> {
    try {
      return new Outcome("done", saidOf(call), undefined, await this.desktop.cursor());
    } catch (error) {
      if (!(error instanceof DeskdError)) throw error;
      return new Outcome("failed", textOf(error));
    }
  }

  async #asked(call: Wanted, ask: () => unknown): Promise<Outcome> {
    try {
      await ask();
    } catch (error) {
      if (!(error instanceof DeskdError)) throw error;
      return this.#refused([call], error)[0]!;
    }
    return new Outcome("done", saidOf(call));
  }

  /**
   * Performs calls as one step. Returns their outcomes, and the last frame with whether it is the
   * picture of the last call.
   */
  async #step(
    part: readonly Wanted[],
    frameAfter: boolean,
  ): Promise<{ outcomes: Outcome[]; last?: Last }> {
    const final = part.at(-1)!;
    const mine = part.map((call) => [
      ...(call.actions ?? []),
      ...(call.picture !== undefined && call !== final ? [screenshot(call.picture)] : []),
    ]);
    const actions = mine.flat();
    let step: Step;
    if (actions.length === 0) {
      const before = part.slice(0, -1).map((call) => new Outcome("done", saidOf(call)));
      const made = await this.#picture(final);
      return { ...made, outcomes: [...before, ...made.outcomes] };
    }
    try {
      step = await this.desktop.act(actions, {
        space: this.#space,
        expect: this.#grid !== undefined ? this.seen : undefined,
        stopAtFirst: true,
        frame: final.picture !== undefined || frameAfter,
        picture: final.picture ?? this.picture,
        check: false,
      });
    } catch (error) {
      if (!(error instanceof DeskdError)) throw error;
      return { outcomes: this.#refused(part, error) };
    }
    let at = 0;
    const outcomes = part.map((call, number) => {
      const results = step.results.slice(at, (at += mine[number]!.length));
      return this.#outcome(call, results);
    });
    for (let number = 1; number < outcomes.length; number++) {
      const mayHalt = outcomes[number]!.status !== "unknown";
      if (mayHalt && outcomes[number - 1]!.isError) outcomes[number] = this.#notExecuted();
    }
    const last = this.#lastFrame(final, step, outcomes);
    const done = outcomes.findLastIndex((each) => each.status === "done");
    if (done >= 0 && part[done]!.actions?.length) {
      outcomes[done] = outcomes[done]!.withText(settled(step));
    }
    return { outcomes, last };
  }

  /** Assigns the frame after a step to the last call, if that call asked for it and was done. */
  #lastFrame(final: Wanted, step: Step, outcomes: Outcome[]): Last | undefined {
    const { frame } = step;
    if (frame === undefined) return undefined;
    const isShown = final.picture !== undefined && outcomes.at(-1)!.status === "done";
    if (isShown) outcomes.push(outcomes.pop()!.withFrame(frame));
    const isPart = final.picture !== undefined && final.isPart === true;
    if (!isPart) this.#saw(frame);
    // The picture of a part was taken although its call was not reached.
    return isPart && !isShown ? undefined : { frame, isShown };
  }

  /** Takes the picture of a call that does nothing else. */
  async #picture(call: Wanted): Promise<{ outcomes: Outcome[]; last?: Last }> {
    if (call.picture === undefined) return { outcomes: [new Outcome("done", saidOf(call))] };
    let frame: Frame;
    try {
      frame = await this.desktop.screenshot({ picture: call.picture });
    } catch (error) {
      if (!(error instanceof DeskdError)) throw error;
      return { outcomes: this.#notPerformed([call], error) };
    }
    if (!call.isPart) this.#saw(frame);
    return {
      outcomes: [new Outcome("done", saidOf(call), frame)],
      last: { frame, isShown: true },
    };
  }

  #outcome(call: Wanted, results: readonly ActionResult[]): Outcome {
    const frame = results.at(-1)?.frame;
    if (frame !== undefined && !call.isPart) this.#saw(frame);
    const result = results.find((each) => each.status !== "DONE");
    if (result === undefined) return new Outcome("done", saidOf(call), frame);
    if (result.status === "NOT_EXECUTED") return this.#notExecuted(frame);
    const why = result.failure;
    const text = why ? `${why.message} [${why.reason}]` : `the action was ${result.status}`;
    if (result.status === "UNKNOWN") {
      return new Outcome("unknown", `It is not known whether this was done: ${text}`, frame);
    }
    return new Outcome("failed", `Failed: ${text}`, frame);
  }

  #refused(part: readonly Wanted[], error: DeskdError): Outcome[] {
    // A call whose time is over may still be performed, unless it waited for the desktop.
    const isLate = error instanceof DeadlineExceeded && error.reason !== "NOT_PAINTED";
    if (isLate || error instanceof OutcomeUnknown) {
      const why = textOf(error);
      const text = `It is not known whether this was done: ${why}. Look at the screen.`;
      return part.map(() => new Outcome("unknown", text));
    }
    return this.#notPerformed(part, error);
  }

  #notPerformed(part: readonly Wanted[], error: DeskdError): Outcome[] {
    // The picture that the model points at is gone. It must see another one first.
    if (error instanceof StaleTarget) this.seen = undefined;
    const text = `Not performed: ${textOf(error)}`;
    return part.map((_, at) => (at === 0 ? new Outcome("failed", text) : this.#notExecuted()));
  }

  /** Converts a pixel of the screen to the model's coordinates. */
  toImage([x, y]: readonly [x: number, y: number]): [x: number, y: number] {
    const region = this.seen?.region;
    if (this.seen === undefined || region === undefined) return [x, y];
    const [width, height] = this.#grid === undefined ? this.seen.size : [this.#grid, this.#grid];
    return [
      Math.floor(((2 * (x - region.x) + 1) * width) / (2 * region.width)),
      Math.floor(((2 * (y - region.y) + 1) * height) / (2 * region.height)),
    ];
  }
}

/** Returns a call, or an error in its place if it names pixels of a picture. */
function unlessPointed(call: Wanted): Wanted {
  const refers = call.isPart === true || call.actions?.some(hasPoint) === true;
  return refers && call.error === undefined ? { error: NO_SCREENSHOT } : call;
}

/** Returns the first calls that fit into one step. */
function firstPart(wanted: readonly Wanted[]): readonly Wanted[] {
  let actions = 0;
  let pictures = 0;
  const end = wanted.findIndex((call, number) => {
    pictures += call.picture === undefined ? 0 : 1;
    actions += (call.actions?.length ?? 0) + (call.picture === undefined ? 0 : 1);
    const isFull = number > 0 && (actions > MAX_ACTIONS || pictures > MAX_PICTURES);
    return call.error !== undefined || call.wantsCursor || call.ask !== undefined || isFull;
  });
  return end < 0 ? wanted : wanted.slice(0, end);
}

/** The error for a picture that could not be taken after calls. It says what became of them. */
function withoutPicture(
  error: DeskdError,
  wanted: readonly Wanted[],
  outcomes: readonly Outcome[],
): DeskdError {
  const isDone = outcomes.some(
    (each, at) => each.status === "done" && (wanted[at]!.actions?.length ?? 0) > 0,
  );
  const isAll = outcomes.every((each) => each.status === "done");
  const stop = outcomes.find((each) => each.status === "failed" || each.status === "unknown");
  const said = [
    ...(isDone ? [isAll ? "This was done." : "A part was done."] : []),
    ...(stop === undefined ? [] : [stop.text]),
  ];
  if (said.length === 0) return error;
  const text = [...said, `No new picture: ${error.message}`].join(" ");
  if (stop?.status !== "unknown") return withMessage(error, text);
  return new OutcomeUnknown(text, { reason: error.reason, status: error.status });
}

function saidOf(call: Wanted): string {
  return call.said ?? "OK";
}

function settled(step: Step): string {
  if (step.settle.state === "NO_CHANGE") return "The screen did not change.";
  return step.settle.state === "TIMEOUT" ? "The screen is still changing." : "";
}

function textOf(error: DeskdError): string {
  return error.reason === "" ? error.message : `${error.message} [${error.reason}]`;
}
