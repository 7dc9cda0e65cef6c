/**
 * Calls in Python code: statements that call a function with literal arguments. The code is read,
 * never run.
 */
import { has, Malformed } from "./fields.js";
import { quoted } from "./format.js";
import { noPython, type Token, tokens } from "./pythonTokens.js";

/** A tuple, which Python distinguishes from a list. */
export class Tuple extends Array<unknown> {}

/** A call with literal arguments. */
export interface PythonCall {
  /** The name of the function with its module, such as `pyautogui.click`. */
  name: string;
  /** Reads the arguments. Throws `Malformed` if they are not literals. */
  arguments(): { given: unknown[]; named: [name: string, value: unknown][] };
}

/** Statements that begin with a keyword, by the name that Python has for each. */
const STATEMENTS: Readonly<Record<string, string>> = {
  ...{ for: "For", while: "While", if: "If", with: "With", try: "Try", def: "FunctionDef" },
  ...{ class: "ClassDef", return: "Return", pass: "Pass", break: "Break", del: "Delete" },
  ...{ continue: "Continue", assert: "Assert", raise: "Raise", global: "Global" },
  ...{ nonlocal: "Nonlocal", async: "AsyncFunctionDef", "@": "FunctionDef" },
};
const IMPORTS = ["import", "from"];
const WORD = "[\\p{L}\\p{N}_]+";
const MODULE = `${WORD}(?: \\. ${WORD})*`;
const IMPORTED = `${MODULE}(?: as ${WORD})?(?: , ${MODULE}(?: as ${WORD})?)*`;
/** An import, whose tokens are joined by spaces. */
const IMPORT = new RegExp(
  `^(?:import ${IMPORTED}|from (?:\\.+ )*(?:${MODULE} )?import (?:\\*|${IMPORTED}|\\( ${IMPORTED}(?: ,)? \\)))$`,
  "u",
);
const EXPRESSION_WORDS = "and or not in is if else for lambda await async".split(" ");
const OPENERS = ["(", "[", "{"];
const CLOSERS = [")", "]", "}"];
const CONSTANTS = new Map<string, unknown>([
  ["None", null],
  ["True", true],
  ["False", false],
]);

/** The arguments are not literals. */
class NotLiteral extends Error {}

/**
 * Returns the calls in some code, in order. Imports are ignored.
 *
 * Throws `Malformed` if the code has anything else.
 */
export function* pythonCalls(code: string): Generator<PythonCall, void, undefined> {
  // The whole code is checked before the first call is returned.
  const statements = split(tokens(code), (token) => token.kind === "end").filter(
    (each) => each.length > 0,
  );
  for (const each of statements) {
    const { text, line } = each[0]!;
    if (!IMPORTS.includes(text)) {
      if (!has(STATEMENTS, text)) checkOrder(each);
    } else if (!IMPORT.test(each.map((token) => token.text).join(" "))) {
      throw noPython("invalid syntax", line);
    }
  }
  for (const each of statements) {
    if (!IMPORTS.includes(each[0]!.text)) yield call(each, code);
  }
}

function call(statement: Token[], code: string): PythonCall {
  const inner = unwrapped(statement);
  const open = inner.findLastIndex(
    (_, at) => depthBefore(inner, at) === 0 && inner[at]!.text === "(",
  );
  const isCall = inner.at(-1)!.text === ")" && open > 0 && isPrimary(inner.slice(0, open));
  const kind = kindOf(statement);
  if (!isCall || kind !== "Expr") {
    throw new Malformed(`line ${statement[0]!.line} is no call but ${kind}`);
  }
  const callee = inner.slice(0, open);
  const last = callee.at(-1)!;
  const isDotted = callee.every((token) => token.kind === "name" || token.text === ".");
  const name = isDotted
    ? callee.map((token) => token.text).join("")
    : code.slice(callee[0]!.at, last.at + last.text.length);
  return { name, arguments: () => argumentsOf(name, inner.slice(open + 1, -1)) };
}

function kindOf(statement: Token[]): string {
  const first = statement[0]!;
  if (has(STATEMENTS, first.text)) return STATEMENTS[first.text]!;
  for (const [at, { kind, text }] of statement.entries()) {
    if (kind !== "operator" || depthBefore(statement, at) > 0) continue;
    if (text === "=") return "Assign";
    if (text === ":") return "AnnAssign";
    if (/^[^=<>!:]+=$/.test(text) || text === "<<=" || text === ">>=") return "AugAssign";
  }
  return "Expr";
}

/** Whether tokens are a name, a literal or brackets, followed only by attributes and brackets. */
function isPrimary(list: Token[]): boolean {
  return list.every((token, at) => {
    if (depthBefore(list, at) > 0) return true;
    if (token.kind === "operator") {
      return token.text === "." ? at > 0 : [...OPENERS, ...CLOSERS].includes(token.text);
    }
    if (EXPRESSION_WORDS.includes(token.text)) return false;
    return at === 0 || (token.kind === "name" && list[at - 1]!.text === ".");
  });
}

