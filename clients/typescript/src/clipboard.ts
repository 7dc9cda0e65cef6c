/** The clipboard of a desktop. */
import { create } from "@bufbuild/protobuf";
import type { Caller } from "./caller.js";
import { invalid } from "./errors.js";
import * as pb from "./v1/clipboard_pb.js";
import { CALL_OPTIONS, checkOptions, isSendable, later, shown } from "./values.js";

/** Content: bytes, or text. */
export type Content = string | Uint8Array;

/** Options of each method of the clipboard. */
export interface ClipboardOptions {
  /**
   * `clipboard`, which programs copy to, or `primary`, which the middle button pastes. Default:
   * clipboard.
   */
  selection?: "clipboard" | "primary";
  /** Seconds for the whole call, at most 86,400. Default: that of the `Desktop`. */
  timeout?: number;
  /** Cancels the call, which then throws the signal's reason. */
  signal?: AbortSignal;
}

/** Maximum number of bytes of a piece. */
const PIECE = 200 * 1024;
const SELECTIONS = {
  clipboard: pb.ClipboardSelection.CLIPBOARD,
  primary: pb.ClipboardSelection.PRIMARY,
} as const;
const REQUIRED = ["clipboard"];
const { listFormats, readClipboard, writeClipboard } = pb.Clipboard.method;

/**
 * The clipboard of a desktop: `desktop.clipboard`.
 *
 *     await desktop.clipboard.write("hello");
 *     console.log(await desktop.clipboard.text());
 *
 * A format is a name that `formats` returns, such as `text/html` or `image/png`; without one, the
 * content is text. A call throws `StaleTarget` with the reason FORMAT_NOT_OFFERED if the clipboard is
 * empty or lacks the format. No error shows the content.
 */
export class Clipboard {
  readonly #caller: Caller;

  /** Made by `Desktop.clipboard`. */
  constructor(caller: Caller) {
    this.#caller = caller;
  }

  /** Returns the names of the formats in which the content can be read. */
  async formats(options: ClipboardOptions = {}): Promise<string[]> {
    const [selection, settings] = checked(options);
    const request = create(pb.ListFormatsRequestSchema, { selection });
    return [...(await this.#caller.call(listFormats, request, settings)).formats];
  }

  /** Returns the content in one format; without one, text in UTF-8. */
  async read(format = "", options: ClipboardOptions = {}): Promise<Uint8Array> {
    const [selection, settings] = checked(options);
    const request = create(pb.ReadClipboardRequestSchema, { selection, format: formatOf(format) });
    const pieces = await this.#caller.receive(readClipboard, request, settings);
    const made = new Uint8Array(pieces.reduce((sum, { data }) => sum + data.length, 0));
    let end = 0;
    for (const { data } of pieces) {
      made.set(data, end);
      end += data.length;
    }
    return made;
  }

  /** Returns the content as text. Bytes that are not UTF-8 are replaced. */
  async text(options: ClipboardOptions = {}): Promise<string> {
    // A mark at the beginning is a part of the text.
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(await this.read("", options));
  }

  /** Replaces the content; without a format, by text. It is at most 16 MiB. */
  async write(content: Content, format = "", options: ClipboardOptions = {}): Promise<void> {
    return this.writeFormats({ [formatOf(format)]: content }, options);
  }

  /**
   * Replaces the content by the same content in several formats, at most 8:
   * `{ "": "hello", "text/html": "<b>hello</b>" }`. The name of text is empty.
   */
  async writeFormats(
    contents: Readonly<Record<string, Content>>,
    options: ClipboardOptions = {},
  ): Promise<void> {
    const [selection, settings] = checked(options);
    const made = formatsOf(contents);
    // The same content can be written again.
    await this.#caller.send(writeClipboard, () => piecesOf(made, selection), settings);
  }
}

function checked(options: ClipboardOptions) {
  checkOptions(options, { ...CALL_OPTIONS, selection: later });
  const { selection = "clipboard", timeout, signal } = options;
  if (typeof selection !== "string" || !Object.hasOwn(SELECTIONS, selection)) {
    throw invalid(`selection is ${shown(selection)}; choose clipboard or primary`);
  }
  return [SELECTIONS[selection], { timeout, signal, required: REQUIRED }] as const;
}

/** Returns the name of a format. An error does not show it: it may be content in the wrong place. */
function formatOf(name: unknown): string {
  if (typeof name !== "string") throw invalid(`format is ${kindOf(name)}; give a string`);
  if (!isSendable(name)) throw invalid("format has a lone surrogate; give valid Unicode");
  return name;
}

/** Returns content as bytes; text in UTF-8. An error does not show the content. */
function contentOf(content: unknown): Uint8Array {
  if (content instanceof Uint8Array) return content;
  if (typeof content !== "string") {
    throw invalid(`the content is ${kindOf(content)}; give a string or a Uint8Array`);
  }
  if (!isSendable(content)) throw invalid("the content has a lone surrogate; give valid Unicode");
  return new TextEncoder().encode(content);
}

/** Returns the formats with their content. Text without the name of a format comes first. */
function formatsOf(contents: unknown): (readonly [format: string, content: Uint8Array])[] {
  if (typeof contents !== "object" || contents === null || Array.isArray(contents)) {
    throw invalid(`the formats are ${kindOf(contents)}; give an object with contents`);
  }
  const entries = Object.entries(contents);
  if (entries.length === 0) throw invalid("no content is given; give at least one format");
  const made = entries.map(([name, content]) => [formatOf(name), contentOf(content)] as const);
  return made.sort(([a], [b]) => Number(a !== "") - Number(b !== ""));
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "a list" : `of type ${typeof value}`;
}

function* piecesOf(
  contents: readonly (readonly [format: string, content: Uint8Array])[],
  selection: pb.ClipboardSelection,
): Generator<pb.WriteClipboardRequest, void, undefined> {
  for (const [name, content] of contents) {
    for (let start = 0; start === 0 || start < content.length; start += PIECE) {
      const data = content.subarray(start, start + PIECE);
      const format = start === 0 ? name : "";
      yield create(pb.WriteClipboardRequestSchema, { selection, format, data });
    }
  }
}
