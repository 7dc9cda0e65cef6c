/** The parts that the vectors do not cover: the SDKs' interfaces, names and texts. */
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { create, type JsonObject, toJson } from "@bufbuild/protobuf";
import { computerTool } from "@openai/agents";
import { Toolset } from "../../src/adapters/anthropicToolset.js";
import * as anthropic from "../../src/adapters/anthropic.js";
import { first, flatJson, general, quoted } from "../../src/adapters/format.js";
import * as gemini from "../../src/adapters/gemini.js";
import * as openai from "../../src/adapters/openai.js";
import { DeskdComputer } from "../../src/adapters/openaiAgents.js";
import * as opencua from "../../src/adapters/opencua.js";
import * as qwen from "../../src/adapters/qwen.js";
import * as uiTars from "../../src/adapters/uiTars.js";
import {
  ActionFailed,
  Desktop,
  DeskdError,
  InvalidRequest,
  OutcomeUnknown,
} from "../../src/index.js";
import * as pb from "../../src/v1/desktop_pb.js";
import { FailureStage, FrameKind, FrameSchema, ImageFormat } from "../../src/v1/frame_pb.js";
import { Reason } from "../../src/v1/reason_pb.js";
import { FakeDaemon } from "../support/daemon.js";

const FAILURE = { stage: FailureStage.CAPTURE, reason: Reason.NO_DISPLAY, message: "no display" };
const NO_SCREENSHOT =
  "Not performed: there is no screenshot to which the points refer. Take a screenshot first.";
const IMAGE = Buffer.from("picture").toString("base64");

let asked: [name: string, request: JsonObject][] = [];
let isCard = false;
let refusal: { status: string; reason: string; message: string } | undefined;
let outcome = pb.ActionStatus.DONE;

function frame() {
  const common = {
    image: Buffer.from("picture"),
    format: ImageFormat.PNG,
    width: 640,
    height: 400,
  };
  const kind = isCard ? FrameKind.FAILURE_CARD : FrameKind.SCREEN;
  const region = { x: 0, y: 0, width: 1280, height: 800 };
  const screen = { screenWidth: 1280, screenHeight: 800, region, frameId: "f1" };
  return create(FrameSchema, { ...common, kind, ...(isCard ? { failure: FAILURE } : screen) });
}

const daemon = new FakeDaemon(({ name, input, output }, request) => {
  if (name === "GetInfo") return create(pb.GetInfoResponseSchema, { instanceId: "i" });
  const { operationId: _, instanceId: __, ...rest } = toJson(input, request) as JsonObject;
  asked.push([name, rest]);
  if (refusal !== undefined) throw refusal;
  if (name === "Screenshot") return create(pb.ScreenshotResponseSchema, { frame: frame() });
  if (name === "GetCursor") {
    return create(pb.GetCursorResponseSchema, { cursor: { position: { x: 100, y: 50 } } });
  }
  const step = request as pb.ActRequest;
  assert.equal(output, pb.ActResponseSchema);
  const isDone = outcome === pb.ActionStatus.DONE;
  return create(pb.ActResponseSchema, {
    outcome: isDone ? pb.ActOutcome.DONE : pb.ActOutcome.PARTIAL,
    results: step.actions.map(() => ({
      status: outcome,
      ...(isDone
        ? {}
        : { failure: { ...FAILURE, message: "not taken", reason: Reason.NOT_TAKEN } }),
    })),
    settle: { state: pb.SettleState.NO_CHANGE },
    ...(step.noFrame ? {} : { frame: frame() }),
  });
});
const desktop = new Desktop(daemon.address);

before(() => daemon.start());
after(async () => (await desktop.close(), daemon.stop()));
beforeEach(() => {
  asked = [];
  isCard = false;
  refusal = undefined;
  outcome = pb.ActionStatus.DONE;
});

