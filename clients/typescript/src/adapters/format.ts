/**
 * Values in the texts that a model reads. The form is that of deskd for Python: all adapters send
 * the same texts.
 */

const ESCAPES: Readonly<Record<string, string>> = {
  "\\": "\\\\",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
};
/** Characters that are written as escapes: all that are invisible, except the space. */
const INVISIBLE = /[\\\p{C}\p{Z}]/gu;
/** Maximum number of nested lists and objects of `quoted`. */
const MAX_DEPTH = 20;
/** Number of significant digits of `general`. */
const DIGITS = 6;

/**
 * A value as Python's `repr` writes it. Undefined and null are `None`. What lies deeper than some
 * levels is left out.
 */
export function quoted(value: unknown): string {
  return nested(value, 0);
}

function nested(value: unknown, depth: number): string {
  if (value === undefined || value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "string") return quotedText(value);
  if (typeof value === "object" && depth === MAX_DEPTH) return "...";
  const inner = (each: unknown) => nested(each, depth + 1);
  if (Array.isArray(value)) return `[${value.map(inner).join(", ")}]`;
  if (typeof value === "object") {
    const entries = Object.entries(value).map(([name, each]) => `${inner(name)}: ${inner(each)}`);
    return `{${entries.join(", ")}}`;
  }
  return typeof value === "number" ? quotedNumber(value) : String(value);
}

/** A number with at most 6 significant digits, as the format `g` of C and Python writes it. */
export function general(value: number): string {
  const [digits = "", power = "0"] = value.toExponential(DIGITS - 1).split("e");
  const exponent = Number(power);
  if (exponent >= -4 && exponent < DIGITS) return String(Number(value.toPrecision(DIGITS)));
  const sign = exponent < 0 ? "-" : "+";
  return `${Number(digits)}e${sign}${String(Math.abs(exponent)).padStart(2, "0")}`;
}

/** The first characters of a text. Surrogate pairs count as one character. */
export function first(count: number, text: string): string {
  return [...text.slice(0, 2 * count)].slice(0, count).join("");
}

/** A JSON object of one level with the separators that Python's `json` writes. */
export function flatJson(values: Readonly<Record<string, unknown>>): string {
  const entries = Object.entries(values);
  return `{${entries.map(([name, each]) => `${JSON.stringify(name)}: ${JSON.stringify(each)}`).join(", ")}}`;
}

/** The shortest digits of a number. The exponent has at least two digits, as in Python. */
function quotedNumber(value: number): string {
  const [digits = "", power = "0"] = value.toExponential().split("e");
  const exponent = Number(power);
  const isPlain = value === 0 || (exponent >= -4 && exponent < 16);
  if (isPlain || !Number.isFinite(value)) return String(value);
  return `${digits}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
}

function quotedText(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = text.replace(INVISIBLE, (letter) => {
    const code = letter.codePointAt(0) ?? 0;
    if (letter === " ") return letter;
    if (letter in ESCAPES) return ESCAPES[letter]!;
    const hex = code.toString(16);
    if (code <= 0xff) return `\\x${hex.padStart(2, "0")}`;
    return code <= 0xffff ? `\\u${hex.padStart(4, "0")}` : `\\U${hex.padStart(8, "0")}`;
  });
  return quote + (quote === "'" ? escaped.replaceAll("'", "\\'") : escaped) + quote;
}
