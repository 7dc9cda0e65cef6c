/** Runs the examples of the package against a model on loopback. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { PACKAGE } from "./folders.js";
import { ModelServer, type ModelRequest, type Reply } from "./model.js";

/** What an example did. */
export interface Ran {
  /** Its standard output, without the last line break. */
  output: string;
  /** Its standard error. */
  errors: string;
  /** The requests that the model received. */
  requests: ModelRequest[];
}

/**
 * Runs an example with a task until it ends. The model gives the replies, and all of them must have
 * been asked for. `input` is what a person types.
 */
export async function runExample(
  name: string,
  server: string,
  replies: readonly Reply[],
  input = "",
): Promise<Ran> {
  const lines = readFileSync(join(PACKAGE, "examples", `${name}.ts`), "utf8").trimEnd().split("\n");
  assert.ok(lines.length < 40, `${name}.ts has ${lines.length} lines`);
  const model = new ModelServer(...replies);
  await model.start();
  const { url } = model;
  const env = {
    PATH: process.env["PATH"],
    DESKD_SERVER: server,
    ANTHROPIC_BASE_URL: url,
    ANTHROPIC_API_KEY: "key",
    OPENAI_BASE_URL: `${url}/v1`,
    OPENAI_API_KEY: "key",
    OPENAI_AGENTS_DISABLE_TRACING: "1",
    GOOGLE_GEMINI_BASE_URL: url,
    GEMINI_API_KEY: "key",
  };
  const compiled = join(PACKAGE, "dist", "check", "examples", `${name}.js`);
  const child = spawn(process.execPath, [compiled, "Greet."], { env });
  const end = () => child.kill();
  process.on("exit", end);
  try {
    child.stdin.on("error", () => {}); // The example does not read what it does not need.
    child.stdin.end(input);
    const exit = once(child, "exit");
    const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr)]);
    const [code] = (await exit) as [number | null];
    assert.equal(code, 0, errors);
    model.check();
    return { output: output.trimEnd(), errors, requests: model.requests };
  } finally {
    end();
    process.off("exit", end);
    model.stop();
  }
}
