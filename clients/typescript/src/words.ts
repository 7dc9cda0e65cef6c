/** Splits a command line into words, as a POSIX shell does, without running a shell. */
import { DeskdError } from "./errors.js";

/**
 * Returns the words of a command. Quotes and backslashes have the meaning of a shell; nothing is
 * expanded.
 *
 * Throws `DeskdError` if a quote is not closed.
 */
export function words(command: string): string[] {
  const found: string[] = [];
  let word: string | undefined;
  let quote = "";
  for (let at = 0; at < command.length; at++) {
    const letter = command.charAt(at);
    const next = command.charAt(at + 1);
    if (quote !== "" && letter === quote) {
      quote = "";
    } else if (letter === "\\" && quote !== "'") {
      // Within double quotes, a backslash escapes only a quote and itself.
      const escapes = quote === "" || next === '"' || next === "\\";
      if (next === "") throw new DeskdError(`exec: ends with a backslash: ${command}`);
      word = (word ?? "") + (escapes ? next : letter + next);
      at++;
    } else if (quote === "" && (letter === "'" || letter === '"')) {
      quote = letter;
      word ??= "";
    } else if (quote === "" && /\s/.test(letter)) {
      if (word !== undefined) found.push(word);
      word = undefined;
    } else {
      word = (word ?? "") + letter;
    }
  }
  if (quote !== "") throw new DeskdError(`exec: has a quote that is not closed: ${command}`);
  if (word !== undefined) found.push(word);
  return found;
}