describe("the toolset of Anthropic's SDK", () => {
  const toolset = () => new Toolset(desktop, { confirm: () => true });
  const use = (name: string, input: object) =>
    ({ type: "tool_use", id: "t1", name, toolset_name: "computer", input }) as never;
  const image = { type: "image", source: { type: "base64", media_type: "image/png", data: IMAGE } };

  test("has the entry of the API", () => {
    assert.deepEqual(toolset().toJSON(), { type: "computer_toolset_20260801" });
    assert.throws(() => new Toolset(desktop), /requires a confirm callable/);
    const configs = {
      key: { enabled: false },
      type: { enabled: false },
      hold_key: { enabled: false },
    };
    assert.deepEqual(new Toolset(desktop, { configs }).toJSON().configs, configs);
  });

  test("performs calls", async () => {
    const tools = toolset();
    const shown = await tools.toolResult(use("screenshot", {}));
    assert.deepEqual(shown.content, [image]);
    const clicked = await tools.toolResult(use("left_click", { coordinate: [40, 12] }));
    assert.deepEqual(clicked, {
      type: "tool_result",
      tool_use_id: "t1",
      toolset_name: "computer",
      content: [
        { type: "text", text: "Clicked." },
        { type: "text", text: "The screen did not change." },
      ],
    });
    const cursor = await tools.toolResult(use("cursor_position", {}));
    assert.deepEqual(cursor.content, [{ type: "text", text: "X=50,Y=25" }]);
    assert.deepEqual(
      asked.map(([name]) => name),
      ["Screenshot", "Act", "GetCursor"],
    );
    assert.deepEqual(asked[1]![1]["coordinateSpace"], { frameId: "f1" });
    assert.equal(asked[1]![1]["noFrame"], true);
  });

  test("refuses points that refer to no picture", async () => {
    const tools = toolset();
    const refused = async (name: string, input: object, why: string) => {
      const result = await tools.toolResult(use(name, input));
      // The SDK sends the model no picture of an error.
      const expected = { content: [{ type: "text", text: why }], is_error: true };
      assert.deepEqual({ content: result.content, is_error: result.is_error }, expected);
    };
    await refused("mouse_move", { coordinate: [1, 2] }, NO_SCREENSHOT);
    await refused("mouse_move", { coordinate: [1, 2] }, NO_SCREENSHOT);
    await refused("zoom", { region: [0, 0, 5, 5] }, NO_SCREENSHOT);
    await tools.toolResult(use("screenshot", {}));
    await tools.toolResult(use("mouse_move", { coordinate: [1, 2] }));
    refusal = { status: "FAILED_PRECONDITION", reason: "STALE_EPOCH", message: "resized" };
    const stale = "Not performed: resized [STALE_EPOCH]";
    await refused("mouse_move", { coordinate: [1, 2] }, stale);
    refusal = undefined;
    await refused("mouse_move", { coordinate: [1, 2] }, NO_SCREENSHOT);
    assert.deepEqual(
      asked.map(([name]) => name),
      ["Screenshot", "Act", "Act"],
    );
  });

  test("reports errors", async () => {
    const text = async (name: string, input: object) => {
      const result = await toolset().toolResult(use(name, input));
      assert.equal(result.is_error, true);
      return (result.content as { text: string }[])[0]!.text;
    };
    const wrong = "Invalid call, not performed: wait: duration is required";
    assert.equal(await text("wait", {}), wrong);
    refusal = { status: "OUT_OF_RANGE", reason: "OUT_OF_SCREEN", message: "outside" };
    assert.equal(await text("left_click", {}), "Not performed: outside [OUT_OF_SCREEN]");
    refusal = undefined;
    outcome = pb.ActionStatus.FAILED;
    assert.equal(await text("type", { text: "a" }), "Failed: not taken [NOT_TAKEN]");
    isCard = true;
    assert.equal(await text("screenshot", {}), "No picture of the screen: no display [NO_DISPLAY]");
  });
});

