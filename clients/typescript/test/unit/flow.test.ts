/** How the calls of a model become steps, where the vectors have no case. */
import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { confirmed, type Desk, Session, type Wanted } from "../../src/adapters/flow.js";
import * as qwen from "../../src/adapters/qwenCalls.js";
import {
  type ActOptions,
  actions,
  DeadlineExceeded,
  Frame,
  OutcomeUnknown,
  StaleTarget,
  Step,
  Unavailable,
} from "../../src/index.js";
import * as pb from "../../src/v1/desktop_pb.js";
import { FrameKind, FrameSchema } from "../../src/v1/frame_pb.js";

const PICTURE = { fit: { maxSide: 100 } };
const NO_SCREENSHOT =
  "Not performed: there is no screenshot to which the points refer. Take a screenshot first.";
const { DONE, FAILED, NOT_EXECUTED } = pb.ActionStatus;

let steps: { actions: actions.Action[]; options: ActOptions }[] = [];
let statuses: pb.ActionStatus[] = [];
let isCard = false;
let failure: Error | undefined;
let blindness: Error | undefined;
let frames = 0;

function frame() {
  const kind = isCard ? FrameKind.FAILURE_CARD : FrameKind.SCREEN;
  return create(FrameSchema, { frameId: `f${++frames}`, kind, width: 1, height: 1 });
}

const desk: Desk = {
  cursor: async () => [1, 2],
  screenshot: async () => {
    if (blindness !== undefined) throw blindness;
    return new Frame({ ...shot(), isCard });
  },
  act: async (list, options = {}) => {
    const listed = [...list];
    steps.push({ actions: listed, options });
    if (failure !== undefined) throw failure;
    if (blindness !== undefined) options = { ...options, frame: false };
    const results = listed.map((_, at) => ({ status: statuses[at] ?? DONE }));
    return new Step(
      create(pb.ActResponseSchema, {
        outcome: statuses.length > 0 ? pb.ActOutcome.PARTIAL : pb.ActOutcome.DONE,
        results,
        frame: options.frame === false ? undefined : frame(),
      }),
      "id",
    );
  },
};

function shot() {
  const image = Buffer.from("x");
  const size = { width: 1, height: 1, screen: [1, 1] as const };
  return { image, format: "png" as const, frameId: `f${++frames}`, ...size };
}

function wanted(count: number, more: Wanted = {}): Wanted {
  return { actions: Array.from({ length: count }, () => actions.move(1, 2)), ...more };
}

const statusesOf = (outcomes: readonly { status: string }[]) => outcomes.map((each) => each.status);

beforeEach(() => {
  steps = [];
  statuses = [];
  isCard = false;
  failure = undefined;
  blindness = undefined;
  frames = 0;
});

