/**
 * OpenAI's computer tool in the Responses API.
 *
 *     const computer = new Computer(desktop);
 *     const tools = [await computer.tool()];
 *     let reply = await client.responses.create({ model, tools, input: task });
 *     for (let input; (input = await computer.outputs(reply.output)).length > 0; )
 *       reply = await client.responses.create({ model, tools, input, previous_response_id: reply.id });
 *
 * `computer` takes batches of actions; `computer_use_preview`, with `preview: true`, single ones.
 */
import * as actions from "../actions.js";
import { DeskdError, withMessage } from "../errors.js";
import type { Frame } from "../frame.js";
import { type Fit, OPENAI, type Picture } from "../options.js";
import { callable, checkOptions, flag, later } from "../values.js";
import { Arguments, has, isMapping, Malformed, nameOf } from "./fields.js";
import {
  type Confirm,
  confirmed,
  type Desk,
  NOT_THE_SCREEN,
  Outcome,
  Session,
  type Wanted,
} from "./flow.js";
import { quoted } from "./format.js";
import { untranslated } from "./text.js";

/** The actions with their members. */
export const ACTIONS = {
  click: ["type", "button", "x", "y", "keys"],
  double_click: ["type", "x", "y", "keys"],
  drag: ["type", "path", "keys"],
  move: ["type", "x", "y", "keys"],
  scroll: ["type", "x", "y", "scroll_x", "scroll_y", "keys"],
  keypress: ["type", "keys"],
  type: ["type", "text"],
  wait: ["type"],
  screenshot: ["type"],
} as const;

/** Seconds that `wait` takes; the tool names no duration. */
const WAIT = 2;
/** The text for calls that are not performed because of another call of the response. */
const HALTED = "Not executed: an earlier action failed.";
const UNCONFIRMED = "Not performed: another call of this response must be confirmed first.";
const BUTTONS = ["left", "right", "wheel", "back", "forward"] as const;

/** A safety check of a call, which a person must acknowledge. */
export interface SafetyCheck {
  id: string;
  code?: string | null;
  message?: string | null;
}

/**
 * Shows a person the pending safety checks of a call. They are acknowledged only if the answer, or the
 * value of its promise, is exactly `true`.
 */
export type Acknowledge = (checks: SafetyCheck[]) => boolean | Promise<boolean>;

/** The entry for `tools`. */
export interface ComputerTool {
  type: "computer";
}

/** The entry for `tools` of the preview. */
export interface PreviewTool {
  type: "computer_use_preview";
  display_width: number;
  display_height: number;
  environment: "linux";
}

/** The screenshot that answers a call. */
export interface CallOutput {
  type: "computer_call_output";
  call_id: string;
  output: { type: "computer_screenshot"; image_url: string; detail?: "original" };
  acknowledged_safety_checks?: SafetyCheck[];
}

/** A message to the model. */
export interface InputMessage {
  type: "message";
  role: "user";
  content: { type: "input_text"; text: string }[];
}

/** Options of a `Computer`. */
export interface ComputerOptions<P extends boolean = boolean> {
  /** Whether the model has the tool `computer_use_preview`. Default: false. */
  preview?: P;
  /** Limits of the screenshots. Default: those of the API in original detail. */
  fit?: Fit;
  /** The encoding of the screenshots. Default: png. */
  format?: "png" | "jpeg";
  /** Asks a person before each action. */
  confirm?: Confirm;
  /** Without it, a call that has pending safety checks is not performed. */
  acknowledge?: Acknowledge;
}

/** Translates an action. Throws `Malformed` if the action is wrong. */
export function translate(action: unknown, picture: Picture): Wanted {
  const name = isMapping(action) ? action["type"] : undefined;
  if (!has(ACTIONS, name)) throw new Malformed(`there is no computer action ${quoted(name)}`);
  const given = new Arguments(name, action, ACTIONS[name]);
  if (name === "screenshot") return { picture };
  return { actions: translated(name, given) };
}