describe("the computer of OpenAI's Agents SDK", () => {
  test("performs calls", async () => {
    const computer = new DeskdComputer(desktop, { dimensions: [640, 400] });
    assert.equal(computerTool({ computer }).type, "computer");
    assert.deepEqual([computer.environment, computer.dimensions], ["ubuntu", [640, 400]]);
    assert.equal(await computer.screenshot(), IMAGE);
    await computer.click(1, 2, "wheel");
    await computer.doubleClick(1, 2);
    await computer.scroll(1, 2, 0, 100);
    await computer.type("a");
    await computer.wait();
    await computer.move(1, 2);
    await computer.keypress(["CTRL", "A"]);
    await computer.drag([
      [1, 2],
      [3, 4],
    ]);
    const kinds = asked
      .slice(1)
      .map(([, request]) => Object.keys((request["actions"] as [object])[0])[0]);
    assert.deepEqual(kinds, ["click", "click", "scroll", "type", "wait", "move", "key", "drag"]);
  });

  test("throws errors", async () => {
    const computer = new DeskdComputer(desktop);
    await assert.rejects(computer.click(1.5, 2, "left"), InvalidRequest);
    for (const _ of [1, 2]) {
      const message = NO_SCREENSHOT;
      await assert.rejects(computer.click(1, 2, "left"), { name: "ActionFailed", message });
    }
    // The SDK shows the model no picture of an error.
    assert.deepEqual(asked, []);
    outcome = pb.ActionStatus.FAILED;
    await assert.rejects(computer.type("a"), ActionFailed);
    refusal = { status: "DEADLINE_EXCEEDED", reason: "DEADLINE", message: "late" };
    await assert.rejects(computer.type("a"), OutcomeUnknown);
  });
});

describe("entries for tools", () => {
  test("of Anthropic", async () => {
    const tool = await new anthropic.Computer(desktop, { disabled: ["zoom", "key"] }).tool();
    const off = { enabled: false };
    assert.deepEqual(tool, { type: "computer_toolset_20260801", configs: { key: off, zoom: off } });
    const older = new anthropic.Computer(desktop, { version: "computer_20251124" });
    const size = { name: "computer", display_width_px: 640, display_height_px: 400 };
    assert.deepEqual(await older.tool(), { type: "computer_20251124", ...size, enable_zoom: true });
    assert.deepEqual(older.betas, ["computer-use-2025-11-24"]);
    const oldest = new anthropic.Computer(desktop, { version: "computer_20241022" });
    assert.deepEqual(await oldest.tool(), { type: "computer_20241022", ...size });
    assert.deepEqual(new anthropic.Computer(desktop).betas, []);
  });

  test("of OpenAI", async () => {
    assert.deepEqual(await new openai.Computer(desktop).tool(), { type: "computer" });
    const size = { display_width: 640, display_height: 400 };
    const preview = await new openai.Computer(desktop, { preview: true }).tool();
    assert.deepEqual(preview, { type: "computer_use_preview", ...size, environment: "linux" });
  });

  test("of Gemini", () => {
    const environment = "desktop";
    const computer = new gemini.Computer(desktop, { excluded: ["search"] });
    const excluded = { excluded_predefined_functions: ["search"] };
    assert.deepEqual(computer.tool(), { type: "computer_use", environment, ...excluded });
    assert.deepEqual(computer.contentTool(), {
      computerUse: { environment: "ENVIRONMENT_DESKTOP", excludedPredefinedFunctions: ["search"] },
    });
  });

  test("settings that do not exist are refused", () => {
    const wrong = { version: "7" } as never;
    for (const { Computer } of [anthropic, qwen, uiTars]) {
      assert.throws(() => new Computer(desktop, wrong), DeskdError);
    }
    assert.throws(
      () => new anthropic.Computer(desktop, { disabled: ["fly"] as never }),
      DeskdError,
    );
  });
});

test("Gemini's parts have the names of JavaScript if the call has them", async () => {
  const computer = new gemini.Computer(desktop);
  const call = { functionCall: { id: "g1", name: "click_at", args: { x: 1, y: 2 } } };
  const inlineData = { mimeType: "image/png", data: IMAGE };
  const response = { url: "", output: "The screen did not change." };
  assert.deepEqual(await computer.parts([{ text: "x" }, call]), [
    { functionResponse: { name: "click_at", id: "g1", response, parts: [{ inlineData }] } },
  ]);
});

test("a preview that asks for safety checks with no action", async () => {
  const item = { type: "computer_call", call_id: "c", pending_safety_checks: [{ id: "s" }] };
  const [, message] = await new openai.Computer(desktop).outputs([item]);
  const text = "Computer tool: Action 1 (None): Not performed: a person must confirm first: s";
  assert.deepEqual((message as openai.InputMessage).content, [{ type: "input_text", text }]);
});

test("UI-TARS of version 2 calls functions", async () => {
  const computer = new uiTars.Computer(desktop, { version: "2" });
  const turn = await computer.call([
    ["click", { point: "<point>5 6</point>" }],
    ["fly", {}],
  ]);
  assert.deepEqual(
    turn.outcomes.map((each) => each.status),
    ["done", "failed"],
  );
  assert.equal((await computer.look()).frameId, "f1");
});

