/** Conversions of numbers and pairs, which refuse wrong values as the daemon would. */
import { inspect } from "node:util";
import { create } from "@bufbuild/protobuf";
import { type Duration, DurationSchema } from "@bufbuild/protobuf/wkt";
import { InvalidRequest, invalid } from "./errors.js";

/** Maximum seconds of a call. gRPC accepts no deadline that is much later. */
export const MAX_TIMEOUT = 86_400;

/** A value in the text of an error. */
export function shown(value: unknown): string {
  return inspect(value, { depth: 1, breakLength: Infinity, maxStringLength: 80 });
}

/**
 * Returns a coordinate as a whole number of pixels.
 *
 * Throws `InvalidRequest` if it is not a whole number within 32 bits.
 */
export function pixel(value: unknown, name: string): number {
  if (typeof value !== "number" || !Number.isInteger(value)) {
    throw invalid(`${name} is ${shown(value)}; give a whole number of pixels`);
  }
  if (value < -(2 ** 31) || value >= 2 ** 31) {
    throw invalid(`${name} is ${value}, which no screen has; give a pixel of the screen`);
  }
  return value;
}

/**
 * Returns a whole number of at least 0 and below `limit`, or undefined if none is given.
 *
 * Throws `InvalidRequest` for any other value.
 */
export function whole(value: unknown, name: string, limit = 2 ** 31): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value >= limit) {
    throw invalid(`${name} is ${shown(value)}; give a whole number, at least 0`);
  }
  return value;
}

/**
 * Converts seconds.
 *
 * Throws `InvalidRequest` if the time is negative or not a number.
 */
export function duration(seconds: unknown, name = "duration"): Duration {
  if (typeof seconds !== "number" || !(seconds >= 0 && seconds < 1e9)) {
    throw invalid(`${name} is ${shown(seconds)}; give seconds, at least 0`);
  }
  const nanoseconds = BigInt(Math.round(seconds * 1e9));
  return create(DurationSchema, {
    seconds: nanoseconds / 1_000_000_000n,
    nanos: Number(nanoseconds % 1_000_000_000n),
  });
}

/**
 * Converts seconds within a limit.
 *
 * Throws `InvalidRequest` if the time is negative, longer than `most` seconds, or not a number.
 */
export function limited(seconds: unknown, name: string, most: number): Duration {
  const made = duration(seconds, name);
  if ((seconds as number) <= most) return made;
  throw invalid(`${name} is ${shown(seconds)}; give at most ${most} seconds`);
}

/**
 * Returns the time of a call in seconds.
 *
 * Throws `InvalidRequest` if it is not above 0, or longer than a day.
 */
export function timeoutOf(seconds: unknown): number {
  if (typeof seconds === "number" && seconds > 0 && seconds <= MAX_TIMEOUT) return seconds;
  throw invalid(`timeout is ${shown(seconds)}; give seconds above 0, at most 86,400`);
}

/**
 * Returns the time of a call in which the daemon waits, in seconds: somewhat longer than the wait.
 *
 * Throws `InvalidRequest` if the wait is negative, or longer than a day. A wait may be 0.
 */
export function waitTimeout(seconds: number): number {
  const checked = seconds === 0 ? 0 : timeoutOf(seconds);
  return Math.min(checked + 5, MAX_TIMEOUT);
}

/** Returns the seconds of a protobuf `Duration`; 0 if it is not set. */
export function inSeconds(time: Duration | undefined): number {
  return time === undefined ? 0 : Number(time.seconds) + time.nanos / 1e9;
}

/** Checks the value of an option. Throws `InvalidRequest` if it is wrong. */
export type Check = (value: unknown, name: string) => void;

/** Accepts every value: it is checked where it is used. */
export const later: Check = () => {};

/** Accepts true and false. */
export const flag: Check = (value, name) => {
  if (typeof value !== "boolean") throw invalid(`${name} is ${shown(value)}; give true or false`);
};

/** Accepts strings. */
export const text: Check = (value, name) => {
  if (typeof value !== "string") throw invalid(`${name} is ${shown(value)}; give a string`);
};

/** Whether a string has no lone surrogates, which no encoding can carry. */
export function isSendable(value: string): boolean {
  return !/\p{Surrogate}/u.test(value);
}

/** Accepts functions. */
export const callable: Check = (value, name) => {
  if (typeof value !== "function") throw invalid(`${name} is ${shown(value)}; give a function`);
};

/** Accepts an `AbortSignal`. */
export const signal: Check = (value, name) => {
  if (value instanceof AbortSignal) return;
  throw invalid(`${name} is ${shown(value)}; give an AbortSignal`);
};

/** The options of every call. */
export const CALL_OPTIONS = { timeout: later, signal } as const;

/**
 * Checks options. Undefined counts as not given. A name that does not exist is refused, because the
 * option would have no effect.
 *
 * Throws `InvalidRequest` if something is wrong.
 */
export function checkOptions(
  options: unknown,
  checks: Readonly<Record<string, Check>>,
  what = "option",
): void {
  onlyKnown(options, Object.keys(checks), what);
  for (const [name, value] of Object.entries(options)) {
    if (value !== undefined) checks[name]!(value, name);
  }
}

/**
 * Refuses names of options that do not exist, which would otherwise have no effect.
 *
 * Throws `InvalidRequest` for the first such name, and for a value that is no object.
 */
export function onlyKnown(
  options: unknown,
  known: readonly string[],
  what: string,
): asserts options is object {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    const given = shown(options);
    throw invalid(`${given} is not an object; give an object with an entry for each ${what}`);
  }
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw invalid(`there is no ${what} ${shown(unknown)}; choose from ${known.join(", ")}`);
  }
}

/**
 * Returns a text that can be sent.
 *
 * Throws `InvalidRequest` for other values, and for a surrogate without its other half.
 */
export function checkedText(text: unknown): string {
  if (typeof text !== "string") throw invalid(`text is a ${typeof text}; give a string`);
  const lone = text.search(/\p{Surrogate}/u);
  if (lone < 0) return text;
  const position = [...text.slice(0, lone)].length;
  throw new InvalidRequest(
    `character ${position} of the text is a lone surrogate; give valid Unicode`,
    { reason: "UNTYPABLE_CHARACTER", status: "INVALID_ARGUMENT" },
  );
}
