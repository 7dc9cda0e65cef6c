/**
 * Gemini's computer use: the desktop and browser functions, and the legacy ones.
 *
 *     const computer = new Computer(desktop);
 *     const tools = [computer.tool()];
 *     let reply = await client.interactions.create({ model, tools, input: task });
 *     for (let input; (input = await computer.results(reply.steps)).length > 0; )
 *       reply = await client.interactions.create({ model, tools, input,
 *                                                  previous_interaction_id: reply.id });
 *
 * With `generateContent`, the tool is `contentTool()`. Give `computer.parts(…)` the parts of the
 * model's content, and send its result as the parts of the next content. Coordinates count a grid of
 * 1000 × 1000.
 */
import type { Frame } from "../frame.js";
import type { Fit } from "../options.js";
import { callable, checkOptions, later } from "../values.js";
import { isMapping, nameOf } from "./fields.js";
import {
  type Batch,
  type Confirm,
  confirmed,
  type Desk,
  type Open,
  type Outcome,
  Session,
  type Wanted,
} from "./flow.js";
import { flatJson } from "./format.js";
import {
  addressOf,
  type FunctionName,
  FUNCTIONS,
  GRID,
  isComputerFunction,
  translate,
} from "./geminiCalls.js";
import { untranslated, withoutOk } from "./text.js";

export { type FunctionName, FUNCTIONS, translate };

/** The kind of desktop that the model expects. */
export type Environment = "desktop" | "browser";

/** The entry for `tools` of the Interactions API. */
export interface ComputerUse {
  type: "computer_use";
  environment: Environment;
  excluded_predefined_functions?: string[];
}

/** The entry for `tools` of `generateContent`. */
export interface ContentTool {
  computerUse: {
    // The SDK's enum accepts no string.
    // eslint-disable-next-line @typescript-eslint/no-explicit-any
    environment: any;
    excludedPredefinedFunctions?: string[];
  };
}

/** The result of a function call, a step of the next interaction. */
export interface FunctionResult {
  type: "function_result";
  name: string;
  call_id: string;
  result: ({ type: "text"; text: string } | { type: "image"; data: string; mime_type: string })[];
  is_error?: boolean;
}

/** A picture within a part. */
export interface InlineData {
  inlineData: { mimeType: string; data: string };
}

/** The result of a function call, a part of the next content. */
export interface FunctionResponsePart {
  functionResponse: {
    name: string;
    id?: string;
    response: Record<string, unknown>;
    parts?: InlineData[];
  };
}

/** Options of a `Computer`. */
export interface ComputerOptions {
  /** The kind of desktop. Default: desktop. */
  environment?: Environment;
  /** Limits of the screenshots. Default: 1440 pixels for the longer side. */
  fit?: Fit;
  /** The encoding of the screenshots. Default: png. */
  format?: "png" | "jpeg";
  /** Asks a person before each call. */
  confirm?: Confirm;
  /**
   * Asks a person about a call whose safety decision is neither `regular` nor `allowed`. Without it,
   * such a call is not performed. Only the answer `true` allows it.
   */
  acknowledge?: Confirm;
  /** Returns the address of the page, for models that expect it. */
  url?: () => string;
  /**
   * Opens a page for `navigate`, `search` and `open_web_browser`. Without it, addresses are typed
   * into the focused browser, and `open_web_browser` only looks.
   */
  open?: Open;
  /** Names of functions that the model may not call. */
  excluded?: Iterable<FunctionName>;
}

interface Call {
  name: string;
  values: unknown;
}

interface Done {
  outcome: Outcome;
  response: Record<string, unknown>;
  frames: Frame[];
}

/** Gemini's computer use on a `Desktop`. */
export class Computer {
  /** The kind of desktop that the model expects. */
  readonly environment: Environment;
  readonly #confirm: Confirm | undefined;
  readonly #acknowledge: Confirm | undefined;
  readonly #url: (() => string) | undefined;
  readonly #open: Open | undefined;
  readonly #excluded: readonly string[];
  private readonly session: Session;

  /** Connects the functions to a desktop. */
  constructor(desktop: Desk, options: ComputerOptions = {}) {
    checkOptions(
      options,
      {
        environment: later,
        fit: later,
        format: later,
        confirm: callable,
        acknowledge: callable,
        url: callable,
        open: callable,
        excluded: later,
      },
      "option of this adapter",
    );
    const { environment = "desktop", fit = { maxSide: 1440 }, format = "png" } = options;
    this.environment = environment;
    this.#confirm = options.confirm;
    this.#acknowledge = options.acknowledge;
    this.#url = options.url;
    this.#open = options.open;
    this.#excluded = [...(options.excluded ?? [])].sort();
    this.session = new Session(desktop, { fit, format }, { grid: GRID });
  }

