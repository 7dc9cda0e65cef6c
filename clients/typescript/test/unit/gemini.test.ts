/** Gemini's safety decisions and distances. */
import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import type { Desk } from "../../src/adapters/flow.js";
import { Computer } from "../../src/adapters/gemini.js";
import { type actions, Frame, Step } from "../../src/index.js";
import * as pb from "../../src/v1/desktop_pb.js";
import { FrameSchema } from "../../src/v1/frame_pb.js";

let done: actions.Action[] = [];
let isCard = false;

const desk: Desk = {
  cursor: async () => [1, 2],
  screenshot: async () => {
    const size = { width: 1, height: 1, screen: [1280, 800] as const };
    return new Frame({ image: Buffer.from("x"), format: "png", frameId: "f", isCard, ...size });
  },
  act: async (list) => {
    const results = [...list].map((each) => (done.push(each), { status: pb.ActionStatus.DONE }));
    const frame = create(FrameSchema, { screenWidth: 1280, screenHeight: 800 });
    return new Step(create(pb.ActResponseSchema, { results, frame }), "id");
  },
};

/** The response to a call. */
async function response(computer: Computer, name: string, given: object): Promise<unknown> {
  const call = { type: "function_call", id: "g", name, arguments: given };
  const [{ result } = { result: [] }] = await computer.results([call]);
  const [text] = result;
  return JSON.parse(text?.type === "text" ? text.text : "");
}

beforeEach(() => {
  done = [];
  isCard = false;
});

describe("a safety decision", () => {
  const place = { x: 1, y: 2 };
  const harmless = [{ decision: "regular" }, { decision: "allowed" }, null];
  const others = [{}, { explanation: "" }, { decision: null }, { decision: "Regular" }];

  test("that is missing or unknown needs a person", async () => {
    for (const safety_decision of others) {
      const error = "Not performed: a person must confirm first";
      const answer = await response(new Computer(desk), "click", { ...place, safety_decision });
      assert.deepEqual(answer, { url: "", error });
    }
    assert.equal(done.length, 0);
    for (const safety_decision of harmless) {
      const answer = await response(new Computer(desk), "click", { ...place, safety_decision });
      assert.deepEqual(answer, { url: "" });
    }
    assert.equal(done.length, harmless.length);
  });

  test("is acknowledged only by the answer true", async () => {
    const asked: unknown[] = [];
    const ask = (answer: unknown) => {
      const acknowledge = async (_: string, values: object) => {
        asked.push(values);
        return answer as boolean;
      };
      const given = { ...place, safety_decision: {} };
      return response(new Computer(desk, { acknowledge }), "click", given);
    };
    for (const answer of ["no", 1, {}, undefined]) {
      const error = "Not performed: a person did not allow click.";
      assert.deepEqual(await ask(answer), { url: "", error });
    }
    assert.equal(done.length, 0);
    assert.deepEqual(await ask(true), { url: "", safety_acknowledgement: true });
    assert.deepEqual(asked, new Array(5).fill({ ...place, safety_decision: {} }));
    assert.equal(done.length, 1);
  });
});

test("a distance refers to a screen whose size is known", async () => {
  const why = "Not performed: the size of the screen is not known. Take a screenshot first.";
  const card = "The picture is not the screen: the screen could not be captured.";
  const unknown = { url: "", error: `${why} ${card}` };
  const far = { x: 500, y: 500, direction: "down", magnitude: 500 };
  const aside = { direction: "left" };
  isCard = true;
  const computer = new Computer(desk);
  assert.deepEqual(await response(computer, "scroll_at", far), unknown);
  assert.deepEqual(await response(computer, "scroll_document", aside), unknown);
  assert.equal(done.length, 0);
  isCard = false;
  assert.deepEqual(await response(computer, "scroll_at", far), { url: "" });
  assert.deepEqual(await response(computer, "scroll_document", aside), { url: "" });
  const turned = done.map(({ action }) =>
    action.case === "scroll" ? [action.value.dx, action.value.dy] : [],
  );
  assert.deepEqual(turned, [
    [0, 400],
    [-640, 0],
  ]);
});
