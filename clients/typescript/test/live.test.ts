/** The client on a real desktop. The program deskd is that of DESKD_TEST_PROGRAM. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  ActionFailed,
  actions,
  CaptureFailed,
  conditions,
  DeadlineExceeded,
  Desktop,
  DeskdError,
  type Frame,
  InvalidRequest,
  StaleTarget,
  Unavailable,
  Unsupported,
} from "../src/index.js";
import { INSIDE, LiveDesktop, program } from "./support/desktop.js";
import { PACKAGE } from "./support/folders.js";
import { decodePng, rgbOfRaw } from "./support/png.js";
import { Proxy } from "./support/proxy.js";

const live = new LiveDesktop();
before(() => live.start());
after(() => live.stop());

const SERVER = live.address;
const PROGRAM = program();

/** Matches an error by its class, reason and status. */
function refused(kind: new (...given: never[]) => DeskdError, reason: string, status?: string) {
  return (error: unknown) => {
    assert.ok(error instanceof kind, String(error));
    assert.equal(error.reason, reason);
    if (status !== undefined) assert.equal(error.status, status);
    return true;
  };
}

/** Repeats a comparison of two pictures until no other program changes the screen in between. */
async function whenStill(compare: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 10; attempt++) {
    if (await compare()) return;
    await sleep(200);
  }
  assert.fail("the pictures differ in each of 10 attempts");
}

