/** Which calls are made again, and which are not. */
import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import {
  actions,
  DeadlineExceeded,
  Desktop,
  OutcomeUnknown,
  Unavailable,
  Unsupported,
} from "../../src/index.js";
import * as pb from "../../src/v1/desktop_pb.js";
import { PaintVerdict } from "../../src/v1/frame_pb.js";
import { type Context, FakeDaemon, type Refusal } from "../support/daemon.js";

type Reply = { outcome: pb.ActOutcome } | { status: string; reason: string };

const DONE = { outcome: pb.ActOutcome.DONE };
const UNKNOWN = { outcome: pb.ActOutcome.UNKNOWN };
const DOWN = { status: "UNAVAILABLE", reason: "SHUTTING_DOWN" };
const LOST = { status: "UNAVAILABLE", reason: "" };
const FOREIGN = { status: "FAILED_PRECONDITION", reason: "OUTCOME_UNKNOWN" };
const BLANK = { status: "FAILED_PRECONDITION", reason: "NOT_PAINTED" };

const UNREADY = { status: "UNAVAILABLE", reason: "NOT_PAINTED" };

/** A daemon whose `Act` answers in turn as written. The last answer is repeated. */
async function daemon(...replies: Reply[]) {
  return daemonThat({}, ...replies);
}

/** The same with `unready`: how the daemon refuses to wait for the desktop. */
async function daemonThat({ unready }: { unready?: Refusal }, ...replies: Reply[]) {
  const steps: pb.ActRequest[] = [];
  const calls: string[] = [];
  const seen: Context[] = [];
  const fake = new FakeDaemon((method, request, context) => {
    calls.push(method.name);
    seen.push(context);
    if (method.name === "GetInfo") {
      return create(pb.GetInfoResponseSchema, { instanceId: `i${count(calls, "GetInfo")}` });
    }
    if (method.name === "WaitReady") {
      if (unready !== undefined) throw unready;
      const evidence = { verdict: PaintVerdict.READY };
      return create(pb.WaitReadyResponseSchema, { evidence });
    }
    if (method.name !== "Act") return create(method.output);
    steps.push(request as pb.ActRequest);
    const reply = replies[Math.min(steps.length, replies.length) - 1]!;
    if ("status" in reply) throw { ...reply, message: "it was refused" };
    const results = (request as pb.ActRequest).actions.map(() => ({
      status: pb.ActionStatus.DONE,
    }));
    return create(pb.ActResponseSchema, { ...reply, results });
  });
  await fake.start();
  const desktop = new Desktop(fake.address, { timeout: 3, token: "secret" });
  cleanups.push(async () => (await desktop.close(), fake.stop()));
  return { desktop, steps, calls, seen, stop: () => fake.stop() };
}

function count(list: string[], name: string): number {
  return list.filter((each) => each === name).length;
}

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const each of cleanups.splice(0)) await each();
});

