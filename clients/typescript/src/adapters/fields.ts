/** Reads the arguments of a model's call. A model may send anything. */
import { general, quoted } from "./format.js";

/** The arguments of a call are wrong. The text is for the model. */
export class Malformed extends Error {}

/** Whether a value is an object with named values. */
export function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Throws `Malformed` if an answer is no text. */
export function checkAnswer(answer: unknown): void {
  if (typeof answer !== "string") throw new Malformed("the answer is no text");
}

/** Whether an object has a value of its own under a name that may come from a model. */
export function has<T extends object>(object: T, name: unknown): name is keyof T & string {
  return typeof name === "string" && Object.hasOwn(object, name);
}

/** A name that may come from a model, as a text. Objects and lists are written as Python does. */
export function nameOf(value: unknown): string {
  return typeof value === "object" ? quoted(value) : String(value);
}

/** The names of the calls of an adapter, each with the names of its arguments. */
export type Signatures = Readonly<Record<string, readonly string[]>>;

/** The arguments of one call. */
export class Arguments {
  readonly #call: string;
  readonly #known: readonly string[];
  readonly #values: ReadonlyMap<string, unknown>;

  /**
   * `call` is the name of the call, for messages; `values` are the arguments as the model sent
   * them; `known` are the names of all arguments that the call has. Others are refused: an argument
   * that is ignored would be an action that the model did not ask for.
   */
  constructor(call: string, values: unknown, known: readonly string[]) {
    if (!isMapping(values)) throw new Malformed(`${call}: the arguments are not an object`);
    const entries = Object.entries(values);
    const unknown = entries.find(([name]) => !known.includes(name));
    if (unknown !== undefined) {
      const names = known.join(", ") || "none";
      throw new Malformed(`${call}: unknown argument ${quoted(unknown[0])}; it has: ${names}`);
    }
    this.#call = call;
    this.#known = known;
    this.#values = new Map(entries.filter(([, value]) => value !== null && value !== undefined));
  }

  /** Whether the argument was given. */
  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** Whether the call has such an argument. */
  knows(name: string): boolean {
    return this.#known.includes(name);
  }

  /** Whether the argument is a string. */
  isText(name: string): boolean {
    return typeof this.#values.get(name) === "string";
  }

  /** Whether the argument is a finite number. */
  isNumber(name: string): boolean {
    return Number.isFinite(this.#values.get(name));
  }

  /** The error for an argument. */
  error(text: string): Malformed {
    return new Malformed(`${this.#call}: ${text}`);
  }

  /** A string. */
  text(name: string, fallback?: string): string {
    const value = this.#get(name, fallback);
    if (typeof value !== "string") throw this.error(`${name} must be a string`);
    return value;
  }

  /** One of some strings. */
  choice<T extends string>(name: string, options: readonly T[], fallback?: T): T {
    const value = this.text(name, fallback);
    const found = options.find((each) => each === value);
    if (found === undefined) throw this.error(`${name} must be one of ${options.join(", ")}`);
    return found;
  }

  /** A truth value. */
  flag(name: string, fallback: boolean): boolean {
    const value = this.#get(name, fallback);
    if (typeof value !== "boolean") throw this.error(`${name} must be true or false`);
    return value;
  }

  /** A whole number within limits. */
  whole(name: string, low: number, high: number, fallback?: number): number {
    const number = whole(this.#get(name, fallback));
    if (number === undefined || number < low || number > high) {
      throw this.error(`${name} must be a whole number from ${low} to ${high}`);
    }
    return number;
  }

  /** A number within limits. */
  number(name: string, low: number, high: number, fallback?: number): number {
    const value = this.#get(name, fallback);
    if (typeof value !== "number" || !(value >= low && value <= high)) {
      throw this.error(`${name} must be a number from ${general(low)} to ${general(high)}`);
    }
    return value;
  }

  /** A pair [x, y] of whole numbers. */
  point(name: string): [x: number, y: number] {
    return this.#point(name, this.#get(name));
  }

  /** A list of pairs, or of objects with x and y. */
  points(name: string): [x: number, y: number][] {
    const value = this.#get(name);
    if (!Array.isArray(value)) throw this.error(`${name} must be a list of points`);
    return value.map((each) => this.#point(name, each));
  }

  /** Two arguments that are the coordinates of a point. */
  xy(x = "x", y = "y"): [x: number, y: number] {
    const values = [this.#get(x), this.#get(y)].map(whole);
    if (!isPair(values)) throw this.error(`${x} and ${y} must be whole numbers`);
    return values;
  }

  /**
   * A list [x0, y0, x1, y1], of which the second corner lies outside. Returns x, y, width and
   * height.
   */
  region(name: string): [x: number, y: number, width: number, height: number] {
    const value = this.#get(name);
    const corners = Array.isArray(value) ? value.map(whole) : [];
    const [left, top, right, bottom] = corners;
    const isWhole = left !== undefined && top !== undefined && right !== undefined;
    if (corners.length !== 4 || !isWhole || bottom === undefined) {
      throw this.error(`${name} must be [x0, y0, x1, y1] in whole numbers`);
    }
    if (right <= left || bottom <= top) {
      throw this.error(`${name} must have x0 < x1 and y0 < y1`);
    }
    return [left, top, right - left, bottom - top];
  }

  /** A list of strings. */
  strings(name: string): string[] {
    const value = this.#get(name);
    const isList = Array.isArray(value) && value.every((each) => typeof each === "string" && each);
    if (!isList) throw this.error(`${name} must be a list of strings`);
    return [...value];
  }

  #get(name: string, fallback?: unknown): unknown {
    const value = this.#values.get(name) ?? fallback;
    if (value === undefined) throw this.error(`${name} is required`);
    return value;
  }

  #point(name: string, value: unknown): [x: number, y: number] {
    const pair = isMapping(value) ? [value["x"], value["y"]] : value;
    if (!Array.isArray(pair) || pair.length !== 2) throw this.error(`${name} must be [x, y]`);
    const values = pair.map(whole);
    if (!isPair(values)) throw this.error(`${name} must be [x, y] in whole numbers`);
    return values;
  }
}

/** A whole number of at most 32 bits; undefined for anything else. */
function whole(value: unknown): number | undefined {
  if (typeof value !== "number" || !Number.isInteger(value)) return undefined;
  return value >= -(2 ** 31) && value < 2 ** 31 ? value : undefined;
}

function isPair(values: (number | undefined)[]): values is [number, number] {
  return values.length === 2 && values.every((each) => each !== undefined);
}
