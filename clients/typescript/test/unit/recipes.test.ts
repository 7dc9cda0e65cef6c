/** The hook `open` of the adapters. */
import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { Computer as Gemini } from "../../src/adapters/gemini.js";
import { Computer as Qwen } from "../../src/adapters/qwen.js";
import { openWith } from "../../src/adapters/recipes.js";
import { ActionFailed, Desktop, Frame, InvalidRequest, OutcomeUnknown } from "../../src/index.js";

const PAGE = "https://example.com/?a=b&c";
const calls: string[] = [];
const opened: string[] = [];
beforeEach(() => {
  calls.length = 0;
  opened.length = 0;
});
const open = (address: string) => opened.push(address);
const desk = {
  cursor: async (): Promise<[number, number]> => [1, 2],
  screenshot: async () => {
    calls.push("screenshot");
    const size = { width: 640, height: 400, screen: [640, 400] as const };
    return new Frame({ image: Buffer.from("x"), format: "png", frameId: "f", ...size });
  },
  act: async (): Promise<never> => {
    calls.push("act");
    throw new ActionFailed("it failed");
  },
};

function call(name: string, given: object = {}) {
  return { type: "function_call", id: "1", name, arguments: given };
}

function fara(given: object): string {
  const values = { name: "computer_use", arguments: given };
  return `<tool_call>${JSON.stringify(values)}</tool_call>`;
}

describe("the hook", () => {
  test("opens the pages of Gemini", async () => {
    const computer = new Gemini(desk, { open });
    const list = [call("open_web_browser"), call("navigate", { url: PAGE }), call("search")];
    const results = await computer.results(list);
    assert.ok(results.every((each) => !each.is_error));
    assert.deepEqual(results.map(({ result }) => result.length), [1, 1, 2]);
    assert.deepEqual(opened, ["https://www.google.com", PAGE, "https://www.google.com"]);
    assert.deepEqual(calls, ["screenshot"]);
  });

  test("is not called for a call that is wrong, excluded or declined", async () => {
    for (const [options, url] of [
      [{}, 5],
      [{}, "a\ud800"],
      [{ excluded: ["navigate" as const] }, PAGE],
      [{ confirm: () => false }, PAGE],
    ] as const) {
      const computer = new Gemini(desk, { open, ...options });
      const [result] = await computer.results([call("navigate", { url })]);
      assert.equal(result?.is_error, true);
    }
    assert.deepEqual(opened, []);
  });

  test("is not called after a call that failed", async () => {
    const computer = new Gemini(desk, { open });
    const list = [call("press_key", { key: "a" }), call("navigate", { url: PAGE })];
    assert.ok((await computer.results(list)).every((each) => each.is_error));
    assert.deepEqual([calls, opened], [["act", "screenshot"], []]);
  });

  test("that fails ends the turn", async () => {
    for (const [error, said] of [
      [new ActionFailed("no browser", { reason: "ENDED" }), "Not performed: no browser [ENDED]"],
      [new OutcomeUnknown("it broke"), "It is not known whether this was done: it broke"],
    ] as const) {
      calls.length = 0;
      const computer = new Gemini(desk, { open: () => Promise.reject(error) });
      const list = [call("navigate", { url: PAGE }), call("press_key", { key: "a" })];
      const results = await computer.results(list);
      assert.ok(results.every((each) => each.is_error));
      assert.ok(JSON.stringify(results[0]).includes(said));
      assert.deepEqual(calls, ["screenshot"]);
    }
  });

  test("opens the pages of Fara", async () => {
    const model = new Qwen(desk, { version: "fara", open });
    assert.ok(!(await model.perform(fara({ action: "visit_url", url: PAGE }))).isError);
    assert.ok(!(await model.perform(fara({ action: "web_search", query: "a b&c" }))).isError);
    assert.deepEqual(opened, [PAGE, "https://www.bing.com/search?q=a%20b%26c"]);
    assert.ok((await model.perform(fara({ action: "visit_url" }))).isError);
    assert.equal(opened.length, 2);
  });

  test("must be a function", () => {
    const wrong = { open: "xdg-open" } as never;
    const why = { message: "open is 'xdg-open'; give a function" };
    assert.throws(() => new Gemini(desk, wrong), why);
    assert.throws(() => new Qwen(desk, wrong), why);
    const desktop = new Desktop("127.0.0.1:1");
    assert.throws(() => openWith(desktop, { wait: 121 }), InvalidRequest);
    assert.throws(() => openWith(desktop, { timeout: 1 } as never), InvalidRequest);
  });
});
