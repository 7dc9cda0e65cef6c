/** Arguments and options with wrong values, which are refused before anything is sent. */
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import * as anthropic from "../../src/adapters/anthropic.js";
import * as gemini from "../../src/adapters/gemini.js";
import * as openai from "../../src/adapters/openai.js";
import * as opencua from "../../src/adapters/opencua.js";
import * as osworld from "../../src/adapters/osworld.js";
import * as qwen from "../../src/adapters/qwen.js";
import * as uiTars from "../../src/adapters/uiTars.js";
import { actions, conditions, Desktop, InvalidRequest } from "../../src/index.js";
import * as pb from "../../src/v1/desktop_pb.js";
import { FakeDaemon } from "../support/daemon.js";

let calls: string[] = [];
const daemon = new FakeDaemon(({ name, output }) => {
  calls.push(name);
  if (name === "GetInfo") return create(pb.GetInfoResponseSchema, { instanceId: "i" });
  return create(output);
});
const desktop = new Desktop(daemon.address);

before(() => daemon.start());
after(async () => (await desktop.close(), daemon.stop()));
beforeEach(() => {
  calls = [];
});

/** Asserts that a call is refused with a text, and that nothing is sent. */
async function refused(call: () => unknown, why: string): Promise<void> {
  const error = await Promise.resolve()
    .then(call)
    .catch((failed: unknown) => failed);
  assert.ok(error instanceof InvalidRequest, `${String(call)}: ${String(error)}`);
  assert.equal(error.message, why);
  assert.equal(error.reason, "INVALID_FIELD");
  assert.deepEqual(calls, []);
}

