/**
 * A computer for the Agents SDK of OpenAI (`@openai/agents` 0.20 or later).
 *
 *     const computer = new DeskdComputer(desktop);
 *     const agent = new Agent({ name: "desk", tools: [computerTool({ computer })] });
 *     const result = await run(agent, task);
 *
 * The SDK performs the actions of a batch one by one. It does not pass the keys that are held during
 * an action of the mouse. An action that is refused throws a `DeskdError`. Version 0.20 of the SDK logs
 * it and sends the model an empty image; the adapter `openai` sends the reason. A point that refers to
 * no screenshot is refused until the SDK has taken one.
 */
import type { Computer } from "@openai/agents";
import { ActionFailed, InvalidRequest, OutcomeUnknown } from "../errors.js";
import { type Fit, OPENAI } from "../options.js";
import { checkOptions, later } from "../values.js";
import { Malformed } from "./fields.js";
import { type Desk, Session, type Wanted } from "./flow.js";
import { translate } from "./openai.js";

/** A mouse button, as the SDK names it. */
export type Button = "left" | "right" | "wheel" | "back" | "forward";

/** Options of a `DeskdComputer`. */
export interface DeskdComputerOptions {
  /** Limits of the screenshots. */
  fit?: Fit;
  /** Width and height of the screenshots; only the preview tool needs them. */
  dimensions?: [width: number, height: number];
}

/** A computer on a `Desktop`. */
export class DeskdComputer implements Computer {
  /** The kind of desktop, for the preview tool. */
  readonly environment = "ubuntu";
  /** Width and height of the screenshots, if they were given. */
  readonly dimensions?: [width: number, height: number];
  readonly #session: Session;

  /** Connects the methods to a desktop. */
  constructor(desktop: Desk, options: DeskdComputerOptions = {}) {
    checkOptions(options, { fit: later, dimensions: later }, "option of this adapter");
    const { fit = OPENAI, dimensions } = options;
    if (dimensions !== undefined) this.dimensions = dimensions;
    this.#session = new Session(desktop, { fit }, { showsErrors: false });
  }

  /** Returns a PNG image in base64. */
  async screenshot(): Promise<string> {
    return (await this.#session.look()).base64();
  }

  /** Clicks. */
  click(x: number, y: number, button: Button): Promise<void> {
    return this.#act({ type: "click", x, y, button });
  }

  /** Clicks twice. */
  doubleClick(x: number, y: number): Promise<void> {
    return this.#act({ type: "double_click", x, y });
  }

  /** Turns the wheel, in pixels. */
  scroll(x: number, y: number, scrollX: number, scrollY: number): Promise<void> {
    return this.#act({ type: "scroll", x, y, scroll_x: scrollX, scroll_y: scrollY });
  }

  /** Types text. */
  type(text: string): Promise<void> {
    return this.#act({ type: "type", text });
  }

  /** Waits 2 s. */
  wait(): Promise<void> {
    return this.#act({ type: "wait" });
  }

  /** Moves the pointer. */
  move(x: number, y: number): Promise<void> {
    return this.#act({ type: "move", x, y });
  }

  /** Presses keys together. */
  keypress(keys: string[]): Promise<void> {
    return this.#act({ type: "keypress", keys });
  }

  /** Drags along a path. */
  drag(path: [x: number, y: number][]): Promise<void> {
    return this.#act({ type: "drag", path });
  }

  async #act(action: object): Promise<void> {
    let wanted: Wanted;
    try {
      wanted = translate(action, this.#session.picture);
    } catch (error) {
      if (!(error instanceof Malformed)) throw error;
      throw new InvalidRequest(error.message, { reason: "INVALID_FIELD" });
    }
    const { outcomes } = await this.#session.perform([wanted], { frameAfter: false });
    const { status, text } = outcomes[0]!;
    if (status === "unknown") throw new OutcomeUnknown(text);
    if (status !== "done") throw new ActionFailed(text);
  }
}
