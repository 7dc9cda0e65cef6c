/**
 * Qwen-VL and Fara: the function `computer_use` in `<tool_call>` blocks.
 *
 *     const model = new Computer(desktop, { version: "3" });
 *     const messages = [await model.start(task)]; // the task and the screen
 *     const turn = await model.perform(answer); // the model's text
 *     messages.push(turn.message());
 *
 * Qwen2.5-VL and Fara count the pixels of the picture, whose sides are multiples of 28. Qwen3-VL and
 * later count a grid of 1000 × 1000.
 */
import { DeskdError } from "../errors.js";
import type { Frame } from "../frame.js";
import { callable, checkOptions, later } from "../values.js";
import { isMapping, nameOf } from "./fields.js";
import { type Confirm, type Desk, type Open, Session } from "./flow.js";
import { addressOf, FARA, parse, QWEN, translate } from "./qwenCalls.js";
import { firstMessage, translated, Turn, turn, untranslated, type UserMessage } from "./text.js";

export { FARA, parse, QWEN, translate, Turn };

/** The side of the patches of each version in pixels, and its grid. */
const VERSIONS = {
  "2.5": { multipleOf: 28, grid: undefined, known: QWEN },
  "3": { multipleOf: 32, grid: 1000, known: QWEN },
  fara: { multipleOf: 28, grid: undefined, known: FARA },
} as const;

/** Options of a `Computer`. */
export interface ComputerOptions {
  /** The version of the model. `3` is also for 3.5. Default: 3. */
  version?: keyof typeof VERSIONS;
  /** Asks a person before each action. */
  confirm?: Confirm;
  /**
   * Opens a page for `visit_url` and `web_search`. Without it, addresses are typed into the focused
   * browser.
   */
  open?: Open;
}

/** Qwen-VL or Fara on a `Desktop`. */
export class Computer {
  readonly #confirm: Confirm | undefined;
  readonly #open: Open | undefined;
  readonly #version: keyof typeof VERSIONS;
  private readonly session: Session;

  /** Throws `DeskdError` if the version does not exist. */
  constructor(desktop: Desk, options: ComputerOptions = {}) {
    checkOptions(options, { version: later, confirm: callable, open: callable }, "option of this adapter");
    const { version = "3", confirm, open } = options;
    if (!Object.hasOwn(VERSIONS, version)) {
      throw new DeskdError(`there is no version '${version}'; choose 2.5, 3 or fara`);
    }
    this.#version = version;
    this.#confirm = confirm;
    this.#open = open;
    const { multipleOf, grid } = VERSIONS[version];
    // The model's own resizing keeps a picture whose sides are multiples of its patches.
    const fit = { maxSide: 1920, multipleOf, maxPixels: 12_845_056 };
    this.session = new Session(desktop, { fit }, { grid });
  }

  /** Takes the picture for the model. */
  look(): Promise<Frame> {
    return this.session.look();
  }

  /** Returns the first message of the user in the form of chat completions: the task and the screen. */
  async start(task: string): Promise<UserMessage> {
    return firstMessage(task, await this.look());
  }

  /** Performs the calls in an answer. */
  async perform(answer: string): Promise<Turn> {
    const { session } = this;
    let calls: unknown[];
    try {
      calls = parse(answer);
    } catch (error) {
      return turn(session, undefined, [["", {}, untranslated(error)]]);
    }
    const { known } = VERSIONS[this.#version];
    const made = calls.map((values) => {
      const named = isMapping(values) ? values : {};
      return translated(nameOf(named["action"]), named, () => {
        const wanted = translate(values, known);
        const open = this.#open;
        const address = open && addressOf(values, known);
        return open === undefined || address === undefined
          ? wanted
          : { ask: () => open(address) };
      });
    });
    return turn(session, this.#confirm, made);
  }
}
