/** The tokens of Python code that consists of calls. */
import { Malformed } from "./fields.js";

/** A token: its kind, its text and its line. A string has its value, or none if it is computed. */
export interface Token {
  kind: "name" | "number" | "string" | "operator" | "end";
  text: string;
  line: number;
  /** The value of a string; undefined for an f-string. */
  value?: string | Uint8Array;
  /** The place of the token in the code. */
  at: number;
  /** The number of brackets around the token. A closing bracket is inside of its pair. */
  depth: number;
}

const SPACE = /(?:[ \t\f]|\\\r?\n|#[^\n]*)+/y;
const NAME = /[\p{L}\p{Nl}_][\p{L}\p{N}\p{M}_]*/uy;
const NUMBER =
  /(?:0[xX][\da-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][-+]?[\d_]+)?[jJ]?)/y;
const DIGITS = "\\d(?:_?\\d)*";
const VALID_NUMBER = new RegExp(
  `^(?:0x(?:_?[\\da-f])+|0o(?:_?[0-7])+|0b(?:_?[01])+|0(?:_?0)*|[1-9](?:_?\\d)*|` +
    `(?:(?:${DIGITS})?\\.${DIGITS}|${DIGITS}\\.|${DIGITS}(?=[ej]))(?:e[-+]?${DIGITS})?j?)$`,
  "i",
);
const LEADING_ZEROS =
  "leading zeros in decimal integer literals are not permitted; " +
  "use an 0o prefix for octal integers";
