/**
 * UI-TARS (Doubao): actions as text.
 *
 *     const model = new Computer(desktop, { version: "1.5" });
 *     const messages = [await model.start(task)]; // the task and the screen
 *     const turn = await model.perform(answer); // the model's text
 *     messages.push(turn.message()); // what was not done, and the new screen
 *
 * Version 1.0 counts a grid of 1000 × 1000; 1.5 counts the pixels of the picture, whose sides are
 * multiples of 28; version 2 calls functions and counts the grid.
 */
import { DeskdError } from "../errors.js";
import type { Frame } from "../frame.js";
import { callable, checkOptions, later } from "../values.js";
import { type Confirm, type Desk, Session } from "./flow.js";
import { firstMessage, Turn, translated, turn, untranslated, type UserMessage } from "./text.js";
import { type Call, CALLS, parse, translate } from "./uiTarsCalls.js";

export { type Call, CALLS, parse, translate, Turn };

/** The side of the model's patches in pixels. Its own resizing keeps multiples of it. */
const SIDE = 28;
const FIT = { maxSide: 1920, multipleOf: SIDE, maxPixels: 16384 * SIDE * SIDE };
const GRIDS = { "1.0": 1000, "1.5": undefined, "2": 1000 } as const;

/** Options of a `Computer`. */
export interface ComputerOptions {
  /** The version of the model. Default: 1.5. */
  version?: keyof typeof GRIDS;
  /** Asks a person before each action. */
  confirm?: Confirm;
}

/** UI-TARS on a `Desktop`. */
export class Computer {
  readonly #confirm: Confirm | undefined;
  private readonly session: Session;

  /** Throws `DeskdError` if the version does not exist. */
  constructor(desktop: Desk, options: ComputerOptions = {}) {
    checkOptions(options, { version: later, confirm: callable }, "option of this adapter");
    const { version = "1.5", confirm } = options;
    if (!Object.hasOwn(GRIDS, version)) {
      throw new DeskdError(`there is no version '${version}'; choose 1.0, 1.5 or 2`);
    }
    this.#confirm = confirm;
    this.session = new Session(desktop, { fit: FIT }, { grid: GRIDS[version] });
  }

  /** Takes the picture for the model. */
  look(): Promise<Frame> {
    return this.session.look();
  }

  /** Returns the first message of the user in the form of chat completions: the task and the screen. */
  async start(task: string): Promise<UserMessage> {
    return firstMessage(task, await this.look());
  }

  /** Performs the actions in an answer. */
  async perform(answer: string): Promise<Turn> {
    let calls: Call[];
    try {
      calls = parse(answer);
    } catch (error) {
      return turn(this.session, undefined, [["", {}, untranslated(error)]]);
    }
    return this.call(calls);
  }

  /** Performs function calls of version 2: names and arguments. */
  call(calls: readonly Call[]): Promise<Turn> {
    const { session } = this;
    const made = calls.map(([name, values]) =>
      translated(name, values, () => translate(name, values, session.picture)),
    );
    return turn(session, this.#confirm, made);
  }
}