describe("a step", () => {
  test("is sent again with the same id", async () => {
    const { desktop, steps, calls } = await daemon(DOWN, DOWN, DONE);
    const step = await desktop.click(1, 2);
    assert.equal(steps.length, 3);
    assert.deepEqual([...new Set(steps.map((each) => each.operationId))], [step.operationId]);
    assert.deepEqual([...new Set(steps.map((each) => each.instanceId))], ["i1"]);
    assert.equal(count(calls, "GetInfo"), 1);
  });

  test("has an id of its own", async () => {
    const { desktop, steps } = await daemon(DONE);
    await desktop.click(1, 2);
    await desktop.click(1, 2);
    assert.notEqual(steps[0]!.operationId, steps[1]!.operationId);
  });

  test("is not sent again for a reason that stays", async () => {
    const { desktop, steps } = await daemon({ status: "UNAVAILABLE", reason: "EXTENSION_MISSING" });
    await assert.rejects(desktop.click(1, 2), Unsupported);
    const taken = await daemon({ status: "UNAVAILABLE", reason: "INPUT_TAKEN" });
    await assert.rejects(taken.desktop.click(1, 2), Unavailable);
    assert.equal(steps.length + taken.steps.length, 2);
  });

  test("is sent to a new instance if it never reached the old one", async () => {
    const { desktop, steps } = await daemon(DONE, FOREIGN, DONE);
    await desktop.click(1, 2);
    await desktop.click(1, 2);
    assert.deepEqual(
      steps.map((each) => each.instanceId),
      ["i1", "i1", "i2"],
    );
    assert.equal(steps[1]!.operationId, steps[2]!.operationId);
  });

  test("is sent to a new instance if the old one refused it", async () => {
    const { desktop, steps } = await daemon(DOWN, FOREIGN, DONE);
    await desktop.click(1, 2);
    assert.deepEqual(
      steps.map((each) => each.instanceId),
      ["i1", "i1", "i2"],
    );
  });

  test("is not sent to a new instance if it may have reached the old one", async () => {
    const { desktop, steps } = await daemon(LOST, FOREIGN);
    await assert.rejects(desktop.click(1, 2), OutcomeUnknown);
    assert.deepEqual(
      steps.map((each) => each.instanceId),
      ["i1", "i1"],
    );
  });

  test("that got no answer may have been done", async () => {
    for (const status of ["UNAVAILABLE", "DEADLINE_EXCEEDED", "INTERNAL"]) {
      const { desktop } = await daemon({ status, reason: "" });
      const error = await desktop.click(1, 2, { timeout: 0.3 }).catch((failed: unknown) => failed);
      assert.ok(error instanceof OutcomeUnknown, String(error));
      assert.match(error.message, /^it is not known whether the step was done: /);
      assert.equal(error.status, status);
    }
  });

  test("that found no connection was not done", async () => {
    const nobody = new Desktop("unix:/nonexistent/deskd.sock", { timeout: 0.3 });
    await assert.rejects(nobody.click(1, 2), Unavailable);
    const { desktop, stop } = await daemon(DONE);
    await desktop.click(1, 2);
    stop();
    await assert.rejects(desktop.click(1, 2, { timeout: 0.3 }), Unavailable);
  });

  test("is queried again while its outcome is unknown", async () => {
    const { desktop, steps } = await daemon(UNKNOWN, DONE);
    assert.ok((await desktop.click(1, 2)).isDone);
    assert.equal(steps.length, 2);
    const never = await daemon(UNKNOWN);
    assert.equal((await never.desktop.click(1, 2, { check: false })).outcome, "UNKNOWN");
    assert.equal(never.steps.length, 4);
    const refused = await daemon(UNKNOWN, BLANK);
    await assert.rejects(refused.desktop.click(1, 2), OutcomeUnknown);
    assert.equal(refused.steps.length, 2);
  });

  test("waits once for a desktop that is not painted", async () => {
    const { desktop, steps, calls } = await daemon(BLANK, DONE);
    assert.ok((await desktop.click(1, 2)).isDone);
    assert.deepEqual([steps.length, count(calls, "WaitReady")], [2, 1]);
    const never = await daemon(BLANK);
    await assert.rejects(never.desktop.click(1, 2), { reason: "NOT_PAINTED" });
    assert.equal(never.steps.length, 2);
  });

  test("may have been done if the wait for the desktop fails after a lost answer", async () => {
    const late = { status: "PERMISSION_DENIED", reason: "READ_ONLY", message: "it was refused" };
    const { desktop, calls } = await daemonThat({ unready: late }, LOST, UNREADY);
    const error = await desktop.click(1, 2).catch((failed: unknown) => failed);
    assert.ok(error instanceof OutcomeUnknown, String(error));
    assert.equal(error.message, "it is not known whether the step was done: it was refused");
    assert.deepEqual([error.reason, error.status], ["READ_ONLY", "PERMISSION_DENIED"]);
    assert.deepEqual([count(calls, "Act"), count(calls, "WaitReady")], [2, 1]);
  });

  test("was not done if the wait for the desktop fails at once", async () => {
    const late = { status: "PERMISSION_DENIED", reason: "READ_ONLY", message: "it was refused" };
    const refused = await daemonThat({ unready: late }, BLANK);
    await assert.rejects(refused.desktop.click(1, 2), { name: "PermissionRefused" });
    // A timeout would leave open whether the step was done.
    const slow = { status: "DEADLINE_EXCEEDED", reason: "DEADLINE", message: "too late" };
    const { desktop } = await daemonThat({ unready: slow }, BLANK);
    await assert.rejects(desktop.click(1, 2), { reason: "NOT_PAINTED" });
  });

  test("ends with its time", async () => {
    const { desktop } = await daemon(DOWN);
    const started = performance.now();
    await assert.rejects(desktop.click(1, 2, { timeout: 0.5 }), Unavailable);
    assert.ok(performance.now() - started < 2000);
    await assert.rejects(desktop.click(1, 2, { timeout: 0 }), { reason: "INVALID_FIELD" });
  });

  test("has the time that its actions take by themselves", async () => {
    const { desktop, seen, calls } = await daemon(DONE);
    const list = [actions.wait(60), actions.press("a", { hold: 5, repeat: 4 })];
    const texts = [actions.typeText("a😀".repeat(10), { rate: 4 }), actions.typeText("aa")];
    await desktop.act([...list, ...texts, actions.typeText("aa", { rate: 0 })]);
    const { allowed } = seen[calls.indexOf("Act")]!;
    assert.ok(allowed > 87 && allowed <= 90.1, `${allowed} s`);
  });
});