function translated(
  name: Exclude<keyof typeof ACTIONS, "screenshot">,
  given: Arguments,
): actions.Action[] {
  if (name === "wait") return [actions.wait(WAIT)];
  if (name === "type") return [actions.typeText(given.text("text"))];
  const modifiers = given.has("keys") ? given.strings("keys") : [];
  if (name === "keypress") return [actions.press(given.strings("keys"))];
  if (name === "drag") return [actions.drag(given.points("path"), { modifiers })];
  const [x, y] = given.xy();
  if (name === "move") return [actions.move(x, y, { modifiers })];
  if (name === "double_click") return [actions.click(x, y, { count: 2, modifiers })];
  if (name === "click") {
    return [actions.click(x, y, { button: given.choice("button", BUTTONS), modifiers })];
  }
  const [dx, dy] = given.xy("scroll_x", "scroll_y");
  const turned = actions.scroll(dx, dy, { x, y, unit: "pixel", modifiers });
  return dx !== 0 || dy !== 0 ? [turned] : [];
}

/** A computer call, and what is to be done about it. */
interface Call {
  item: Record<string, unknown>;
  actions: unknown[];
  wanted: Wanted[];
  checks: SafetyCheck[];
  isAcknowledged: boolean;
  /** Why nothing of the call is performed. */
  refusal?: string;
}

/** OpenAI's computer tool on a `Desktop`. */
export class Computer<P extends boolean = false> {
  /** Whether the tool is `computer_use_preview`. */
  readonly isPreview: boolean;
  readonly #confirm: Confirm | undefined;
  readonly #acknowledge: Acknowledge | undefined;
  private readonly session: Session;

  /** Connects the tool to a desktop. */
  constructor(desktop: Desk, options: ComputerOptions<P> = {}) {
    checkOptions(
      options,
      { preview: flag, fit: later, format: later, confirm: callable, acknowledge: callable },
      "option of this adapter",
    );
    const { preview = false, fit = OPENAI, format = "png", confirm, acknowledge } = options;
    this.isPreview = preview;
    this.#confirm = confirm;
    this.#acknowledge = acknowledge;
    this.session = new Session(desktop, { fit, format });
  }

  /** Returns the entry for `tools`. Throws `CaptureFailed` if the preview finds no screen. */
  async tool(): Promise<P extends true ? PreviewTool : ComputerTool>;
  async tool(): Promise<ComputerTool | PreviewTool> {
    if (!this.isPreview) return { type: "computer" };
    const { width, height } = await this.session.pictureSize();
    return {
      type: "computer_use_preview",
      display_width: width,
      display_height: height,
      environment: "linux",
    };
  }