describe("a session", () => {
  test("splits calls that do not fit into one step", async () => {
    const session = new Session(desk, PICTURE);
    await session.look();
    const { outcomes } = await session.perform([wanted(60), wanted(40), wanted(1), wanted(150)]);
    assert.deepEqual(
      steps.map((each) => each.actions.length),
      [100, 1, 150],
    );
    assert.deepEqual(statusesOf(outcomes), ["done", "done", "done", "done"]);
    assert.deepEqual(
      steps.map((each) => each.options.frame),
      [false, false, true],
    );
  });

  test("refers to the last picture that is no card", async () => {
    const session = new Session(desk, PICTURE);
    await session.look();
    isCard = true;
    await session.perform([wanted(1)]);
    await session.perform([wanted(1)]);
    const spaces = steps.map((each) => (each.options.space as Frame).frameId);
    assert.deepEqual(spaces, ["f1", "f1"]);
  });

  test("forgets a picture to which points cannot refer any more", async () => {
    const session = new Session(desk, PICTURE);
    await session.look();
    failure = new StaleTarget("resized", { reason: "STALE_EPOCH" });
    const { outcomes } = await session.perform([wanted(1), wanted(1)], { frameAfter: false });
    assert.deepEqual(statusesOf(outcomes), ["failed", "not executed"]);
    assert.equal(outcomes[0]!.text, "Not performed: resized [STALE_EPOCH]");
    assert.equal(session.seen, undefined);
  });

  test("refuses points until the model has seen a picture", async () => {
    const session = new Session(desk, PICTURE);
    const typed: Wanted = { actions: [actions.typeText("a")] };
    const first = await session.perform([wanted(1), typed], { frameAfter: false });
    assert.deepEqual(statusesOf(first.outcomes), ["failed", "not executed"]);
    assert.equal(first.outcomes[0]!.text, NO_SCREENSHOT);
    // The picture is for the model, although the call asks for none.
    assert.deepEqual([first.frame?.frameId, session.seen?.frameId], ["f1", "f1"]);
    assert.equal(steps.length, 0);
    failure = new StaleTarget("resized", { reason: "STALE_EPOCH" });
    await session.perform([wanted(1)], { frameAfter: false });
    failure = undefined;
    const second = await session.perform([wanted(1)], { frameAfter: false });
    assert.equal(second.outcomes[0]!.text, NO_SCREENSHOT);
    assert.deepEqual([second.frame?.frameId, steps.length], ["f2", 1]);
    const third = await session.perform([wanted(1)], { frameAfter: false });
    assert.deepEqual(statusesOf(third.outcomes), ["done"]);
    assert.equal((steps[1]!.options.space as Frame).frameId, "f2");
  });

  test("refuses points to a picture that the same turn takes", async () => {
    const session = new Session(desk, PICTURE);
    const look: Wanted = { picture: PICTURE };
    const { outcomes, frame } = await session.perform([look, wanted(1)]);
    assert.deepEqual(statusesOf(outcomes), ["done", "failed"]);
    assert.equal(outcomes[1]!.text, NO_SCREENSHOT);
    assert.deepEqual([frame?.frameId, steps.length], ["f1", 0]);
    const zoom: Wanted = { picture: { region: [0, 0, 1, 1] }, isPart: true };
    const fresh = new Session(desk, PICTURE);
    assert.equal((await fresh.perform([zoom])).outcomes[0]!.text, NO_SCREENSHOT);
  });

  test("refuses points if the first picture is a failure card", async () => {
    const session = new Session(desk, PICTURE);
    isCard = true;
    await session.look();
    for (const settings of [{ frameAfter: false }, { mustSee: true }]) {
      const { outcomes, frame } = await session.perform([wanted(1)], settings);
      assert.equal(outcomes[0]!.status, "failed");
      assert.ok(outcomes[0]!.text.startsWith(NO_SCREENSHOT));
      assert.equal(frame?.isCard, true);
    }
    assert.deepEqual([steps, session.seen], [[], undefined]);
  });

  test("acts without a picture if points count a grid", async () => {
    const session = new Session(desk, PICTURE, { grid: 1000 });
    assert.deepEqual(statusesOf((await session.perform([wanted(1)])).outcomes), ["done"]);
    assert.deepEqual(steps[0]!.options.space, [1000, 1000]);
  });

  test("does not show the picture of a part whose call was not reached", async () => {
    const session = new Session(desk, PICTURE);
    await session.look();
    statuses = [FAILED, NOT_EXECUTED];
    const part = { picture: { region: [0, 0, 1, 1] as const }, isPart: true };
    const { outcomes, frame, isShown } = await session.perform([wanted(1), wanted(1, part)]);
    assert.deepEqual(statusesOf(outcomes), ["failed", "not executed"]);
    // f2 is the picture of the part, f3 the screen that was taken in its place.
    assert.deepEqual([frame?.frameId, isShown, session.seen?.frameId], ["f3", false, "f3"]);
  });

  test("says what became of calls after which no picture can be taken", async () => {
    const session = new Session(desk, PICTURE);
    await session.look();
    blindness = new Unavailable("no daemon", { status: "UNAVAILABLE" });
    const done = session.perform([wanted(1)], { mustSee: true });
    await assert.rejects(done, {
      name: "Unavailable",
      message: "This was done. No new picture: no daemon",
    });
    statuses = [DONE, FAILED];
    const part = session.perform([wanted(1), wanted(1)], { mustSee: true });
    await assert.rejects(part, {
      name: "Unavailable",
      message: "A part was done. Failed: the action was FAILED No new picture: no daemon",
    });
    failure = new OutcomeUnknown("no answer", { reason: "OUTCOME_UNKNOWN" });
    await assert.rejects(session.perform([wanted(1)], { mustSee: true }), (error: Error) => {
      assert.ok(error instanceof OutcomeUnknown);
      const unknown = "It is not known whether this was done: no answer [OUTCOME_UNKNOWN].";
      assert.equal(error.message, `${unknown} Look at the screen. No new picture: no daemon`);
      return true;
    });
    const { outcomes } = await session.perform([wanted(1)]);
    assert.match(outcomes[0]!.text, /^It is not known.* No new picture: no daemon$/);
    await assert.rejects(session.perform([], { mustSee: true }), { message: "no daemon" });
  });

  test("does not claim that a call that was refused may be done", async () => {
    const session = new Session(desk, PICTURE);
    const texts = async (...calls: Wanted[]) => {
      const { outcomes } = await session.perform(calls, { frameAfter: false });
      assert.deepEqual(statusesOf(outcomes), ["failed", "not executed"].slice(0, calls.length));
      return outcomes[0]!.text;
    };
    blindness = new DeadlineExceeded("late", { reason: "DEADLINE" });
    assert.equal(await texts({ picture: PICTURE }), "Not performed: late [DEADLINE]");
    const click: Wanted = { actions: [actions.click(1, 2)] };
    blindness = undefined;
    await session.look();
    failure = new Unavailable("busy", { reason: "X_UNRESPONSIVE" });
    assert.equal(await texts(click, click), "Not performed: busy [X_UNRESPONSIVE]");
    failure = new DeadlineExceeded("not ready", { reason: "NOT_PAINTED" });
    assert.equal(await texts(click), "Not performed: not ready [NOT_PAINTED]");
  });

  test("keeps no images", async () => {
    const session = new Session(desk, PICTURE);
    assert.equal((await session.look()).image.length, 1);
    assert.equal(session.seen?.image.length, 0);
  });
});