  /** Returns the entry for `tools` of the Interactions API. */
  tool(): ComputerUse {
    const entry: ComputerUse = { type: "computer_use", environment: this.environment };
    if (this.#excluded.length > 0) entry.excluded_predefined_functions = [...this.#excluded];
    return entry;
  }

  /** Returns the entry for `tools` of `generateContent`. */
  contentTool(): ContentTool {
    const environment = `ENVIRONMENT_${this.environment.toUpperCase()}`;
    if (this.#excluded.length === 0) return { computerUse: { environment } };
    return { computerUse: { environment, excludedPredefinedFunctions: [...this.#excluded] } };
  }

  /**
   * Performs the function calls in the steps of an interaction. Returns a function result for each,
   * with the new screen in the last; empty if there is no call.
   */
  async results(steps: Iterable<unknown>): Promise<FunctionResult[]> {
    const calls = [...steps].filter(isStep);
    const done = await this.#perform(
      calls.map((step) => ({ name: String(step["name"]), values: step["arguments"] ?? {} })),
    );
    return done.map(({ outcome, response, frames }, at) => ({
      type: "function_result",
      name: calls[at]!["name"] as string,
      call_id: calls[at]!["id"] as string,
      result: [{ type: "text", text: flatJson(response) }, ...frames.map(image)],
      ...(outcome.isError ? { is_error: true } : {}),
    }));
  }

  /**
   * The same for the parts of a content of `generateContent`. The names in an answer have the form
   * of those in the call: `functionCall` is answered by `functionResponse`, and `function_call` by
   * `function_response`.
   */
  async parts(parts: Iterable<unknown>): Promise<FunctionResponsePart[]> {
    const calls = [...parts].flatMap(functionCall);
    const done = await this.#perform(
      calls.map(({ call }) => ({ name: String(call["name"]), values: call["args"] ?? {} })),
    );
    return done.map(({ response, frames }, at) => {
      const { call, isSnake } = calls[at]!;
      const answer = {
        name: call["name"] as string,
        ...(call["id"] ? { id: call["id"] as string } : {}),
        response,
        ...(frames.length > 0 ? { parts: frames.map(isSnake ? snakeInline : inline) } : {}),
      };
      const made = isSnake ? { function_response: answer } : { functionResponse: answer };
      return made as FunctionResponsePart;
    });
  }

  async #perform(calls: readonly Call[]): Promise<Done[]> {
    if (calls.length === 0) return [];
    const { session } = this;
    if (session.seen === undefined && calls.some(({ name }) => name.includes("scroll"))) {
      // Distances refer to the size of the screen, which stays unknown if this is a failure card.
      await session.look();
    }
    const wanted: Wanted[] = [];
    const acknowledged: boolean[] = [];
    for (const call of calls) {
      const [made, isAcknowledged] = await this.#wanted(call);
      wanted.push(made);
      acknowledged.push(isAcknowledged);
    }
    const batch = await session.perform(wanted, { mustSee: true });
    return batch.outcomes.map((outcome, at) => ({
      outcome,
      response: this.#response(outcome, acknowledged[at]!),
      frames: framesOf(batch, at),
    }));
  }

  async #wanted({ name, values }: Call): Promise<[made: Wanted, isAcknowledged: boolean]> {
    const { safety_decision: decision, ...given } = isMapping(values) ? values : {};
    const { picture, seen } = this.session;
    let made: Wanted;
    try {
      made = translate(name, isMapping(values) ? given : values, picture, seen?.screen);
      const open = this.#open;
      const address = open && addressOf(name, given);
      if (open !== undefined && address !== undefined) made = { ask: () => open(address) };
    } catch (error) {
      const why = untranslated(error).error!.replace("Invalid action", "Invalid call");
      return [{ error: why }, false];
    }
    if (this.#excluded.includes(name)) {
      return [{ error: `Not performed: the function ${name} is turned off here.` }, false];
    }
    if ((decision ?? null) !== null && !isMapping(decision)) {
      const why = "Invalid call, not performed: safety_decision is not an object";
      return [{ error: why }, false];
    }
    if (!isMapping(decision) || isHarmless(decision["decision"])) {
      return [await confirmed(this.#confirm, name, given, made), false];
    }
    if (this.#acknowledge === undefined) {
      const cause = nameOf(decision["explanation"] ?? "");
      const why = `Not performed: a person must confirm first: ${cause}`;
      return [{ error: why.replace(/[: ]+$/, "") }, false];
    }
    const asked = { ...given, safety_decision: { ...decision } };
    made = await confirmed(this.#acknowledge, name, asked, made);
    return [made, made.error === undefined];
  }

  #response(outcome: Outcome, isAcknowledged: boolean): Record<string, unknown> {
    const response: Record<string, unknown> = { url: this.#url?.() ?? "" };
    if (outcome.isError) {
      const isCard = outcome.frame?.isCard === true;
      response["error"] = isCard ? "The screen could not be captured." : outcome.text;
    } else if (outcome.text !== "OK") {
      response["output"] = withoutOk(outcome.text);
    }
    if (isAcknowledged) response["safety_acknowledgement"] = true;
    return response;
  }
}

/** Whether a call may be performed without a person. A decision that is missing or unknown is not. */
function isHarmless(decision: unknown): boolean {
  return decision === "regular" || decision === "allowed";
}

function isStep(step: unknown): step is Record<string, unknown> {
  return isMapping(step) && step["type"] === "function_call" && isComputerFunction(step["name"]);
}

function functionCall(part: unknown) {
  if (!isMapping(part)) return [];
  const isSnake = Boolean(part["function_call"]);
  const call = part["function_call"] || part["functionCall"];
  return isMapping(call) && isComputerFunction(call["name"]) ? [{ call, isSnake }] : [];
}

/** The pictures of the call at a place; the last call also has the new screen. */
function framesOf({ outcomes, frame, isShown }: Batch, at: number): Frame[] {
  const own = outcomes[at]!.frame;
  const hasScreen = at === outcomes.length - 1 && !isShown && frame !== undefined;
  return [...(own ? [own] : []), ...(hasScreen ? [frame] : [])];
}

function image(frame: Frame) {
  return { type: "image" as const, data: frame.base64(), mime_type: frame.mediaType };
}

function inline(frame: Frame): InlineData {
  return { inlineData: { mimeType: frame.mediaType, data: frame.base64() } };
}

function snakeInline(frame: Frame): object {
  return { inline_data: { mime_type: frame.mediaType, data: frame.base64() } };
}