const STRING = /([rRbBuUfF]{0,2})('''|"""|'|")/y;
const OPERATOR =
  /(?:\*\*=?|\/\/=?|>>=?|<<=?|\.\.\.|!=|->|:=|[-+*/%@&|^<>=]=|[-+*/%@&|^~<>=()[\]{},:.;])/y;
/** Maximum number of nested brackets, as in Python. */
const MAX_DEPTH = 200;
const CLOSERS: Readonly<Record<string, string>> = { "(": ")", "[": "]", "{": "}" };
const ESCAPES: Readonly<Record<string, string>> = {
  ...{ "\n": "", "\\": "\\", "'": "'", '"': '"', a: "\x07", b: "\b", f: "\f" },
  ...{ n: "\n", r: "\r", t: "\t", v: "\v" },
};

/** The error for code that Python does not accept. */
export function noPython(why: string, line: number): Malformed {
  return new Malformed(`this is no Python code: ${why} (<unknown>, line ${line})`);
}

/**
 * Returns the tokens of some code. The end of a statement is a token of the kind `end`.
 *
 * Throws `Malformed` if the code has no valid tokens, or its brackets do not match.
 */
export function tokens(code: string): Token[] {
  if (code.includes("\0")) {
    throw new Malformed("this is no Python code: source code string cannot contain null bytes");
  }
  const found: Token[] = [];
  const open: Token[] = [];
  let hasBlock = false;
  let line = 1;
  let at = 0;
  const matched = (pattern: RegExp) => {
    pattern.lastIndex = at;
    return pattern.exec(code);
  };
  const add = (token: Pick<Token, "kind" | "text" | "value">) => {
    found.push({ ...token, line, at, depth: open.length });
    line += token.text.split("\n").length - 1;
    at += token.text.length;
  };
  while (at < code.length) {
    const isStart = found.length === 0 || found.at(-1)!.text === "\n";
    const space = matched(SPACE)?.[0] ?? "";
    const next = code[at + space.length] ?? "\n";
    // Within a block, lines are indented. A block is refused later, because it is no call.
    hasBlock ||= isStart && found.at(-2)?.text === ":";
    const isIndented = isStart && !hasBlock && /^[ \t]/.test(space) && open.length === 0;
    if (isIndented && !/[\r\n]/.test(next)) {
      throw noPython("unexpected indent", line);
    }
    line += space.split("\n").length - 1;
    at += space.length;
    const string = matched(STRING);
    const name = string === null ? matched(NAME) : null;
    const number = name === null ? matched(NUMBER) : null;
    if (at >= code.length) {
      break;
    } else if (/[\r\n]/.test(code[at]!)) {
      const isEnd = code[at] === "\n" && open.length === 0;
      if (isEnd) add({ kind: "end", text: "\n" });
      else at += 1;
      if (!isEnd && code[at - 1] === "\n") line += 1;
    } else if (string !== null) {
      const [prefix, quote] = [string[1]!.toLowerCase(), string[2]!];
      const end = endOfString(code, at + string[0].length, quote, line);
      const raw = code.slice(at + string[0].length, end);
      const value = prefix.includes("f") ? undefined : stringValue(raw, prefix, line);
      add({ kind: "string", text: code.slice(at, end + quote.length), value });
    } else if (name !== null) {
      add({ kind: "name", text: name[0] });
    } else if (number !== null) {
      if (!VALID_NUMBER.test(number[0])) {
        throw noPython(
          /^0\d|^0_\d/.test(number[0]) ? LEADING_ZEROS : "invalid decimal literal",
          line,
        );
      }
      add({ kind: "number", text: number[0] });
    } else {
      const operator = matched(OPERATOR)?.[0];
      if (operator === undefined) throw invalidCharacter(code, at, line);
      if (operator === ";" && open.length === 0) {
        if ((found.at(-1)?.kind ?? "end") === "end") throw noPython("invalid syntax", line);
        add({ kind: "end", text: ";" });
        continue;
      }
      add({ kind: "operator", text: operator });
      track(open, found.at(-1)!);
    }
  }
  const unclosed = open.at(-1);
  if (unclosed !== undefined) throw noPython(`'${unclosed.text}' was never closed`, unclosed.line);
  return found;
}

/** Notes an opening bracket, and forgets it at the closing one. */
function track(open: Token[], token: Token): void {
  if (token.text in CLOSERS) {
    if (open.length === MAX_DEPTH) throw noPython("too many nested parentheses", token.line);
    open.push(token);
  } else if (")]}".includes(token.text)) {
    const last = open.pop();
    if (last === undefined) throw noPython(`unmatched '${token.text}'`, token.line);
    if (CLOSERS[last.text] !== token.text) {
      const what = `closing parenthesis '${token.text}' does not match opening parenthesis`;
      throw noPython(`${what} '${last.text}'`, token.line);
    }
  }
}

function invalidCharacter(code: string, at: number, line: number): Malformed {
  const point = code.codePointAt(at)!;
  if (point < 0x80) return noPython("invalid syntax", line);
  const hex = point.toString(16).toUpperCase().padStart(4, "0");
  return noPython(`invalid character '${String.fromCodePoint(point)}' (U+${hex})`, line);
}

function endOfString(code: string, at: number, quote: string, line: number): number {
  for (; at < code.length; at++) {
    if (code[at] === "\\") at++;
    else if (code.startsWith(quote, at)) return at;
    else if (code[at] === "\n" && quote.length === 1) break;
  }
  const what = quote.length === 1 ? "string literal" : "triple-quoted string literal";
  const last = line + (quote.length === 1 ? 0 : code.slice(0, at).split("\n").length - line);
  throw noPython(`unterminated ${what} (detected at line ${last})`, line);
}

/** Replaces the escapes of a string. An unknown escape keeps its backslash, as in Python. */
function stringValue(raw: string, prefix: string, line: number): string | Uint8Array {
  const isBytes = prefix.includes("b");
  const hex = isBytes ? "x[\\da-fA-F]{2}" : "x[\\da-fA-F]{2}|u[\\da-fA-F]{4}|U[\\da-fA-F]{8}";
  const escape = new RegExp(`\\\\(${hex}|[0-7]{1,3}|N\\{[^}]*\\}|\\r\\n|[^])`, "g");
  const text = prefix.includes("r")
    ? raw
    : raw.replace(escape, (whole, body: string) => {
        if (body in ESCAPES) return ESCAPES[body]!;
        if (body === "\r\n") return "";
        if (/^[0-7]/.test(body)) return String.fromCodePoint(parseInt(body, 8));
        if (body.length > 1 && "xuU".includes(body[0]!)) return character(body.slice(1), line);
        // The names of all characters are not known here.
        const isBroken = !isBytes && "xuUN".includes(body[0]!);
        if (isBroken)
          throw noPython("(unicode error) 'unicodeescape' codec can't decode bytes", line);
        return whole;
      });
  return isBytes ? Buffer.from(text, "latin1") : text;
}

function character(hex: string, line: number): string {
  const point = parseInt(hex, 16);
  if (point > 0x10ffff) {
    throw noPython("(unicode error) 'unicodeescape' codec can't decode bytes", line);
  }
  return String.fromCodePoint(point);
}
