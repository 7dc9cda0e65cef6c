/**
 * Anthropic's computer tool.
 *
 *     const computer = new Computer(desktop);
 *     const reply = await client.messages.create({ model, max_tokens: 4096, messages,
 *                                                  tools: [await computer.tool()] });
 *     messages.push({ role: "assistant", content: reply.content },
 *                   { role: "user", content: await computer.results(reply.content) });
 *
 * The versions of the tool are those of the API: `computer_toolset_20260801` (current models), and
 * `computer_20251124`, `computer_20250124` and `computer_20241022`.
 */
import { DeskdError } from "../errors.js";
import type { Frame } from "../frame.js";
import { ANTHROPIC, ANTHROPIC_OLDER, type Fit } from "../options.js";
import { callable, checkOptions, flag, later } from "../values.js";
import {
  HALTED,
  type Member,
  MEMBERS,
  translate,
  translateOlder,
  type Version,
  VERSIONS,
} from "./anthropicCalls.js";
import { has, isMapping, Malformed, nameOf } from "./fields.js";
import { type Confirm, confirmed, type Desk, type Outcome, Session, type Wanted } from "./flow.js";

export { HALTED, type Member, MEMBERS, translate, type Version, VERSIONS };

/** The entry for `tools` of the toolset. */
export interface Toolset {
  type: "computer_toolset_20260801";
  configs?: Partial<Record<Member, { enabled: boolean }>>;
}

/** The entry for `tools` of an older version. */
export type OlderTool = {
  name: "computer";
  display_width_px: number;
  display_height_px: number;
} & (
  | { type: "computer_20251124"; enable_zoom: boolean }
  | { type: "computer_20250124" | "computer_20241022" }
);

/** A picture in a result, or after the results. */
export interface ImageBlock {
  type: "image";
  source: { type: "base64"; media_type: "image/png" | "image/jpeg" | "image/webp"; data: string };
}

/** The result of a call, for the next message of the user. If it is an error, it has only text. */
export interface ToolResult {
  type: "tool_result";
  tool_use_id: string;
  toolset_name?: "computer";
  content: ({ type: "text"; text: string } | ImageBlock)[];
  is_error?: boolean;
}

/** Options of a `Computer`. */
export interface ComputerOptions<V extends Version = Version> {
  /** The version of the tool that the model has. Default: the toolset. */
  version?: V;
  /** Limits of the images. Default: those of the model. */
  fit?: Fit;
  /** The encoding of the images. Default: png. */
  format?: "png" | "jpeg";
  /** Asks a person before each call. The call is refused unless the answer is exactly `true`. */
  confirm?: Confirm;
  /** Names of actions that the model may not use. */
  disabled?: readonly Member[];
  /**
   * Whether the model gets the new screen at the end of a turn, which saves it a call of
   * `screenshot`. Default: true.
   */
  frameAfter?: boolean;
}

/** Anthropic's computer tool on a `Desktop`. */
export class Computer<V extends Version = "computer_toolset_20260801"> {
  /** The version of the tool. */
  readonly version: V;
  readonly #confirm: Confirm | undefined;
  readonly #disabled: ReadonlySet<string>;
  readonly #frameAfter: boolean;
  private readonly session: Session;

  /** Throws `DeskdError` if the version or an action does not exist. */
  constructor(desktop: Desk, options: ComputerOptions<V> = {}) {
    checkOptions(
      options,
      {
        version: later,
        fit: later,
        format: later,
        confirm: callable,
        disabled: later,
        frameAfter: flag,
      },
      "option of this adapter",
    );
    const { version = "computer_toolset_20260801" as V, fit, format = "png" } = options;
    const { confirm, disabled = [], frameAfter = true } = options;
    if (!has(VERSIONS, version)) {
      const known = Object.keys(VERSIONS).join(", ");
      throw new DeskdError(`there is no version '${String(version)}'; choose one of ${known}`);
    }
    const unknown = disabled.find((name) => !has(MEMBERS, name));
    if (unknown !== undefined) {
      throw new DeskdError(`there is no computer action '${unknown}' to disable`);
    }
    this.version = version;
    this.#confirm = confirm;
    this.#disabled = new Set(disabled);
    this.#frameAfter = frameAfter;
    const limits = fit ?? (this.isToolset ? ANTHROPIC : ANTHROPIC_OLDER);
    this.session = new Session(desktop, { fit: limits, format }, { halted: HALTED });
  }

  /** Whether the version is the toolset, which needs no beta header. */
  get isToolset(): boolean {
    return this.version === "computer_toolset_20260801";
  }