test("a call is confirmed only by the answer true", async () => {
  const call: Wanted = { actions: [actions.wait(1)] };
  const answers = [
    false,
    undefined,
    null,
    0,
    1,
    "",
    "no",
    "yes",
    "true",
    {},
    [],
    new Boolean(true),
  ];
  for (const answer of answers) {
    for (const given of [answer, Promise.resolve(answer)]) {
      const { error } = await confirmed(() => given as boolean, "wait", {}, call);
      assert.equal(error, "Not performed: a person did not allow wait.", String(answer));
    }
  }
  assert.equal(await confirmed(() => true, "wait", {}, call), call);
  assert.equal(await confirmed(async () => true, "wait", {}, call), call);
});

test("modifiers are pressed in order and released in reverse", () => {
  const values = { action: "left_click_drag", coordinate: [1, 2], text: "ctrl+shift" };
  const made = qwen.translate(values, qwen.QWEN).actions!;
  const named = made.map(({ action: { case: name, value } }) =>
    value !== undefined && "key" in value ? `${name} ${value.key}` : name,
  );
  assert.deepEqual(named, [
    ...["keyDown ctrl", "keyDown shift", "buttonDown", "move", "buttonUp"],
    ...["keyUp shift", "keyUp ctrl"],
  ]);
});

test("a list of one name is a chord", () => {
  const keysOf = (chord: actions.Keys) => {
    const { action } = actions.press(chord);
    return action.case === "key" ? action.value.keys : [];
  };
  assert.deepEqual(keysOf(["CTRL+L"]), ["CTRL", "L"]);
  assert.deepEqual(keysOf(["CTRL", "L+"]), ["CTRL", "L+"]);
  assert.deepEqual(keysOf("ctrl++"), ["ctrl", "+"]);
  assert.deepEqual(keysOf("+"), ["+"]);
  assert.deepEqual(actions.keys(" ctrl + a "), ["ctrl", "a"]);
});