/** Takes brackets off that enclose the whole expression. */
function unwrapped(list: Token[]): Token[] {
  const isWrapped =
    list.length > 2 &&
    list[0]!.text === "(" &&
    list.every((_, at) => at === 0 || depthBefore(list, at) > 0) &&
    split(list.slice(1, -1), isComma).length === 1;
  return isWrapped ? unwrapped(list.slice(1, -1)) : list;
}

/** Throws if two operands follow each other, as in prose. */
function checkOrder(statement: Token[]): void {
  for (const [at, token] of statement.entries()) {
    const last = statement[at - 1];
    if (last === undefined || EXPRESSION_WORDS.includes(token.text)) continue;
    const isStart = token.kind !== "operator";
    const isEnd =
      (last.kind !== "operator" && !EXPRESSION_WORDS.includes(last.text)) ||
      CLOSERS.includes(last.text);
    const areStrings = token.kind === "string" && last.kind === "string";
    if (isStart && isEnd && !areStrings) throw noPython("invalid syntax", token.line);
  }
  const [first, last] = [statement[0]!, statement.at(-1)!];
  const isOpen = last.kind === "operator" && !CLOSERS.includes(last.text) && last.text !== ",";
  if (isOpen && last.text !== ":") throw noPython("invalid syntax", first.line);
}

function argumentsOf(name: string, list: Token[]): ReturnType<PythonCall["arguments"]> {
  const given: unknown[] = [];
  const named: [string, unknown][] = [];
  try {
    for (const each of parts(list)) {
      const [first, second] = each;
      if (first?.kind === "name" && second?.text === "=") {
        named.push([first.text, literal(each.slice(2))]);
      } else if (named.length > 0 && first?.text !== "*" && first?.text !== "**") {
        throw noPython("positional argument follows keyword argument", first!.line);
      } else {
        given.push(literal(each));
      }
    }
  } catch (error) {
    if (!(error instanceof NotLiteral)) throw error;
    throw new Malformed(`${name}: the arguments must be literals`);
  }
  return { given, named };
}

/** The value of a literal. Throws `NotLiteral` for any other expression. */
function literal(list: Token[]): unknown {
  const [first, ...rest] = list;
  if (first === undefined) throw new NotLiteral();
  if (list.every((token) => token.kind === "string")) return joined(list);
  if (rest.length === 0) {
    if (first.kind === "number") return numberOf(first.text);
    if (first.kind === "name" && CONSTANTS.has(first.text)) return CONSTANTS.get(first.text);
    throw new NotLiteral();
  }
  if (
    (first.text === "-" || first.text === "+") &&
    rest[0]!.kind === "number" &&
    rest.length === 1
  ) {
    const number = numberOf(rest[0]!.text);
    return typeof number === "number" && first.text === "-" ? -number : number;
  }
  const isBracketed =
    first.kind === "operator" &&
    OPENERS.includes(first.text) &&
    list.every((_, at) => at === 0 || depthBefore(list, at) > 0);
  if (!isBracketed) throw new NotLiteral();
  const inner = list.slice(1, -1);
  if (first.text === "{") return braced(inner);
  const values = parts(inner).map(literal);
  if (first.text === "[") return values;
  const isTuple = values.length !== 1 || inner.at(-1)!.text === ",";
  return isTuple ? Tuple.from(values) : values[0];
}

function braced(inner: Token[]): unknown {
  const items = parts(inner).map((each) => split(each, (token) => token.text === ":"));
  if (items.length > 0 && items.every((each) => each.length === 1)) {
    return new Set(items.map(([value]) => literal(value!)));
  }
  if (items.some((each) => each.length !== 2)) throw new NotLiteral();
  return Object.fromEntries(items.map(([name, value]) => [keyOf(literal(name!)), literal(value!)]));
}

function keyOf(value: unknown): string {
  return typeof value === "string" ? value : quoted(value);
}

function joined(list: Token[]): unknown {
  const values = list.map((token) => token.value);
  if (values.some((value) => value === undefined)) throw new NotLiteral();
  return values.every((value) => typeof value === "string") ? values.join("") : values[0];
}

/** The value of a number. A complex one is an object, which no argument accepts. */
function numberOf(text: string): unknown {
  const plain = text.replaceAll("_", "");
  return /^[^x]*j$/i.test(plain) ? { complex: plain } : Number(plain);
}

/** The elements of a list. A comma at its end is allowed. */
function parts(list: Token[]): Token[][] {
  const found = split(list, isComma);
  if (found.at(-1)!.length === 0) found.pop();
  if (found.some((each) => each.length === 0)) throw noPython("invalid syntax", list[0]!.line);
  return found;
}

function isComma(token: Token): boolean {
  return token.text === ",";
}

/** Splits tokens at those that lie outside all brackets and for which `isEnd` is true. */
function split(list: Token[], isEnd: (token: Token) => boolean): Token[][] {
  const found: Token[][] = [[]];
  for (const [at, token] of list.entries()) {
    if (depthBefore(list, at) === 0 && isEnd(token)) found.push([]);
    else found.at(-1)!.push(token);
  }
  return found;
}

/** The number of brackets of the list that are open before a token. */
function depthBefore(list: Token[], at: number): number {
  return list[at]!.depth - list[0]!.depth;
}