describe("a real daemon", () => {
  const desktop = new Desktop(SERVER);
  after(() => desktop.close());

  test("screenshots in each format", async () => {
    const [width, height] = await desktop.screenSize();
    const heads = { png: "89504e47", jpeg: "ffd8ff", webp: "52494646" } as const;
    for (const [format, head] of Object.entries(heads) as [keyof typeof heads, string][]) {
      const frame = (await desktop.screenshot({ format })).check();
      assert.equal(Buffer.from(frame.image).toString("hex", 0, head.length / 2), head);
      assert.equal(frame.mediaType, `image/${format}`);
      assert.deepEqual([frame.format, ...frame.size], [format, width, height]);
      assert.ok(frame.dataUrl().startsWith(`data:image/${format};base64,`));
      assert.deepEqual(Buffer.from(frame.base64(), "base64"), Buffer.from(frame.image));
    }
  });

  test("raw pixels and PNG are the same picture", async () => {
    const folder = mkdtempSync(join(tmpdir(), "deskd-test-"));
    after(() => rmSync(folder, { recursive: true }));
    await whenStill(async () => {
      const raw = await desktop.screenshot({ format: "raw" });
      const png = decodePng((await desktop.screenshot()).image);
      assert.equal(raw.image.length, raw.stride * raw.height);
      await raw.save(join(folder, "screen.png"));
      const saved = decodePng(readFileSync(join(folder, "screen.png")));
      const pixels = rgbOfRaw(raw.image, raw.width, raw.height, raw.stride);
      assert.deepEqual([saved.width, saved.height], raw.size);
      assert.ok(saved.rgb.equals(pixels));
      return png.rgb.equals(pixels);
    });
  });

  test("sizes, limits and regions", async () => {
    assert.deepEqual((await desktop.screenshot({ size: [320, 200] })).size, [320, 200]);
    const fitted = await desktop.screenshot({
      fit: { maxSide: 300, multipleOf: 4 },
      format: "webp",
    });
    assert.ok(Math.max(...fitted.size) <= 300 && fitted.size.every((each) => each % 4 === 0));
    const part = await desktop.screenshot({ region: [10, 20, 30, 40], cursor: false });
    assert.deepEqual(part.size, [30, 40]);
    assert.deepEqual(part.region, { x: 10, y: 20, width: 30, height: 40 });
  });

  test("a picture that did not change has no image", async () => {
    await whenStill(async () => {
      const first = await desktop.screenshot();
      const second = await desktop.screenshot({ ifChangedSince: first });
      if (!second.isUnchanged) return false;
      assert.equal(second.image.length, 0);
      assert.equal(second.frameId, first.frameId);
      return true;
    });
  });

  test("a picture that is too large is a card", async () => {
    const card = await desktop.screenshot({ maxBytes: 1 });
    assert.ok(card.isCard && card.image.length > 0);
    assert.equal(card.failure?.reason, "TOO_LARGE");
    assert.throws(() => card.check(), refused(CaptureFailed, "TOO_LARGE"));
  });

  test("a click, its result and the pointer", async () => {
    const step = await desktop.click(100, 120);
    assert.ok(step.isDone && !step.replayed);
    assert.deepEqual(step.results[0]?.pointer, [100, 120]);
    assert.ok(step.frame && !step.frame.isCard);
    assert.ok(["QUIET", "NO_CHANGE"].includes(step.settle.state));
    assert.match(step.operationId, /^[0-9a-f]{32}$/);
    assert.deepEqual(await desktop.cursor(), [100, 120]);
  });

  test("each method makes its step", async () => {
    const options = { settle: 0, frame: false } as const;
    const steps = [
      await desktop.move(200, 200, options),
      await desktop.click(options),
      await desktop.doubleClick(200, 200, options),
      await desktop.tripleClick(200, 200, options),
      await desktop.middleClick(200, 200, options),
      await desktop.rightClick(200, 200, options),
      await desktop.press("Escape", options),
      await desktop.drag(
        [
          [200, 200],
          [210, 210],
        ],
        { ...options, seconds: 0.1 },
      ),
      await desktop.scroll(0, 1, { ...options, x: 200, y: 200 }),
      await desktop.key(["shift", "Down"], { ...options, repeat: 2 }),
      await desktop.hold("shift", 0.05, options),
      await desktop.wait(0.01, options),
    ];
    assert.ok(steps.every((step) => step.isDone && step.frame === undefined));
  });

  test("text arrives", async () => {
    // Earlier tests may have pressed keys in this line.
    live.forget();
    await desktop.click(...INSIDE);
    await desktop.press("Return");
    while (!live.received.endsWith("\n")) await sleep(20);
    live.forget();
    const typed = await desktop.type("é漢\n", { settle: 0.5 });
    assert.equal(typed.results[0]?.characters, 3);
    await live.untilReceived("é漢\n");
  });

  test("errors have a class, a reason and a status", async () => {
    const [width] = await desktop.screenSize();
    const invalid = "INVALID_ARGUMENT";
    await assert.rejects(
      desktop.click(width, 1),
      refused(InvalidRequest, "OUT_OF_SCREEN", "OUT_OF_RANGE"),
    );
    await assert.rejects(desktop.press("nokey"), refused(InvalidRequest, "UNKNOWN_KEY", invalid));
    await assert.rejects(desktop.click(1.5, 1), refused(InvalidRequest, "INVALID_FIELD", invalid));
    await assert.rejects(
      desktop.screenshot({ region: [0, 0, width + 1, 1] }),
      refused(InvalidRequest, "OUT_OF_SCREEN"),
    );
    await assert.rejects(
      desktop.click(1, 1, { space: "no such frame" }),
      refused(StaleTarget, "UNKNOWN_FRAME", "FAILED_PRECONDITION"),
    );
    await assert.rejects(
      desktop.stack.resize([800, 600]),
      refused(Unsupported, "STACK_NOT_MANAGED"),
    );
    assert.equal((await desktop.stack.status()).managed, false);
  });

  test("an action that fails in the middle of a step", async () => {
    const list = [actions.move(5, 5), actions.press("nokey"), actions.move(6, 6)];
    const step = await desktop.act(list, { stopAtFirst: true, check: false });
    assert.equal(step.outcome, "PARTIAL");
    assert.deepEqual(
      step.results.map((each) => each.status),
      ["DONE", "FAILED", "NOT_EXECUTED"],
    );
    assert.equal(step.failure?.reason, "UNKNOWN_KEY");
    assert.throws(
      () => step.check(),
      (error: { step?: unknown }) => error.step === step,
    );
  });

  test("a picture in the middle of a step", async () => {
    const step = await desktop.act([
      actions.move(9, 9),
      actions.screenshot({ format: "jpeg" }),
      actions.move(8, 8),
    ]);
    assert.equal(step.results[1]?.frame?.format, "jpeg");
    assert.deepEqual(step.frame?.pointer, [8, 8]);
  });

  test("points are pixels of the last picture with limits", async () => {
    const fitted = new Desktop(SERVER, { picture: { fit: { maxSide: 640 } } });
    after(() => fitted.close());
    await assert.rejects(fitted.move(1, 1), refused(InvalidRequest, "INVALID_FIELD"));
    const frame = await fitted.screenshot();
    await fitted.move(100, 50);
    const factor = frame.screen[0] / frame.width;
    assert.deepEqual(await fitted.cursor(), [
      Math.floor(100.5 * factor),
      Math.floor(50.5 * factor),
    ]);
    await fitted.move(7, 7, { space: null });
    assert.deepEqual(await fitted.cursor(), [7, 7]);
  });

  test("held input is listed and released", async () => {
    await desktop.act([actions.keyDown("shift"), actions.buttonDown(300, 300)], { settle: 0 });
    assert.deepEqual(await desktop.pressed(), ["shift", "left button"]);
    assert.deepEqual(await desktop.releaseAll(), ["shift", "left button"]);
    assert.deepEqual(await desktop.pressed(), []);
  });

  test("waiting for the desktop, and for a window that never comes", async () => {
    await desktop.waitReady(20);
    const never = desktop.waitReady(0.5, { windows: [{ class: "no such program" }] });
    await assert.rejects(never, (error: DeskdError) => {
      assert.match(error.message, /within 0\.5 s: /);
      return refused(DeadlineExceeded, "NOT_PAINTED")(error);
    });
  });

  test("a step whose response is lost is sent again with the same id", async () => {
    const proxy = new Proxy(SERVER);
    const remote = new Desktop(proxy.address);
    after(() => (remote.close(), proxy.close()));
    await remote.screenshot();
    proxy.isArmed = true;
    const step = await remote.act([actions.move(50, 60), actions.wait(0.2)]);
    assert.equal(proxy.cuts, 1);
    assert.ok(step.isDone && step.replayed, "the daemon did not know the step");
    assert.deepEqual(step.results[0]?.pointer, [50, 60]);
  });

  test("a call is made again after a lost connection", async () => {
    const proxy = new Proxy(SERVER);
    const remote = new Desktop(proxy.address);
    after(() => (remote.close(), proxy.close()));
    proxy.isArmed = true;
    assert.ok((await remote.screenshot()).image.length > 0);
    assert.equal(proxy.cuts, 1);
  });

  test("no daemon", async () => {
    const nobody = new Desktop("unix:/nonexistent/deskd.sock", { timeout: 0.5 });
    await assert.rejects(nobody.info(), refused(Unavailable, "", "UNAVAILABLE"));
  });

  test("a stream of frames, and its end", async () => {
    const frames: Frame[] = [];
    for await (const frame of desktop.watch({ picture: { format: "jpeg" }, maxFps: 30 })) {
      frames.push(frame);
      if (frames.length === 3) break;
      await desktop.move(300 + frames.length, 300, { settle: 0, frame: false });
    }
    assert.ok(frames.every((each) => each.format === "jpeg" && each.image.length > 0));
    assert.equal(new Set(frames.map((each) => each.frameId)).size, 3);
  });

  test("changed regions give the same pixels as a screenshot", async () => {
    const stream = desktop.watch({ regions: true, maxFps: 30 });
    after(() => stream.return());
    const first = (await stream.next()).value as Frame;
    assert.deepEqual([first.format, first.changed], ["raw", []]);
    let patched = first;
    await whenStill(async () => {
      const before = patched.frameId;
      const [x, y] = [40 + Math.floor(Math.random() * 600), 40 + Math.floor(Math.random() * 400)];
      await desktop.move(x, y, { settle: 0, frame: false });
      while (patched.pointer?.[0] !== x || patched.pointer[1] !== y) {
        patched = (await stream.next()).value as Frame;
      }
      assert.notEqual(patched.frameId, before);
      assert.ok(patched.changed.length > 0);
      const fresh = await desktop.screenshot({ format: "raw" });
      assert.deepEqual(patched.size, fresh.size);
      return Buffer.from(patched.image).equals(Buffer.from(fresh.image));
    });
  });

  test("a stream is resumed after a lost connection, also when nothing changed for long", async () => {
    const proxy = new Proxy(SERVER);
    const remote = new Desktop(proxy.address, { timeout: 5 });
    const stream = remote.watch({ regions: true, timeout: 1 });
    after(async () => (await stream.return(), remote.close(), proxy.close()));
    const first = (await stream.next()).value as Frame;
    const next = stream.next();
    for (let cut = 0; cut < 2; cut++) {
      await sleep(1500);
      proxy.cut();
    }
    await sleep(500);
    await desktop.move(first.pointer?.[0] === 400 ? 410 : 400, 410, { settle: 0 });
    const second = (await next).value as Frame;
    assert.notEqual(second.frameId, first.frameId);
    assert.equal(second.image.length, first.image.length);
  });

  test("a slow consumer gets the latest picture", async () => {
    const stream = desktop.watch({ picture: { format: "raw" }, maxFps: 60 });
    after(() => stream.return());
    await stream.next();
    for (let x = 0; x < 40; x++) {
      await desktop.move(500 + x, 500, { settle: 0, frame: false });
      await sleep(20);
    }
    const seen: number[] = [];
    do seen.push(((await stream.next()).value as Frame).pointer![0]);
    while (seen.at(-1) !== 539);
    assert.ok(seen.length <= 5, `it got ${seen.length} old pictures`);
  });

  test("calls at the same time", async () => {
    const size = await desktop.screenSize();
    const results = await Promise.all([
      ...Array.from({ length: 20 }, () => desktop.screenSize()),
      ...Array.from({ length: 4 }, async () => (await desktop.screenshot()).size),
      ...Array.from({ length: 4 }, async (_, at) => {
        await desktop.move(20 + at, 20, { settle: 0, frame: false });
        return size;
      }),
    ]);
    assert.ok(results.every((each) => each[0] === size[0] && each[1] === size[1]));
  });

  test("a call is cancelled by a signal", async () => {
    const signal = AbortSignal.timeout(200);
    const started = performance.now();
    await assert.rejects(desktop.wait(20, { signal }), { name: "TimeoutError" });
    assert.ok(performance.now() - started < 5000);
    await assert.rejects(desktop.info({ signal }), { name: "TimeoutError" });
    const stream = desktop.watch({ signal: AbortSignal.timeout(200) });
    await assert.rejects(
      async () => {
        for await (const _ of stream);
      },
      { name: "TimeoutError" },
    );
  });

  test("a daemon behind a command", async () => {
    const remote = new Desktop(`exec:'${PROGRAM}' bridge --server ${SERVER}`);
    assert.deepEqual(await remote.screenSize(), await desktop.screenSize());
    assert.ok((await remote.screenshot({ format: "raw" })).image.length > 1_000_000);
    const stream = remote.watch();
    assert.ok(((await stream.next()).value as Frame).image.length > 0);
    await stream.return();
    await remote.close();
  });

  test("a process ends although the connection is open", async () => {
    const code = `
      const { Desktop } = await import("./dist/check/src/index.js");
      for (const server of process.argv.slice(1)) await new Desktop(server).cursor();
    `;
    const servers = [SERVER, `exec:${PROGRAM} bridge --server ${SERVER}`];
    const given = ["--input-type=module", "-e", code, ...servers];
    const child = spawn(process.execPath, given, { cwd: PACKAGE, stdio: "inherit" });
    const ended = new Promise((resolve) => child.once("exit", resolve));
    const result = await Promise.race([ended, sleep(10_000, "still running", { ref: false })]);
    child.kill();
    assert.equal(result, 0);
  });
});

