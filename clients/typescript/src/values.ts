/** Conversions of numbers and pairs, which refuse wrong values as the daemon would. */
import { inspect } from "node:util";
import { create } from "@bufbuild/protobuf";
import { type Duration, DurationSchema } from "@bufbuild/protobuf/wkt";
import { InvalidRequest, invalid } from "./errors.js";

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
 * Returns a whole number of at least 0, or undefined if none is given.
 *
 * Throws `InvalidRequest` for any other value.
 */
export function whole(value: unknown, name: string): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value >= 2 ** 31) {
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

/** Returns the seconds of a protobuf `Duration`; 0 if it is not set. */
export function inSeconds(time: Duration | undefined): number {
  return time === undefined ? 0 : Number(time.seconds) + time.nanos / 1e9;
}

/**
 * Refuses names of options that do not exist, which would otherwise have no effect.
 *
 * Throws `InvalidRequest` for the first such name.
 */
export function onlyKnown(options: object, known: readonly string[], what: string): void {
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
