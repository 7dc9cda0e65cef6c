/**
 * A driver for the computer toolset of Anthropic's SDK (`@anthropic-ai/sdk` 1.14 or later).
 *
 *     const toolset = new Toolset(desktop, { confirm: () => true });
 *     const runner = client.beta.messages.toolRunner({ model, max_tokens: 4096, tools: [toolset],
 *                                                      messages: [{ role: "user", content: task }] });
 *     const message = await runner.runUntilDone();
 *
 * The SDK performs one call at a time, and reports those after a failed one itself. It sends the model
 * the text of an error, but not its picture. After an error about a picture that is out of date, the
 * model must take a screenshot before it can point at anything.
 */
import {
  BetaAbstractComputerToolset20260801,
  type BetaComputerCursorPositionResult,
  type BetaComputerMemberResult,
  type BetaComputerToolsetOptions,
  type BetaScreenshotResult,
  type BetaToolsetCallContext,
  ToolError,
} from "@anthropic-ai/sdk/helpers/beta/toolsets";
import { DeskdError } from "../errors.js";
import { ANTHROPIC, type Fit } from "../options.js";
import { imageBlock } from "./anthropic.js";
import { HALTED, translate } from "./anthropicCalls.js";
import { Malformed } from "./fields.js";
import { type Desk, type Outcome, Session, type Wanted } from "./flow.js";

/**
 * Options of a `Toolset`: those of the SDK's class, and those of the pictures. `confirm` is required
 * while `type`, `key` or `hold_key` is enabled.
 */
export interface ToolsetOptions extends BetaComputerToolsetOptions {
  /** Limits of the images. Default: those of the current models. */
  fit?: Fit;
  /** The encoding of the images. Default: png. */
  format?: "png" | "jpeg";
}

/** The computer toolset on a `Desktop`. */
export class Toolset extends BetaAbstractComputerToolset20260801 {
  readonly #session: Session;

  /** Connects the toolset to a desktop. */
  constructor(desktop: Desk, options: ToolsetOptions = {}) {
    const { fit = ANTHROPIC, format = "png", ...own } = options;
    super(own);
    this.#session = new Session(desktop, { fit, format }, { halted: HALTED, showsErrors: false });
  }

  /** Performs one call. */
  protected override async execute(
    _context: BetaToolsetCallContext,
    name: string,
    input: object,
  ): Promise<BetaComputerMemberResult> {
    const session = this.#session;
    let wanted: Wanted;
    try {
      wanted = translate(name, input, session.picture, session.seen);
    } catch (error) {
      if (error instanceof Malformed) {
        throw new ToolError(`Invalid call, not performed: ${error.message}`);
      }
      if (!(error instanceof DeskdError)) throw error;
      const reason = error.reason === "" ? "" : ` [${error.reason}]`;
      throw new ToolError(`Not performed: ${error.message}${reason}`);
    }
    const { outcomes } = await session.perform([wanted], { frameAfter: false });
    return this.#rendered(outcomes[0]!);
  }

  #rendered(
    outcome: Outcome,
  ): BetaScreenshotResult | BetaComputerCursorPositionResult | string | void {
    const { frame, cursor, text } = outcome;
    if (outcome.isError) {
      const why = frame?.failure;
      const said = why
        ? `No picture of the screen: ${why.message} [${why.reason}]`
        : text || "The capture failed.";
      throw new ToolError([
        { type: "text", text: said },
        ...(frame && why ? [imageBlock(frame)] : []),
      ]);
    }
    if (cursor !== undefined) {
      const [x, y] = this.#session.toImage(cursor);
      return { x, y };
    }
    if (frame !== undefined) {
      const { media_type } = imageBlock(frame).source;
      return { data: frame.base64(), mediaType: media_type };
    }
    // The SDK acknowledges the action itself.
    return text.includes("did not change") ? "The screen did not change." : undefined;
  }
}
