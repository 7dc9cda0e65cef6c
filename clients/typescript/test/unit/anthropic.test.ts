/** The versions of Anthropic's tool before the toolset. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { describe, test } from "node:test";
import type Anthropic from "@anthropic-ai/sdk";
import { Computer, type ImageBlock, type ToolResult } from "../../src/adapters/anthropic.js";
import { translateOlder, type Version } from "../../src/adapters/anthropicCalls.js";
import { Frame } from "../../src/index.js";
import { PACKAGE, VECTORS } from "../support/folders.js";

const VERSIONS: Version[] = ["computer_20241022", "computer_20250124", "computer_20251124"];

describe("the argument key", () => {
  const translate = (version: Version, input: object) =>
    translateOlder(version, input, {}, undefined);
  const click = { action: "left_click", coordinate: [1, 2] };
  const scroll = { action: "scroll", scroll_direction: "up", scroll_amount: 1 };

  test("names the modifiers of clicks and scrolls", () => {
    for (const version of VERSIONS) {
      const inputs = version === "computer_20241022" ? [click] : [click, scroll];
      for (const input of inputs) {
        const withText = translate(version, { ...input, text: "ctrl+shift" });
        assert.deepEqual(translate(version, { ...input, key: "ctrl+shift" }), withText);
        assert.deepEqual(translate(version, { ...input, key: "ctrl+shift", text: null }), withText);
        const [action] = withText.actions!;
        const { value } = action!.action;
        assert.deepEqual(value && "modifiers" in value && value.modifiers, ["ctrl", "shift"]);
      }
    }
  });

  test("excludes text", () => {
    for (const version of VERSIONS) {
      const both = { text: "ctrl", key: "shift" };
      const inputs = version === "computer_20241022" ? [click] : [click, scroll];
      for (const input of inputs) {
        const message = /text and key exclude each other$/;
        assert.throws(() => translate(version, { ...input, ...both }), { message });
      }
    }
  });

  test("is not an argument of other actions", () => {
    const inputs = [
      [{ action: "key", key: "a" }, "key: unknown argument 'key'; it has: text, repeat"],
      [{ action: "key", text: "a", key: "b" }, "key: unknown argument 'key'; it has: text, repeat"],
      [{ action: "type", key: "hello" }, "type: unknown argument 'key'; it has: text"],
      [{ action: "screenshot", key: "a" }, "screenshot: unknown argument 'key'; it has: none"],
    ] as const;
    for (const version of VERSIONS) {
      for (const [input, message] of inputs) {
        assert.throws(() => translate(version, input), { message });
      }
    }
  });
});

test("the picture for the size of the display is not one that the model sees", async () => {
  let steps = 0;
  const computer = new Computer(
    {
      cursor: async () => [1, 2],
      screenshot: async () => {
        const size = { width: 640, height: 400, screen: [640, 400] as const };
        return new Frame({ image: Buffer.from("x"), format: "png", frameId: "f", ...size });
      },
      act: async () => {
        steps++;
        throw new Error("nothing is to be done");
      },
    },
    { version: "computer_20250124", frameAfter: false },
  );
  assert.equal((await computer.tool()).display_width_px, 640);
  const input = { action: "left_click", coordinate: [1, 2] };
  const [result, shown, ...rest] = await computer.results([{ type: "tool_use", id: "t", name: "computer", input }]);
  const text =
    "Not performed: there is no screenshot to which the points refer. Take a screenshot first.";
  const data = Buffer.from("x").toString("base64");
  const image = { type: "image", source: { type: "base64", media_type: "image/png", data } };
  assert.deepEqual(result, {
    type: "tool_result",
    tool_use_id: "t",
    content: [{ type: "text", text }],
    is_error: true,
  });
  // The picture after the error is one that the model sees.
  assert.deepEqual([shown, ...rest], [image]);
  assert.equal(steps, 0);
});

test("the API accepts each reply of the vectors", () => {
  // The SDK's own filter of errors, which it does not export.
  const sdk = join(PACKAGE, "node_modules", "@anthropic-ai", "sdk", "lib", "internal", "toolsets");
  const { errorTextContent } = createRequire(import.meta.url)(join(sdk, "sanitize.js")) as {
    errorTextContent: (content: ToolResult["content"]) => unknown;
  };
  const lines = readFileSync(join(VECTORS, "anthropic.jsonl"), "utf8").trim().split("\n");
  let errors = 0;
  for (const line of lines) {
    const { id, reply } = JSON.parse(line) as { id: string; reply: (ToolResult | ImageBlock)[] };
    const content: Anthropic.Beta.BetaContentBlockParam[] & Anthropic.ContentBlockParam[] = reply;
    const isResult = content.map(({ type }) => type === "tool_result");
    assert.ok(isResult.every((each, at) => each || !isResult.slice(at).includes(true)), id);
    for (const block of reply) {
      if (block.type !== "tool_result" || !block.is_error) continue;
      errors++;
      assert.ok(block.content.length > 0, id);
      assert.deepEqual(errorTextContent(block.content), block.content, id);
    }
  }
  assert.ok(errors > 100);
});
