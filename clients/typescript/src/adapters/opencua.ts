/**
 * OpenCUA, and every model that writes pyautogui code: the code is read, never run.
 *
 *     const model = new Computer(desktop);
 *     const messages = [await model.start(task)]; // the task and the screen
 *     const turn = await model.perform(answer); // text with a block of Python code
 *     messages.push(turn.message());
 *
 * Accepted are calls of `pyautogui` and `computer` with literal arguments, and `time.sleep`. Anything
 * else is refused before the first action.
 */
import type { Frame } from "../frame.js";
import { callable, checkOptions, flag } from "../values.js";
import { type Confirm, type Desk, Session } from "./flow.js";
import { type Call, FUNCTIONS, GRID, parse, translate } from "./opencuaCalls.js";
import { firstMessage, translated, Turn, turn, untranslated, type UserMessage } from "./text.js";

export { type Call, FUNCTIONS, parse, translate, Turn };

const FIT = { maxSide: 1920, multipleOf: 28, maxPixels: 12_845_056 };

/** Options of a `Computer`. */
export interface ComputerOptions {
  /**
   * Whether coordinates are fractions from 0 to 1. Otherwise they are pixels of the picture, whose
   * sides are multiples of 28.
   */
  relative?: boolean;
  /** Asks a person before each action. */
  confirm?: Confirm;
}

/** A model that writes pyautogui code, on a `Desktop`. */
export class Computer {
  readonly #confirm: Confirm | undefined;
  readonly #isRelative: boolean;
  private readonly session: Session;

  /** Connects the model to a desktop. */
  constructor(desktop: Desk, options: ComputerOptions = {}) {
    checkOptions(options, { relative: flag, confirm: callable }, "option of this adapter");
    this.#confirm = options.confirm;
    this.#isRelative = options.relative ?? false;
    this.session = new Session(
      desktop,
      { fit: FIT },
      { grid: this.#isRelative ? GRID : undefined },
    );
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
    let calls: Call[];
    try {
      calls = parse(answer);
    } catch (error) {
      return turn(this.session, undefined, [["", {}, untranslated(error)]]);
    }
    const made = calls.map(([name, values]) =>
      translated(name, values, () => translate(name, values, this.#isRelative)),
    );
    return turn(this.session, this.#confirm, made);
  }
}