describe("windows and conditions", () => {
  const desktop = new Desktop(SERVER);
  after(() => desktop.close());

  test("are listed and changed", async () => {
    const { windows } = desktop;
    const [xterm] = await windows.list({ class: "xterm" });
    assert.ok(xterm?.isViewable && xterm.program === "xterm" && xterm.id !== "");
    assert.deepEqual((await windows.list()).map((each) => each.id), [xterm.id]);
    const moved = await windows.place(xterm, { x: 210, y: 220 });
    assert.equal(moved.outcome, "DONE");
    assert.deepEqual([moved.window!.frame.x, moved.window!.frame.y], [210, 220]);
    await windows.place({ class: "XTerm" }, { x: xterm.frame.x, y: xterm.frame.y });
    assert.ok(["DONE", "ALREADY"].includes((await windows.activate(xterm)).outcome));
    // No window manager runs.
    assert.equal((await windows.restore(xterm)).outcome, "ALREADY");
    for (const change of ["minimize", "maximize", "fullscreen"] as const) {
      await assert.rejects(windows[change](xterm), refused(ActionFailed, "UNSUPPORTED"));
    }
    const unchecked = await windows.minimize(xterm, { check: false });
    assert.match(unchecked.text, /no window manager/);
    await assert.rejects(windows.close("no such window"), refused(StaleTarget, "UNKNOWN_WINDOW"));
    await assert.rejects(async () => windows.place(xterm, {}), refused(InvalidRequest, "INVALID_FIELD"));
    await assert.rejects(windows.list({ kind: "round" }), refused(InvalidRequest, "INVALID_FIELD"));
  });

  test("are awaited", async () => {
    const xterm = { class: "xterm" };
    const there = await desktop.waitFor(conditions.appears(xterm));
    assert.ok(there.isMet && there.states[0]!.windows[0]!.className === "XTerm");
    const other = conditions.appears("Save As");
    const either = conditions.anyOf(other, conditions.appears(xterm));
    assert.ok((await desktop.waitFor(either)).isMet);
    const both = conditions.allOf(other, conditions.appears(xterm));
    await assert.rejects(desktop.waitFor(both, 0.2), refused(ActionFailed, "CONDITION_NOT_MET"));
    const late = await desktop.waitFor(conditions.disappears(xterm), 0.2, { check: false });
    assert.ok(!late.isMet && late.seconds >= 0.2 && late.windows.length === 1);
    const rests = await desktop.waitFor(conditions.rests([1000, 0, 50, 50], { quiet: 0.1 }));
    assert.ok(rests.states[0]!.rested >= 0.1);
    const step = await desktop.act([
      actions.typeText("x"),
      actions.waitFor(conditions.changes(), { timeout: 5 }),
      actions.waitFor(conditions.getsFocus(xterm)),
    ]);
    assert.ok(step.results[1]!.waited!.states[0]!.hasChanged);
    const missing = desktop.act([actions.waitFor(other, { timeout: 0.1 })]);
    await assert.rejects(missing, (error) => {
      assert.ok(error instanceof ActionFailed && error.reason === "CONDITION_NOT_MET");
      return error.step!.results[0]!.waited!.windows.length === 1;
    });
  });
});
