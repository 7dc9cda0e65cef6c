/** Runs the conformance vectors, with the daemon's answers as written. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fromJson, type JsonObject, type JsonValue, toJson } from "@bufbuild/protobuf";
import { Desktop, Frame } from "../src/index.js";
import * as anthropic from "../src/adapters/anthropic.js";
import * as gemini from "../src/adapters/gemini.js";
import * as openai from "../src/adapters/openai.js";
import * as opencua from "../src/adapters/opencua.js";
import * as osworld from "../src/adapters/osworld.js";
import * as qwen from "../src/adapters/qwen.js";
import type { Turn } from "../src/adapters/text.js";
import * as uiTars from "../src/adapters/uiTars.js";
import { type Answer, FakeDaemon, type Refusal } from "./support/daemon.js";
import { VECTORS } from "./support/folders.js";

interface Exchange {
  method: string;
  request: JsonObject;
  reply?: JsonValue;
  error?: Refusal;
}

interface Seen {
  frameId: string;
  width: number;
  height: number;
  screenWidth: number;
  screenHeight: number;
}

interface Vector {
  id: string;
  adapter: string;
  options: Record<string, unknown>;
  seen: Seen | null;
  calls: unknown;
  exchanges: Exchange[];
  reply: unknown;
}

/** The calls that the running vector still expects. */
let left: Exchange[] = [];
let problem: unknown;

const answer: Answer = ({ name, input, output }, request) => {
  if (name === "GetInfo") return fromJson(output, { instanceId: "i" });
  const asked = toJson(input, request) as JsonObject;
  delete asked["operationId"];
  delete asked["instanceId"];
  const expected = left.shift();
  try {
    assert.ok(expected, `one call too many: ${name} ${JSON.stringify(asked)}`);
    assert.deepEqual([name, asked], [expected.method, expected.request]);
  } catch (error) {
    problem = error;
    throw { status: "ABORTED", reason: "", message: "the call is not the expected one" };
  }
  if (expected.error !== undefined) throw expected.error;
  return fromJson(output, expected.reply!);
};

/** The settings of an adapter, with the names of this package. */
function options(vector: Vector): never {
  const made = camel(vector.options) as Record<string, unknown>;
  for (const name of ["confirm", "acknowledge", "url"]) {
    const value = made[name];
    if (value !== undefined) made[name] = () => value;
  }
  return made as never;
}

function camel(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [
      name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
      camel(each),
    ]),
  );
}

/** The last picture that the model saw. */
function seenFrame({ seen }: Vector): Frame | undefined {
  if (seen === null) return undefined;
  const { frameId, width, height, screenWidth, screenHeight } = seen;
  return new Frame({
    image: new Uint8Array(0),
    format: "png",
    width,
    height,
    region: { x: 0, y: 0, width: screenWidth, height: screenHeight },
    screen: [screenWidth, screenHeight],
    frameId,
  });
}

/** A turn of a model that answers in text, as the vectors write it. */
function shape(turn: Turn) {
  return { message: turn.message(), control: turn.control, answer: turn.answer };
}

type Run = (desktop: Desktop, vector: Vector) => Promise<unknown>;

function prepared<C extends object>(computer: C, vector: Vector): C {
  (computer as { session: { seen?: Frame } }).session.seen = seenFrame(vector);
  return computer;
}

const ADAPTERS: Record<string, Run> = {
  anthropic: (desktop, vector) =>
    prepared(new anthropic.Computer(desktop, options(vector)), vector).results(vector.calls as []),
  openai: (desktop, vector) =>
    prepared(new openai.Computer(desktop, options(vector)), vector).outputs(vector.calls as []),
  gemini: (desktop, vector) =>
    prepared(new gemini.Computer(desktop, options(vector)), vector).results(vector.calls as []),
  gemini_content: (desktop, vector) =>
    prepared(new gemini.Computer(desktop, options(vector)), vector).parts(vector.calls as []),
  ui_tars: async (desktop, vector) => {
    const computer = prepared(new uiTars.Computer(desktop, options(vector)), vector);
    return shape(await computer.perform(vector.calls as string));
  },
  qwen: async (desktop, vector) => {
    const computer = prepared(new qwen.Computer(desktop, options(vector)), vector);
    return shape(await computer.perform(vector.calls as string));
  },
  opencua: async (desktop, vector) => {
    const computer = prepared(new opencua.Computer(desktop, options(vector)), vector);
    return shape(await computer.perform(vector.calls as string));
  },
  osworld: async (desktop, vector) => {
    const computer = prepared(new osworld.Computer(desktop, options(vector)), vector);
    return shape(await computer.step(vector.calls));
  },
};

describe("vectors", () => {
  const daemon = new FakeDaemon(answer);
  const desktop = new Desktop(daemon.address);
  before(() => daemon.start());
  after(async () => {
    await desktop.close();
    daemon.stop();
  });

  for (const file of readdirSync(VECTORS).filter((name) => name.endsWith(".jsonl"))) {
    const lines = readFileSync(join(VECTORS, file), "utf8").trim().split("\n");
    for (const line of lines) {
      const vector = JSON.parse(line) as Vector;
      test(vector.id, async () => {
        const run = ADAPTERS[vector.adapter];
        assert.ok(run, `no adapter ${vector.adapter}`);
        left = [...vector.exchanges];
        problem = undefined;
        let reply: unknown;
        try {
          reply = await run(desktop, vector);
        } catch (error) {
          throw problem ?? error;
        }
        if (problem) throw problem;
        assert.deepEqual(reply, vector.reply);
        assert.deepEqual(left, []);
      });
    }
  }
});