describe("headers", () => {
  const required = async (call: (desktop: Desktop) => Promise<unknown>) => {
    const { desktop, seen } = await daemon(DONE);
    await call(desktop).catch(() => {});
    return String(seen.at(-1)!.headers.get("deskd-require"));
  };

  test("name the features that a call needs", async () => {
    const step = (list: actions.Action[], options = {}) =>
      required((desktop) => desktop.act(list, options));
    assert.equal(await step([actions.click()]), "act");
    assert.equal(await step([actions.typeText("a"), actions.paste("b")]), "act,paste,type");
    assert.equal(await step([actions.move(1, 2, { modifiers: "ctrl" })]), "act,move_modifiers");
    assert.equal(
      await step([actions.screenshot()], { stopAtFirst: true }),
      "act,on_failure,screenshot_action",
    );
    const picture = { format: "webp", fit: { maxSide: 100 } } as const;
    assert.equal(await step([actions.screenshot(picture)]), "act,fit,screenshot_action,webp");
    assert.equal(await step([actions.click()], { picture }), "act,fit,webp");
    assert.equal(await required((desktop) => desktop.screenshot(picture)), "fit,webp");
    assert.equal(await required((desktop) => desktop.screenshot()), "");
    assert.equal(await required((desktop) => desktop.waitReady(1)), "paint_gate");
    const windows = [{ class: "xterm" }];
    const ready = await required((desktop) => desktop.waitReady(1, { windows }));
    assert.equal(ready, "expected_windows,paint_gate");
  });

  test("have the token", async () => {
    const { desktop, seen } = await daemon(DONE);
    await desktop.cursor();
    assert.deepEqual(seen[0]!.headers.get("authorization"), ["Bearer secret"]);
  });
});

test("a call that does not end in time", async () => {
  const { desktop } = await daemon({ status: "DEADLINE_EXCEEDED", reason: "DEADLINE" });
  await assert.rejects(desktop.click(1, 2), DeadlineExceeded);
});

test("a call that is cancelled between two attempts", async () => {
  const { desktop } = await daemon(DOWN);
  const signal = AbortSignal.timeout(150);
  await assert.rejects(desktop.click(1, 2, { signal }), { name: "TimeoutError" });
});