  /**
   * Performs the computer calls in the output of a response. Returns the items of the next input: a
   * screenshot for each call, and a message if something was not done. Empty if there is no computer
   * call.
   */
  async outputs(output: Iterable<unknown>): Promise<(CallOutput | InputMessage)[]> {
    const calls: Call[] = [];
    for (const item of output) {
      if (isMapping(item) && item["type"] === "computer_call")
        calls.push(await this.#checked(item));
    }
    if (calls.some((call) => call.refusal !== undefined)) {
      for (const call of calls) call.refusal ??= UNCONFIRMED;
    }
    for (const call of calls) {
      if (call.refusal !== undefined) call.wanted = [{ error: call.refusal }];
      else for (const action of call.actions) call.wanted.push(await this.#wanted(action));
    }
    for (const call of calls) call.wanted = [...this.session.pointing(call.wanted)];
    return this.#perform(calls);
  }

  /** Reads a call, and asks a person about its safety checks. */
  async #checked(item: Record<string, unknown>): Promise<Call> {
    const call: Call = { item, actions: [], wanted: [], checks: [], isAcknowledged: false };
    try {
      call.actions = actionsOf(item);
      call.checks = checksOf(item);
    } catch (error) {
      call.refusal = untranslated(error).error!;
      return call;
    }
    const { checks } = call;
    if (checks.length === 0) return call;
    call.isAcknowledged = (await this.#acknowledge?.(checks)) === true;
    const names = checks.map((each) => each.message || each.id).join("; ");
    if (!call.isAcknowledged) {
      call.refusal = `Not performed: a person must confirm first: ${names}`;
    }
    return call;
  }

  /** Performs calls in order, and stops at the first that fails. */
  async #perform(calls: readonly Call[]): Promise<(CallOutput | InputMessage)[]> {
    const items: (CallOutput | InputMessage)[] = [];
    let frame: Frame | undefined;
    let hasFailed = false;
    let hasActed = false;
    for (const call of calls) {
      let outcomes: readonly Outcome[];
      if (hasFailed && call.refusal === undefined) {
        const halted = () => new Outcome("not executed", HALTED);
        outcomes = call.actions.map(halted);
      } else if (call.refusal !== undefined && frame !== undefined) {
        outcomes = [new Outcome("failed", call.refusal)];
      } else {
        try {
          const batch = await this.session.perform(call.wanted, { mustSee: true });
          ({ outcomes, frame } = batch);
        } catch (error) {
          if (!(error instanceof DeskdError) || !hasActed) throw error;
          throw withMessage(error, `The earlier calls were done. The last: ${error.message}`);
        }
        hasActed ||= call.wanted.some((each) => (each.actions?.length ?? 0) > 0);
      }
      if (frame === undefined) throw new DeskdError("the daemon sent no frame");
      items.push(...this.#answer(call, outcomes, frame));
      hasFailed ||= outcomes.some((each) => each.isError);
    }
    return items;
  }

  #answer(
    { item, actions, checks, isAcknowledged }: Call,
    outcomes: readonly Outcome[],
    frame: Frame,
  ): (CallOutput | InputMessage)[] {
    const answer: CallOutput = {
      type: "computer_call_output",
      call_id: item["call_id"] as string,
      output: {
        type: "computer_screenshot",
        image_url: frame.dataUrl(),
        // Without it, the API scales the image, and points would refer to other pixels.
        ...(this.isPreview ? {} : { detail: "original" as const }),
      },
      ...(isAcknowledged ? { acknowledged_safety_checks: checks } : {}),
    };
    const text = report(outcomes, actions, frame);
    if (text === "") return [answer];
    // The tool's output has no channel for errors.
    return [answer, { type: "message", role: "user", content: [{ type: "input_text", text }] }];
  }

  async #wanted(action: unknown): Promise<Wanted> {
    let made: Wanted;
    try {
      made = translate(action, this.session.picture);
    } catch (error) {
      return untranslated(error);
    }
    const values = action as Record<string, unknown>;
    return confirmed(this.#confirm, nameOf(values["type"]), values, made);
  }
}

function actionsOf(item: Record<string, unknown>): unknown[] {
  const { actions, action } = item;
  const listed = actions ?? [];
  if (!Array.isArray(listed)) throw new Malformed("actions must be a list");
  if (listed.length > 0) return listed;
  return (action ?? null) === null ? [] : [action];
}

function checksOf(item: Record<string, unknown>): SafetyCheck[] {
  const checks = item["pending_safety_checks"] ?? [];
  if (!Array.isArray(checks) || !checks.every(isCheck)) {
    throw new Malformed("pending_safety_checks must be a list of objects with an id");
  }
  return checks;
}

function isCheck(check: unknown): check is SafetyCheck {
  if (!isMapping(check) || typeof check["id"] !== "string") return false;
  const texts = [check["code"] ?? "", check["message"] ?? ""];
  return texts.every((each) => typeof each === "string");
}

/**
 * The text that comes with the screenshot: the actions that were not done, and whether it is the
 * screen.
 */
function report(outcomes: readonly Outcome[], actions: readonly unknown[], frame: Frame): string {
  const lines = outcomes.flatMap((outcome, at) => {
    if (!outcome.isError) return [];
    const action = actions[at];
    const kind = isMapping(action) ? action["type"] : undefined;
    const name = typeof kind === "string" ? kind : "None";
    const isCard = outcome.frame?.isCard && outcome.status !== "unknown";
    const text = isCard ? "The screen could not be captured." : outcome.text;
    return [`Action ${at + 1} (${name}): ${text}`];
  });
  if (lines.length === 0 && frame.isCard) lines.push(NOT_THE_SCREEN);
  return lines.length === 0 ? "" : `Computer tool: ${lines.join(" ")}`;
}
