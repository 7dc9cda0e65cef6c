/** Turns of models that answer in text: their results, and the message for the next turn. */
import { DeskdError } from "../errors.js";
import type { Frame } from "../frame.js";
import { Malformed } from "./fields.js";
import {
  type Confirm,
  confirmed,
  NOT_THE_SCREEN,
  type Outcome,
  type Session,
  type Wanted,
} from "./flow.js";

/** A part of a message in the form of chat completions. */
export type MessagePart =
  { type: "text"; text: string } | { type: "image_url"; image_url: { url: string } };

/** A message of the user in the form of chat completions. */
export interface UserMessage {
  role: "user";
  content: MessagePart[];
}

/** The result of one answer of the model. */
export class Turn {
  /**
   * `outcomes` has one for each action that the answer contains; `frame` is the screen after them,
   * or a failure card. `control` is `finished`, `failed` or `call_user` if the model ends the run or
   * asks for a person, and null otherwise; `answer` is the text that comes with it.
   */
  constructor(
    readonly outcomes: readonly Outcome[],
    readonly frame: Frame | undefined,
    readonly control: string | null = null,
    readonly answer = "",
  ) {}

  /** Whether an action was not done. */
  get isError(): boolean {
    return this.outcomes.some((each) => each.isError);
  }

  /** The text that comes with the picture; empty if everything was done. */
  get text(): string {
    const reported = this.outcomes.filter((each) => each.isError || each.text !== "OK");
    const text = reported.map((each) => withoutOk(each.text)).join(" ");
    if (!this.frame?.isCard || text.includes(NOT_THE_SCREEN)) return text;
    return `${text} ${NOT_THE_SCREEN}`.trimStart();
  }

  /** The next message of the user in the form of chat completions. */
  message(): UserMessage {
    const content: MessagePart[] = [];
    if (this.text !== "") content.push({ type: "text", text: this.text });
    if (this.frame !== undefined) {
      content.push({ type: "image_url", image_url: { url: this.frame.dataUrl() } });
    }
    return { role: "user", content };
  }
}

/** A call of an answer: its name, its arguments and its translation. */
export type Translated = readonly [name: string, values: object, made: Wanted];

/** Translates a call; one that cannot be translated becomes an error. */
export function translated(name: string, values: object, translate: () => Wanted): Translated {
  try {
    return [name, values, translate()];
  } catch (error) {
    return [name, values, untranslated(error)];
  }
}

/** A call that cannot be translated. Throws every error that is not about the call. */
export function untranslated(error: unknown): Wanted {
  if (!(error instanceof Malformed || error instanceof DeskdError)) throw error;
  return { error: `Invalid action, not performed: ${error.message}` };
}

/** Performs the calls of an answer. */
export async function turn(
  session: Session,
  confirm: Confirm | undefined,
  calls: readonly Translated[],
): Promise<Turn> {
  const wanted: Wanted[] = [];
  for (const [name, values, made] of calls) {
    wanted.push(await confirmed(confirm, name, values, made));
  }
  const { outcomes, frame } = await session.perform(wanted, { mustSee: true });
  const last = wanted.findLast((made, at) => made.control !== undefined && !outcomes[at]!.isError);
  return new Turn(outcomes, frame, last?.control ?? null, last?.value ?? "");
}

/** The first message of the user: the task and the screen. */
export function firstMessage(task: string, frame: Frame): UserMessage {
  const image: MessagePart = { type: "image_url", image_url: { url: frame.dataUrl() } };
  return { role: "user", content: [{ type: "text", text: task }, image] };
}

/** The text without the acknowledgement at its start. */
export function withoutOk(text: string): string {
  return text.startsWith("OK ") ? text.slice("OK ".length) : text;
}
