/** Answers of models that have no valid form: each becomes an error for the model. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import * as anthropic from "../../src/adapters/anthropic.js";
import type { Desk } from "../../src/adapters/flow.js";
import { quoted } from "../../src/adapters/format.js";
import * as gemini from "../../src/adapters/gemini.js";
import * as openai from "../../src/adapters/openai.js";
import * as opencua from "../../src/adapters/opencua.js";
import * as osworld from "../../src/adapters/osworld.js";
import * as qwen from "../../src/adapters/qwen.js";
import * as uiTars from "../../src/adapters/uiTars.js";
import { ActionStatus, ActResponseSchema } from "../../src/v1/desktop_pb.js";
import { CaptureFailed, Frame, Step } from "../../src/index.js";

let steps = 0;
let isCard = false;

const desk: Desk = {
  cursor: async () => [1, 2],
  screenshot: async () => {
    const size = { width: 640, height: 400, screen: [640, 400] as const };
    return new Frame({ image: Buffer.from("x"), format: "png", frameId: "f", isCard, ...size });
  },
  act: async (list) => {
    steps++;
    const results = [...list].map(() => ({ status: ActionStatus.DONE }));
    return new Step(create(ActResponseSchema, { results }), "id");
  },
};

/** Asserts that a model is told why its answer was not performed. */
async function refused(answer: Promise<unknown>, why: RegExp): Promise<void> {
  steps = 0;
  assert.match(JSON.stringify(await answer), why);
  assert.equal(steps, 0);
}

/** A value that cannot be converted to a string. */
const STUBBORN = { toString: 1, valueOf: 1 };

function nested(depth: number): unknown {
  return depth === 0 ? 1 : [nested(depth - 1)];
}

describe("malformed answers", () => {
  test("of Gemini", async () => {
    const computer = new gemini.Computer(desk);
    const call = { type: "function_call", id: "g", name: "take_screenshot" };
    for (const wrong of [[], "", 0, false, 5, "x", [1]]) {
      const why = /take_screenshot: the arguments are not an object/;
      await refused(computer.results([{ ...call, arguments: wrong }]), why);
      const part = { functionCall: { name: "take_screenshot", args: wrong } };
      await refused(computer.parts([part]), why);
    }
    const decided = (safety_decision: unknown) =>
      computer.results([{ ...call, arguments: { safety_decision } }]);
    for (const wrong of [[], "", 0, false, "require_confirmation"]) {
      await refused(decided(wrong), /safety_decision is not an object/);
    }
    const explained = { decision: "require_confirmation", explanation: STUBBORN };
    await refused(decided(explained), /a person must confirm first: {'toString': 1/);
    for (const name of [5, null, ["click"], STUBBORN]) {
      // It is a function of the worker.
      assert.deepEqual(await computer.results([{ ...call, name }]), []);
      assert.deepEqual(await computer.parts([{ functionCall: { name } }]), []);
    }
  });

  test("of Anthropic's models", async () => {
    const computer = new anthropic.Computer(desk);
    const call = { type: "tool_use", toolset_name: "computer", input: {} };
    for (const name of [STUBBORN, [STUBBORN], null]) {
      await refused(computer.results([{ ...call, name }]), /there is no computer action/);
    }
    const older = new anthropic.Computer(desk, { version: "computer_20250124" });
    const input = { action: STUBBORN };
    await refused(
      older.results([{ type: "tool_use", name: "computer", input }]),
      /action must be a string/,
    );
  });

  test("of OSWorld", async () => {
    const computer = new osworld.Computer(desk);
    for (const parameters of [[], "", 0, false]) {
      const why = /RIGHT_CLICK: the arguments are not an object/;
      await refused(computer.step({ action_type: "RIGHT_CLICK", parameters }), why);
    }
  });

  test("of UI-TARS", async () => {
    const computer = new uiTars.Computer(desk);
    const nines = "9".repeat(400);
    const points = [
      ...["(1e400,2)", `(${nines},2)`, `[${nines},1,-${nines},2]`, "(1,2)x", "x(1,2)", "(1,2) 3e"],
      ...["<point>1 2</point>;", "1-2", "(1,2,3)", "(1,,2)", "(1,2)(3,4)", "(1 2) OK"],
    ];
    for (const point of points) {
      const answer = computer.perform(`Action: click(point='${point}')`);
      await refused(answer, /point must be a point in whole numbers/);
    }
    const good = ["1 2", "1,2", "( 1 , 2 )", "<bbox>1 2 3 4</bbox>"];
    for (const point of [...good, "<|box_start|>(1,2)<|box_end|>"]) {
      const turn = await computer.perform(`Action: click(point='${point}')`);
      assert.equal(turn.isError, false, point);
    }
    for (const seconds of ["1e400", nines]) {
      const answer = computer.perform(`Action: wait(seconds='${seconds}')`);
      await refused(answer, /seconds must be from 0 to 300/);
    }
    await refused(computer.perform(null as never), /the answer is no text/);
  });

  test("of Qwen and Fara", async () => {
    const call = (values: unknown) =>
      `<tool_call>${JSON.stringify({ name: "computer_use", arguments: values })}</tool_call>`;
    const computer = new qwen.Computer(desk, { version: "fara" });
    const lone = { action: "web_search", query: "\ud800" };
    await refused(computer.perform(call(lone)), /lone surrogate/);
    const typed = { action: "type", text: "a\udc00" };
    await refused(computer.perform(call(typed)), /character 1 of the text is a lone surrogate/);
    for (const action of [STUBBORN, [STUBBORN], nested(2000), null]) {
      await refused(computer.perform(call({ action })), /there is no action/);
    }
    await refused(computer.perform(null as never), /the answer is no text/);
  });

  test("of OpenCUA", async () => {
    const computer = new opencua.Computer(desk);
    const perform = (code: string) => computer.perform(code);
    for (const open of ["(", "[", "{"]) {
      await refused(perform(open.repeat(10_000)), /too many nested parentheses/);
      const code = `pyautogui.write(${open.repeat(10_000)})`;
      await refused(perform(code), /too many nested parentheses/);
    }
    await refused(perform(`pyautogui.write(${"-".repeat(10_000)}1)`), /must be literals/);
    await refused(perform(`pyautogui.press({{"toString": 1}: 2})`), /keys must be/);
    for (const time of ["-1", "1e400", "-1e400", "'1'", "True", "[1]", "1j"]) {
      for (const call of ["write('a', interval=", "moveTo(1, 2, duration=", "click(1, 2, 1, "]) {
        const why = /(interval|duration) must be a number, at least 0/;
        await refused(perform(`pyautogui.${call}${time})`), why);
      }
    }
    for (const time of ["0", "0.5", "None"]) {
      const turn = await perform(`pyautogui.write('a', interval=${time})`);
      assert.equal(turn.isError, false);
    }
    await refused(computer.perform(null as never), /the answer is no text/);
  });
});

test("values that are nested deeply are cut", () => {
  assert.equal(quoted(nested(2)), "[[1]]");
  assert.equal(quoted(nested(5000)), `${"[".repeat(20)}...${"]".repeat(20)}`);
});

test("the size of the display does not come from a failure card", async () => {
  isCard = true;
  const older = new anthropic.Computer(desk, { version: "computer_20250124" });
  await assert.rejects(older.tool(), CaptureFailed);
  await assert.rejects(new openai.Computer(desk, { preview: true }).tool(), CaptureFailed);
  isCard = false;
  assert.equal((await older.tool()).display_width_px, 640);
});