test("code that is not accepted", () => {
  const bad: Record<string, RegExp> = {
    "click the button": /invalid syntax \(<unknown>, line 1\)/,
    "pyautogui.click(1, 2": /'\(' was never closed \(<unknown>, line 1\)/,
    "pyautogui.click(1, 2))": /unmatched '\)'/,
    "pyautogui.write('a)": /unterminated string literal \(detected at line 1\)/,
    "pyautogui.click(010, 2)": /leading zeros/,
    "pyautogui.click(1_, 2)": /invalid decimal literal/,
    "pyautogui.click(1,, 2)": /invalid syntax/,
    "pyautogui.click(x=1, 2)": /positional argument follows keyword argument/,
    "pyautogui.click(1, 2)\n  pyautogui.click(1, 2)": /unexpected indent \(<unknown>, line 2\)/,
    "pyautogui.write(“a”)": /invalid character '“' \(U\+201C\)/,
    "pyautogui.write(f'{a}')": /the arguments must be literals/,
    "pyautogui.write('a' * 5)": /the arguments must be literals/,
    "pyautogui.click(*[1, 2])": /the arguments must be literals/,
    "constructor(1)": /^there is no function .constructor.$/,
    "if x:\n  pyautogui.click(1, 2)": /^line 1 is no call but If$/,
    "pyautogui.click(1, 2)\nx += 1": /^line 2 is no call but AugAssign$/,
    "pyautogui.click(1, 2), 3": /^line 1 is no call but Expr$/,
    "pyautogui.click(1, 2).x()": /^there is no function 'pyautogui.click\(1, 2\).x'$/,
    ["pyautogui.press(" + "[".repeat(300) + "]".repeat(300) + ")"]: /too many nested/,
  };
  for (const [code, message] of Object.entries(bad)) {
    assert.throws(() => opencua.parse(code), { message }, code);
  }
});

test("code that is accepted", () => {
  const parse = (code: string) => opencua.parse(code)[0]![1];
  const place = { x: 40, y: 12 };
  assert.deepEqual(
    parse("# a\nfrom a.b import (c as d)\npyautogui . click(\n  40, # b\n  12,\n)"),
    place,
  );
  assert.deepEqual(parse("(pyautogui.click((40, 12)));"), place);
  assert.deepEqual(parse("pyautogui.click(0x28, 1_2.0)\r\n"), place);
  assert.deepEqual(parse("pyautogui.click(None, y=-1e1)"), { x: null, y: -10 });
  const written = { message: "a\nb\\c'é😀\\q" };
  assert.deepEqual(
    parse(`pyautogui.write("""a\nb""" r'\\c' '\\'\\u00e9' "\\U0001F600\\q")`),
    written,
  );
  assert.deepEqual(parse("pyautogui.hotkey('ctrl', 'c', interval=0.1)"), {
    keys: ["ctrl", "c"],
    interval: 0.1,
  });
});

test("values in texts", () => {
  const texts = ["it's", `"`, `it's "x"`, "a\n\\\t\0\u00e9\u2028\u{1f600}\u{e0001}"];
  const expected = [`"it's"`, `'"'`, `'it\\'s "x"'`, "'a\\n\\\\\\t\\x00é\\u2028😀\\U000e0001'"];
  assert.deepEqual(texts.map(quoted), expected);
  assert.deepEqual([null, undefined, true, [1, "a"], { a: false }].map(quoted), [
    ...["None", "None", "True", "[1, 'a']", "{'a': False}"],
  ]);
  assert.deepEqual([1e-7, 1e16, 1.5, 300].map(quoted), ["1e-07", "1e+16", "1.5", "300"]);
  const numbers = [0, 2, 1.5, 0.001, 1e-5, 123456, 1234567, 12345.678, 1 / 3];
  assert.deepEqual(numbers.map(general), [
    ...["0", "2", "1.5", "0.001", "1e-05", "123456", "1.23457e+06", "12345.7", "0.333333"],
  ]);
  assert.equal(first(3, "a😀bc"), "a😀b");
  assert.equal(
    flatJson({ url: "", ok: true, text: 'é"' }),
    '{"url": "", "ok": true, "text": "é\\""}',
  );
});