  /** The beta headers that the version requires. */
  get betas(): string[] {
    const header = VERSIONS[this.version];
    return header === null ? [] : [header];
  }

  /** Returns the entry for `tools`. Throws `CaptureFailed` if the size of the screen is not known. */
  async tool(): Promise<V extends "computer_toolset_20260801" ? Toolset : OlderTool>;
  async tool(): Promise<Toolset | OlderTool> {
    const { version } = this as { version: Version };
    if (version === "computer_toolset_20260801") {
      const names = [...this.#disabled].sort();
      if (names.length === 0) return { type: version };
      const configs = Object.fromEntries(names.map((name) => [name, { enabled: false }]));
      return { type: version, configs };
    }
    const { width, height } = await this.session.pictureSize();
    const common = {
      name: "computer",
      display_width_px: width,
      display_height_px: height,
    } as const;
    if (version !== "computer_20251124") return { type: version, ...common };
    return { type: version, ...common, enable_zoom: !this.#disabled.has("zoom") };
  }

  /**
   * Performs the computer calls in the content of a message, and returns the content of the next
   * message of the user: a `tool_result` for each call, in order, and then the pictures of errors.
   * The API accepts only text in a result that is an error.
   *
   * Other blocks are ignored; the list is empty if there is no computer call. Send the whole list in
   * one message, the results first. Otherwise the model points at a picture that it has not seen.
   */
  async results(content: Iterable<unknown>): Promise<(ToolResult | ImageBlock)[]> {
    const blocks = [...content].filter((each) => this.#isMine(each));
    if (blocks.length === 0) return [];
    const { session } = this;
    const wanted: Wanted[] = [];
    for (const block of blocks) wanted.push(await this.#wanted(block));
    const batch = await session.perform(wanted, { frameAfter: this.#frameAfter });
    const results = blocks.map((block, at) => this.#result(block, batch.outcomes[at]!));
    // The API refuses an error with a picture. The picture follows the results.
    const failed = batch.outcomes.filter((each) => each.isError);
    const beside = failed.flatMap(({ frame }) => (frame === undefined ? [] : [imageBlock(frame)]));
    if (batch.frame !== undefined && !batch.isShown) {
      const isError = batch.outcomes.at(-1)!.isError;
      (isError ? beside : results.at(-1)!.content).push(imageBlock(batch.frame));
    }
    return [...results, ...beside];
  }

  #isMine(block: unknown): block is Record<string, unknown> {
    if (!isMapping(block) || block["type"] !== "tool_use") return false;
    if (this.isToolset) return block["toolset_name"] === "computer";
    return block["name"] === "computer" && !block["toolset_name"];
  }

  async #wanted(block: Record<string, unknown>): Promise<Wanted> {
    const { input } = block;
    const { picture, seen } = this.session;
    const action = !this.isToolset && isMapping(input) ? input["action"] : block["name"];
    const name = nameOf(action ?? "None");
    let made: Wanted;
    try {
      made = this.isToolset
        ? translate(name, input, picture, seen)
        : translateOlder(this.version, input, picture, seen);
    } catch (error) {
      if (!(error instanceof Malformed || error instanceof DeskdError)) throw error;
      return { error: `Invalid call, not performed: ${error.message}` };
    }
    if (this.#disabled.has(name)) {
      return { error: `Not performed: the action ${name} is turned off here.` };
    }
    return confirmed(this.#confirm, name, input as object, made);
  }

  #result(block: Record<string, unknown>, outcome: Outcome): ToolResult {
    let { text } = outcome;
    if (outcome.cursor !== undefined) {
      const [x, y] = this.session.toImage(outcome.cursor);
      text = `X=${x},Y=${y}`;
    }
    const why = outcome.frame?.failure;
    // The API refuses an error without text.
    if (text === "" && why) text = `No picture of the screen: ${why.message} [${why.reason}]`;
    const content: ToolResult["content"] = text === "" ? [] : [{ type: "text", text }];
    if (outcome.frame !== undefined && !outcome.isError) content.push(imageBlock(outcome.frame));
    return {
      type: "tool_result",
      tool_use_id: block["id"] as string,
      ...(this.isToolset ? { toolset_name: "computer" as const } : {}),
      content,
      ...(outcome.isError ? { is_error: true } : {}),
    };
  }
}

/** A picture in a result. */
export function imageBlock(frame: Frame): ImageBlock {
  const media_type = frame.mediaType as ImageBlock["source"]["media_type"];
  return { type: "image", source: { type: "base64", media_type, data: frame.base64() } };
}
