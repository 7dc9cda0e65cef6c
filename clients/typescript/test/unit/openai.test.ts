/** OpenAI's responses that have several calls. */
import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import type { Desk } from "../../src/adapters/flow.js";
import { Computer, type InputMessage } from "../../src/adapters/openai.js";
import { type actions, Frame, Step, Unavailable } from "../../src/index.js";
import * as pb from "../../src/v1/desktop_pb.js";
import { FrameSchema } from "../../src/v1/frame_pb.js";

const { DONE, FAILED } = pb.ActionStatus;
const HALTED = "Not executed: an earlier action failed.";

/** What was done and asked, in order. */
let done: string[] = [];
let statuses: pb.ActionStatus[] = [];
let isBlind = false;

const desk: Desk = {
  cursor: async () => [1, 2],
  screenshot: async () => {
    if (isBlind) throw new Unavailable("no daemon");
    const size = { width: 1, height: 1, screen: [1, 1] as const };
    return new Frame({ image: Buffer.from("x"), format: "png", frameId: "f", ...size });
  },
  act: async (list) => {
    const results = [...list].map((each) => {
      done.push(typed(each));
      return { status: statuses.shift() ?? DONE };
    });
    const frame = create(FrameSchema, { width: 1, height: 1 });
    return new Step(create(pb.ActResponseSchema, { results, frame }), "id");
  },
};

function typed({ action }: actions.Action): string {
  return action.case === "type" ? action.value.text : "";
}

function call(text: string, ...checks: string[]) {
  return {
    type: "computer_call",
    call_id: text,
    pending_safety_checks: checks.map((id) => ({ id })),
    actions: [{ type: "type", text }],
  };
}

/** The calls that are answered, each with the text of the message after it. */
async function answers(
  computer: Computer<boolean>,
  ...output: unknown[]
): Promise<[string, string][]> {
  const found: [string, string][] = [];
  for (const item of await computer.outputs(output)) {
    if (item.type === "computer_call_output") found.push([item.call_id, ""]);
    else found.at(-1)![1] = textOf(item);
  }
  return found;
}

function textOf(message: InputMessage): string {
  return message.content[0]!.text;
}

beforeEach(() => {
  done = [];
  statuses = [];
  isBlind = false;
});

describe("several calls", () => {
  test("stop at the first that fails", async () => {
    statuses = [DONE, FAILED];
    const found = await answers(new Computer(desk), call("a"), call("b"), call("c"), call("d"));
    const text = (why: string) => `Computer tool: Action 1 (type): ${why}`;
    assert.deepEqual(found, [
      ["a", ""],
      ["b", text("Failed: the action was FAILED")],
      ["c", text(HALTED)],
      ["d", text(HALTED)],
    ]);
    assert.deepEqual(done, ["a", "b"]);
  });

  test("are confirmed before the first is performed", async () => {
    const acknowledge = (checks: { id: string }[]) => {
      done.push(`check ${checks[0]!.id}`);
      return true;
    };
    const confirm = (_: string, { text }: Record<string, unknown>) => {
      done.push(`confirm ${String(text)}`);
      return true;
    };
    const computer = new Computer(desk, { acknowledge, confirm });
    await answers(computer, call("a", "1"), call("b", "2"));
    assert.deepEqual(done, ["check 1", "check 2", "confirm a", "confirm b", "a", "b"]);
  });

  test("are not performed if one is not acknowledged", async () => {
    const computer = new Computer(desk, { acknowledge: ([check]) => check!.id === "1" });
    const found = await answers(computer, call("a", "1"), call("b", "2"), call("c"));
    const text = (why: string) => `Computer tool: Action 1 (type): Not performed: ${why}`;
    const other = text("another call of this response must be confirmed first.");
    assert.deepEqual(found, [
      ["a", other],
      ["b", text("a person must confirm first: 2")],
      ["c", other],
    ]);
    assert.deepEqual(done, []);
  });

  test("are acknowledged only by the answer true", async () => {
    for (const answer of ["no", 1, {}, undefined, null]) {
      const acknowledge = async () => answer as boolean;
      const computer = new Computer(desk, { acknowledge });
      const [[, text] = ["", ""]] = await answers(computer, call("a", "1"));
      assert.match(text, /Not performed: a person must confirm first: 1$/);
    }
    assert.deepEqual(done, []);
  });

  test("point at no picture that the model has not seen", async () => {
    const click = { type: "click", button: "left", x: 0, y: 0 };
    const computer = new Computer(desk);
    const found = await answers(computer, call("a"), { ...call("b"), actions: [click] });
    const text =
      "Computer tool: Action 1 (click): Not performed: " +
      "there is no screenshot to which the points refer. Take a screenshot first.";
    assert.deepEqual(found, [
      ["a", ""],
      ["b", text],
    ]);
    assert.deepEqual(done, ["a"]);
    // The entry for the tool needs a picture, which the model does not see.
    const preview = new Computer(desk, { preview: true });
    await preview.tool();
    const [[, other] = ["", ""]] = await answers(preview, { ...call("b"), actions: [click] });
    assert.equal(other, text);
  });

  test("that were done are named if a later one has no picture", async () => {
    isBlind = true;
    const output = new Computer(desk).outputs([call("a"), { ...call("b"), actions: [] }]);
    const message = "The earlier calls were done. The last: no daemon";
    await assert.rejects(output, { name: "Unavailable", message });
    assert.deepEqual(done, ["a"]);
  });
});

test("calls that are malformed are refused", async () => {
  const computer = new Computer(desk, { acknowledge: () => true });
  const list = "actions must be a list";
  const checks = "pending_safety_checks must be a list of objects with an id";
  const elements = [null, "s", [], {}, { id: 1 }, { id: "s", message: {} }];
  const wrongChecks = [{}, "s", 5, true, 0, "", ...elements.map((each) => [each])];
  const bad: [object, string][] = [
    ...[{}, "type", 5, true, 0, ""].map((each): [object, string] => [{ actions: each }, list]),
    ...wrongChecks.map((each): [object, string] => [{ pending_safety_checks: each }, checks]),
    [{ actions: [null] }, "there is no computer action None"],
    [{ actions: [{ type: { toString: 1 } }] }, "there is no computer action {'toString': 1}"],
    [{ actions: null, action: 0 }, "there is no computer action None"],
  ];
  for (const [wrong, why] of bad) {
    const [[, text] = ["", ""]] = await answers(computer, { ...call("a"), ...wrong });
    assert.match(text, /^Computer tool: Action 1 \(/);
    assert.equal(text.slice(text.indexOf("Invalid")), `Invalid action, not performed: ${why}`);
  }
  assert.deepEqual(done, []);
  const nothing = { ...call("a"), pending_safety_checks: null };
  assert.deepEqual(await answers(computer, nothing), [["a", ""]]);
});
