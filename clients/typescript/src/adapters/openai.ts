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
import { DeskdError } from "../errors.js";
import { type Fit, OPENAI, type Picture } from "../options.js";
import { Arguments, has, isMapping, Malformed } from "./fields.js";
import { type Batch, type Confirm, confirmed, type Desk, Session, type Wanted } from "./flow.js";
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
const BUTTONS = ["left", "right", "wheel", "back", "forward"] as const;

/** A safety check of a call, which a person must acknowledge. */
export interface SafetyCheck {
  id: string;
  code?: string | null;
  message?: string | null;
}

/** Shows a person the pending safety checks of a call; true if they are acknowledged. */
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

/** OpenAI's computer tool on a `Desktop`. */
export class Computer<P extends boolean = false> {
  /** Whether the tool is `computer_use_preview`. */
  readonly isPreview: boolean;
  readonly #confirm: Confirm | undefined;
  readonly #acknowledge: Acknowledge | undefined;
  private readonly session: Session;

  /** Connects the tool to a desktop. */
  constructor(desktop: Desk, options: ComputerOptions<P> = {}) {
    const { preview = false, fit = OPENAI, format = "png", confirm, acknowledge } = options;
    this.isPreview = preview;
    this.#confirm = confirm;
    this.#acknowledge = acknowledge;
    this.session = new Session(desktop, { fit, format });
  }

  /** Returns the entry for `tools`. */
  async tool(): Promise<P extends true ? PreviewTool : ComputerTool>;
  async tool(): Promise<ComputerTool | PreviewTool> {
    if (!this.isPreview) return { type: "computer" };
    const { width, height } = await this.session.look();
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
    const items: (CallOutput | InputMessage)[] = [];
    for (const item of output) {
      if (isMapping(item) && item["type"] === "computer_call")
        items.push(...(await this.#call(item)));
    }
    return items;
  }

  async #call(item: Record<string, unknown>): Promise<(CallOutput | InputMessage)[]> {
    const checks = (item["pending_safety_checks"] ?? []) as SafetyCheck[];
    const actions = actionsOf(item);
    const isAcknowledged = checks.length > 0 && ((await this.#acknowledge?.(checks)) ?? false);
    const wanted: Wanted[] = [];
    if (checks.length > 0 && !isAcknowledged) {
      const names = checks.map((each) => each.message || each.id).join("; ");
      wanted.push({ error: `Not performed: a person must confirm first: ${names}` });
    } else {
      for (const action of actions) wanted.push(await this.#wanted(action));
    }
    const batch = await this.session.perform(wanted, { mustSee: true });
    if (batch.frame === undefined) throw new DeskdError("the daemon sent no frame");
    const answer: CallOutput = {
      type: "computer_call_output",
      call_id: item["call_id"] as string,
      output: {
        type: "computer_screenshot",
        image_url: batch.frame.dataUrl(),
        // Without it, the API scales the image, and points would refer to other pixels.
        ...(this.isPreview ? {} : { detail: "original" as const }),
      },
      ...(isAcknowledged ? { acknowledged_safety_checks: checks } : {}),
    };
    const text = report(batch, actions);
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
    return confirmed(this.#confirm, String(values["type"]), values, made);
  }
}

function actionsOf(item: Record<string, unknown>): unknown[] {
  const { actions, action } = item;
  if (Array.isArray(actions) && actions.length > 0) return actions;
  return action ? [action] : [];
}

/** The text that comes with the screenshot: the actions that were not done. */
function report(batch: Batch, actions: readonly unknown[]): string {
  const lines = batch.outcomes.flatMap((outcome, at) => {
    if (!outcome.isError) return [];
    const action = actions[at];
    const kind = isMapping(action) ? action["type"] : undefined;
    const name = typeof kind === "string" ? kind : "None";
    const text = outcome.frame ? "The screen could not be captured." : outcome.text;
    return [`Action ${at + 1} (${name}): ${text}`];
  });
  return lines.length === 0 ? "" : `Computer tool: ${lines.join(" ")}`;
}