/** A value of any type, as JavaScript allows it. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
const any = (value: unknown): any => value;

describe("options that are wrong are refused", () => {
  const names = 'give names such as "ctrl+s" or ["ctrl", "s"]';
  const object = "is not an object; give an object with an entry for each";

  test("of actions", async () => {
    const makers: ((options: object) => unknown)[] = [
      (options) => actions.click(1, 2, options),
      (options) => actions.move(1, 2, options),
      (options) => actions.drag([[1, 2]], options),
      (options) => actions.scroll(0, 1, options),
    ];
    for (const make of makers) {
      for (const [modifiers, text] of [
        [5, "5"],
        [{}, "{}"],
        [null, "null"],
        [true, "true"],
        [["ctrl", 5], "[ 'ctrl', 5 ]"],
      ]) {
        await refused(() => make({ modifiers }), `modifiers is ${text as string}; ${names}`);
      }
      await refused(() => make(any(5)), `5 ${object} option of this action`);
      await refused(() => make(any(null)), `null ${object} option of this action`);
      assert.match(
        String(
          await Promise.resolve()
            .then(() => make({ modifier: 1 }))
            .catch(String),
        ),
        /there is no option of this action 'modifier'/,
      );
    }
    const call = (options: object) => desktop.click(1, 2, options);
    await refused(() => call({ modifiers: 5 }), `modifiers is 5; ${names}`);
    for (const keys of [undefined, 5, {}, null, [5]]) {
      const text = Array.isArray(keys)
        ? "[ 5 ]"
        : keys === null || typeof keys !== "object"
          ? String(keys)
          : "{}";
      await refused(() => actions.press(any(keys)), `keys is ${text}; ${names}`);
      await refused(() => actions.keys(any(keys)), `keys is ${text}; ${names}`);
    }
    await refused(() => any(desktop).press(), `keys is undefined; ${names}`);
    await refused(() => any(desktop).hold("a"), "seconds is undefined; give seconds, at least 0");
    await refused(() => actions.keyDown(any(5)), "key is 5; give a string");
    await refused(() => actions.keyUp(any(undefined)), "key is undefined; give a string");
    await refused(() => actions.paste("a", { chord: any(5) }), "chord is 5; give a string");
    await refused(() => actions.drag(any(5)), "path is 5; give a list of [x, y]");
    await refused(() => actions.drag(any([5])), "a point of the path is 5; give [x, y]");
    await refused(
      () => actions.drag(any([[1, 2, 3]])),
      "a point of the path is [ 1, 2, 3 ]; give [x, y]",
    );
    const unit = any({ toString: 1 });
    await refused(
      () => actions.scroll(0, 1, { unit }),
      "unit is { toString: 1 }; choose notch or pixel",
    );
    const buttons = "choose one of left, middle, wheel, right, back, forward";
    await refused(
      () => actions.click(1, 2, { button: unit }),
      `there is no button { toString: 1 }; ${buttons}`,
    );
    const condition = "make one with the functions of conditions";
    await refused(() => actions.waitFor(any("x")), `the condition is 'x'; ${condition}`);
    await refused(
      () => conditions.anyOf(any(undefined)),
      `the condition is undefined; ${condition}`,
    );
    await refused(() => desktop.waitFor(any({})), `the condition is {}; ${condition}`);
    await refused(() => conditions.changes(any(5)), "region is 5; give [x, y, width, height]");
    assert.deepEqual(actions.click(1, 2, { modifiers: "" }), actions.click(1, 2));
    assert.deepEqual(actions.click(1, 2, { modifiers: [] }), actions.click(1, 2));
  });

  test("of steps", async () => {
    const act = (options: object) => () => desktop.act([actions.wait(0)], any(options));
    await refused(act({ expect: "x" }), "expect is 'x'; give a frame");
    await refused(act({ expect: null }), "expect is null; give a frame");
    for (const name of ["frame", "stopAtFirst", "unproved", "noPacing", "check"]) {
      await refused(act({ [name]: "no" }), `${name} is 'no'; give true or false`);
      await refused(act({ [name]: null }), `${name} is null; give true or false`);
    }
    await refused(act({ settle: "" }), "settle is ''; give seconds, at least 0");
    await refused(act({ settle: false }), "settle is false; give seconds, at least 0");
    await refused(act({ signal: 5 }), "signal is 5; give an AbortSignal");
    await refused(act({ picture: 5 }), `5 ${object} option of pictures`);
    const spaces = "give a frame, its id, [width, height] or null";
    await refused(act({ space: 5 }), `space is 5; ${spaces}`);
    await refused(act({ space: {} }), `space is {}; ${spaces}`);
    await refused(act(any(5)), `5 ${object} option of steps`);
    await refused(act(any(null)), `null ${object} option of steps`);
    await refused(() => desktop.wait(0, any(5)), `5 ${object} option`);
    await refused(() => desktop.click(any(null)), `null ${object} option`);
    const one = any(actions.wait(0));
    await assert.rejects(
      desktop.act(one),
      /^InvalidRequest: the actions are .*; give a list of actions$/,
    );
    await refused(() => desktop.act(any(5)), "the actions are 5; give a list of actions");
    const make = "make actions with the functions of actions";
    await refused(() => desktop.act(any([5])), `element 1 of the actions is 5; ${make}`);
    await refused(
      () => desktop.act([actions.wait(0), any({})]),
      `element 2 of the actions is {}; ${make}`,
    );
  });

  test("of pictures", async () => {
    const take = (options: unknown) => () => desktop.screenshot(any(options));
    await refused(take({ cursor: "no" }), "cursor is 'no'; give true or false");
    await refused(take({ unproved: 1 }), "unproved is 1; give true or false");
    await refused(take({ ifChangedSince: 5 }), "ifChangedSince is 5; give a frame or its id");
    await refused(take({ picture: 5 }), `5 ${object} option of pictures`);
    await refused(take({ fit: 5 }), `5 ${object} limit of images`);
    await refused(take({ fit: 0 }), `0 ${object} limit of images`);
    await refused(take({ fit: { mayEnlarge: 1 } }), "mayEnlarge is 1; give true or false");
    await refused(take({ region: 0 }), "region is 0; give [x, y, width, height]");
    await refused(take({ size: 0 }), "size is 0; give [width, height]");
    await refused(take({ format: "" }), "format is ''; choose png, jpeg, webp or raw");
    await refused(take(5), `5 ${object} option`);
    const both = { picture: {}, format: "jpeg" };
    const why = "picture and format exclude each other; put format into the picture";
    await refused(take(both), why);
    await refused(() => actions.screenshot(any(5)), `5 ${object} option of pictures`);
    const watch = (options: object) => () => desktop.watch(any(options)).next();
    await refused(watch({ regions: 1 }), "regions is 1; give true or false");
    await refused(watch({ maxFps: "x" }), "maxFps is 'x'; give a whole number, at least 0");
  });

  test("of other calls", async () => {
    const signal = "signal is 5; give an AbortSignal";
    for (const name of ["cursor", "info", "screenSize", "pressed", "releaseAll"]) {
      await refused(() => any(desktop)[name]({ signal: 5 }), signal);
      await refused(() => any(desktop)[name](5), `5 ${object} option`);
    }
    const ready = (options: object) => () => desktop.waitReady(1, any(options));
    await refused(ready({ allowUnsettled: 1 }), "allowUnsettled is 1; give true or false");
    await refused(ready({ windows: 5 }), "windows is 5; give a list of titles or objects");
    await refused(
      ready({ windows: "xterm" }),
      "windows is 'xterm'; give a list of titles or objects",
    );
    await refused(ready({ windows: [5] }), `5 ${object} property of windows`);
    await refused(ready({ windows: [{ title: 5 }] }), "title is 5; give a string");
    const windows = any(desktop.windows);
    await refused(() => windows.close("x", { check: "no" }), "check is 'no'; give true or false");
    await refused(() => windows.close("x", 5), `5 ${object} option`);
    await refused(() => windows.close({ id: 5 }), "the id of the window is 5; give a string");
    await refused(() => windows.place("x", 5), `5 ${object} part of a place`);
    const stack = any(desktop.stack);
    await refused(() => stack.up([5, 5], { wait: "no" }), "wait is 'no'; give true or false");
    await refused(() => stack.up(0), "size is 0; give [width, height]");
    await refused(() => stack.down(5), `5 ${object} option`);
    await refused(() => stack.resize([5, 5], 5), `5 ${object} option`);
  });

  test("of desktops", async () => {
    const made = (options: unknown) => () => new Desktop("a:1", any(options));
    await refused(made({ token: 5 }), "token is 5; give a string");
    await refused(made({ tokenFile: 5 }), "tokenFile is 5; give a string");
    await refused(made(5), `5 ${object} option of a desktop`);
    assert.throws(made({ tokn: "x" }), /there is no option of a desktop 'tokn'; choose from/);
    const why = "the server is 5; give unix:/path, host:port or exec:command";
    await refused(() => new Desktop(any(5)), why);
  });
});

test("options of adapters that are wrong are refused", async () => {
  const adapters = [anthropic, gemini, openai, opencua, osworld, qwen, uiTars];
  for (const { Computer } of any(adapters)) {
    await refused(
      () => new Computer(desktop, { confirm: "yes" }),
      "confirm is 'yes'; give a function",
    );
    const made = () => new Computer(desktop, { confrim: () => true });
    assert.throws(made, /there is no option of this adapter 'confrim'; choose from .*confirm/);
  }
  for (const { Computer } of [gemini, openai]) {
    const made = () => new Computer(desktop, { acknowledge: any(true) });
    await refused(made, "acknowledge is true; give a function");
  }
});

test("timeouts that are not above 0 or longer than a day are refused", async () => {
  const limits = "give seconds above 0, at most 86,400";
  const values: [unknown, string][] = [
    [1e12, "1000000000000"],
    [86_400.5, "86400.5"],
    [Infinity, "Infinity"],
    [0, "0"],
    [-1, "-1"],
    [NaN, "NaN"],
    ["5", "'5'"],
  ];
  for (const [value, text] of values) {
    const timeout = any(value);
    const why = `timeout is ${text}; ${limits}`;
    await refused(() => new Desktop("a:1", { timeout }), why);
    await refused(() => desktop.screenshot({ timeout }), why);
    await refused(() => desktop.click(1, 2, { timeout }), why);
    await refused(() => desktop.cursor({ timeout }), why);
    await refused(() => desktop.watch({ timeout }).next(), why);
    await refused(() => desktop.stack.down({ timeout }), why);
    if (value === 0) continue;
    // The time of a wait may be 0.
    await refused(() => desktop.waitReady(timeout), why);
    await refused(() => desktop.waitFor(conditions.changes(), timeout), why);
    await refused(() => desktop.windows.close("x", { timeout }), why);
  }
  await assert.rejects(desktop.waitReady(86_400), { reason: "NOT_PAINTED" });
  calls = [];
  // The time that actions take by themselves does not make a call longer than a day.
  const slow = actions.typeText("a".repeat(60_000), { rate: 1 });
  await desktop.act([slow, slow], { check: false });
  assert.ok(calls.includes("Act"));
});
