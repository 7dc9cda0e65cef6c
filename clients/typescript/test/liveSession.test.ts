/**
 * Control, the clipboard, the programs and the recorder of a real desktop, with xclip and xterm as
 * other programs. The program deskd is that of DESKD_TEST_PROGRAM.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { inspect } from "node:util";
import {
  ActionFailed,
  DeadlineExceeded,
  Desktop,
  type DeskdError,
  InvalidRequest,
  type Launch,
  NotInControl,
  PermissionRefused,
  StaleTarget,
  Unavailable,
  viewerToken,
  viewerUrl,
} from "../src/index.js";
import { Computer } from "../src/adapters/gemini.js";
import { openWith } from "../src/adapters/recipes.js";
import { freePort, LiveDesktop, program } from "./support/desktop.js";
import { Proxy } from "./support/proxy.js";

const MIB = 2 ** 20;
const live = new LiveDesktop({ helper: true });
const folder = mkdtempSync(join(tmpdir(), "deskd-session-"));
before(() => live.start());
after(async () => {
  await live.stop();
  rmSync(folder, { recursive: true });
});
const desktop = live.client;
const { clipboard, programs } = desktop;

/** Matches an error by its class and reason. */
function refused(kind: new (...given: never[]) => DeskdError, reason: string) {
  return (error: unknown) => {
    assert.ok(error instanceof kind, String(error));
    assert.equal(error.reason, reason);
    return true;
  };
}

/** Waits until a file exists, and returns its text. */
async function untilWritten(path: string): Promise<string> {
  for (let attempt = 0; !existsSync(path); attempt++) {
    assert.ok(attempt < 2000, `${path} was not written`);
    await sleep(10);
  }
  return readFileSync(path, "utf8");
}

/** Starts another daemon on the display, and returns a client of it. */
async function other(name: string, options: string[], timeout?: number): Promise<Desktop> {
  const socket = join(folder, name);
  const given = ["serve", "--display", `:${live.display}`, "--profile", "any"];
  live.spawn(program(), [...given, "--listen", `unix:${socket}`, ...options]);
  while (!existsSync(socket)) await sleep(10);
  const made = new Desktop(`unix:${socket}`, { timeout });
  after(() => made.close());
  return made;
}

describe("control", () => {
  test("a person takes control and gives it back", async () => {
    const before = await desktop.screenshot();
    const { epoch, holder } = await desktop.control.state();
    assert.equal(holder, undefined);
    const person = new Desktop(live.address);
    after(() => person.close());
    const options = { reason: "signs in", person: true, ttl: 30 };
    const taken = await person.control.take("Ada", options);
    assert.equal(taken.epoch, epoch + 1n);
    assert.deepEqual([taken.holder, taken.isPerson, taken.reason], ["Ada", true, "signs in"]);
    assert.ok(taken.remaining! > 0 && taken.remaining! <= 30);
    await assert.rejects(desktop.move(5, 5), refused(NotInControl, "HUMAN_IN_CONTROL"));
    await desktop.screenshot();
    await person.move(6, 6);
    assert.equal((await person.control.renew({ ttl: 60 })).epoch, taken.epoch);
    const tooLong = refused(DeadlineExceeded, "DEADLINE");
    await assert.rejects(desktop.control.wait({ timeout: 0.2 }), tooLong);
    assert.equal((await person.control.give()).lastEnd, "GIVEN");
    await person.move(7, 7);
    assert.equal((await desktop.control.wait({ timeout: 5 })).epoch, epoch + 2n);
    const old = desktop.move(8, 8, { space: before });
    await assert.rejects(old, refused(StaleTarget, "CONTROL_CHANGED"));
    await desktop.move(8, 8);
  });

  test("agents exclude each other", async () => {
    assert.equal((await desktop.control.take("planner")).isPerson, false);
    const rival = new Desktop(live.address);
    after(() => rival.close());
    await desktop.move(5, 5);
    assert.equal((await desktop.control.wait({ timeout: 1 })).holder, "planner");
    await assert.rejects(rival.move(6, 6), refused(NotInControl, "LEASE_HELD"));
    await assert.rejects(rival.control.take("rival"), refused(NotInControl, "LEASE_HELD"));
    await desktop.control.give();
    await assert.rejects(desktop.control.renew(), refused(InvalidRequest, "INVALID_FIELD"));
    await rival.move(6, 6);
  });

  test("bad arguments take nothing", async () => {
    const { epoch } = await desktop.control.state();
    for (const [holder, options] of [
      ["", {}],
      ["a\nb", {}],
      ["Ada", { ttl: 0.5 }],
      ["Ada", { ttl: 1e9 }],
      ["Ada", { reason: "r".repeat(300) }],
      ["Ada", { person: "yes" as unknown as boolean }],
      [7 as unknown as string, {}],
    ] as const) {
      await assert.rejects(desktop.control.take(holder, options), InvalidRequest);
    }
    assert.equal((await desktop.control.state()).epoch, epoch);
  });
});

test("the daemon accepts a viewer token once", async () => {
  const key = "0123456789abcdef0123456789abcdef";
  const keys = join(folder, "keys");
  writeFileSync(keys, `${key}\n`);
  const port = await freePort();
  const more = ["--http", `127.0.0.1:${port}`, "--viewer-key-file", keys];
  await other("viewer.sock", [...more, "--viewer-session", "box-7"]);
  const address = `http://127.0.0.1:${port}`;
  const exchange = async (body: string) => {
    const headers = { origin: address };
    return (await fetch(`${address}/viewer/session`, { method: "POST", body, headers })).status;
  };
  const token = viewerToken(key, { control: true, viewer: "Ada ä", session: "box-7" });
  assert.equal(viewerUrl(`${address}/`, token), `${address}/viewer/#${token}`);
  assert.equal(await exchange(token), 200);
  assert.equal(await exchange(token), 401);
  assert.equal(await exchange(viewerToken(key, { session: "box-8" })), 401);
  assert.equal(await exchange(viewerToken("f".repeat(32), { session: "box-7" })), 401);
  for (const [wrong, options] of [
    ["short", {}],
    [key, { ttl: 0 }],
    [key, { ttl: 3601 }],
    [key, { viewer: "a\nb" }],
    [key, { session: "s".repeat(129) }],
  ] as const) {
    assert.throws(() => viewerToken(wrong, options), InvalidRequest);
  }
});

describe("the clipboard", () => {
  /** Copies content with xclip, which keeps it. */
  async function copy(content: Uint8Array, target = "UTF8_STRING") {
    const given = ["-quiet", "-selection", "clipboard", "-target", target];
    const xclip = live.spawn("xclip", given, ["pipe", "ignore", "ignore"]);
    xclip.stdin!.end(content);
    for (let attempt = 0; !Buffer.from(await paste(target)).equals(content); attempt++) {
      assert.ok(attempt < 200, "the clipboard does not have the content");
      await sleep(20);
    }
  }

  /** Returns the content that xclip pastes. */
  async function paste(target = "UTF8_STRING", selection = "clipboard"): Promise<Buffer> {
    const given = ["-selection", selection, "-target", target, "-out"];
    const xclip = live.spawn("xclip", given, ["ignore", "pipe", "ignore"]);
    const chunks: Buffer[] = [];
    const closed = once(xclip, "close");
    for await (const chunk of xclip.stdout as Readable) chunks.push(chunk as Buffer);
    await closed;
    return Buffer.concat(chunks);
  }

  test("is empty at first", async () => {
    assert.deepEqual(await clipboard.formats({ selection: "primary" }), []);
    const empty = clipboard.text({ selection: "primary" });
    await assert.rejects(empty, refused(StaleTarget, "FORMAT_NOT_OFFERED"));
  });

  test("is copied and pasted as text", async () => {
    await copy(Buffer.from("Grüße 你好 👋\n"));
    assert.equal(await clipboard.text(), "Grüße 你好 👋\n");
    assert.deepEqual(Buffer.from(await clipboard.read()), Buffer.from("Grüße 你好 👋\n"));
    assert.ok((await clipboard.formats()).includes("UTF8_STRING"));
    await clipboard.write("\ufeffčau 世界");
    assert.equal((await paste()).toString(), "\ufeffčau 世界");
    assert.equal(await clipboard.text(), "\ufeffčau 世界");
    await clipboard.write("");
    assert.equal(await clipboard.text(), "");
  });

  test("has 1 MiB both ways", async () => {
    const text = Buffer.from("é世x ".repeat(MIB / 8).slice(0, MIB / 2));
    const padded = Buffer.concat([text, Buffer.alloc(MIB - text.length, "x")]);
    await copy(padded);
    assert.ok(Buffer.from(await clipboard.text()).equals(padded));
    const content = randomBytes(MIB);
    await clipboard.write(content, "application/octet-stream");
    assert.ok((await paste("application/octet-stream")).equals(content));
    assert.ok(Buffer.from(await clipboard.read("application/octet-stream")).equals(content));
  });

  test("has several formats", async () => {
    const html = "<b>hello</b>".repeat(30_000);
    const png = Buffer.from("\x89PNG\r\n\0", "latin1");
    await clipboard.writeFormats({ "text/html": html, "image/png": png, "": "hello" });
    const formats = await clipboard.formats();
    for (const each of ["text/html", "image/png", "UTF8_STRING"]) assert.ok(formats.includes(each));
    assert.equal((await paste("text/html")).toString(), html);
    assert.ok((await paste("image/png")).equals(png));
    assert.equal((await paste()).toString(), "hello");
    assert.ok(Buffer.from(await clipboard.read("image/png")).equals(png));
    await assert.rejects(clipboard.read("text/rtf"), (error: DeskdError) => {
      assert.match(error.message, /text\/html/);
      return refused(StaleTarget, "FORMAT_NOT_OFFERED")(error);
    });
  });

  test("is not the primary selection", async () => {
    await clipboard.write("copied");
    await clipboard.write("selected", "", { selection: "primary" });
    assert.equal((await paste("UTF8_STRING", "primary")).toString(), "selected");
    assert.equal(await clipboard.text(), "copied");
    assert.equal(await clipboard.text({ selection: "primary" }), "selected");
  });

  test("is read and written again after a lost connection", async () => {
    const proxy = new Proxy(live.address);
    const remote = new Desktop(proxy.address, { timeout: 10 });
    after(() => (remote.close(), proxy.close()));
    const content = randomBytes(MIB);
    await remote.clipboard.formats();
    for (const call of [
      () => remote.clipboard.write(content, "a/b"),
      async () => assert.ok(Buffer.from(await remote.clipboard.read("a/b")).equals(content)),
    ]) {
      const before = proxy.cuts;
      proxy.isMute = true;
      const made = call();
      await sleep(300);
      proxy.isMute = false;
      proxy.cut();
      await made;
      assert.equal(proxy.cuts, before + 1);
    }
    assert.ok((await paste("a/b")).equals(content));
  });

  test("is not written by a client that may only look", async () => {
    const { clipboard } = await other("reader.sock", ["--read-only"]);
    const write = clipboard.write("secret".repeat(100_000));
    await assert.rejects(write, refused(PermissionRefused, "READ_ONLY"));
  });

  test("is cancelled by a signal", async () => {
    const signal = AbortSignal.abort(new Error("stop"));
    await assert.rejects(clipboard.write("a", "", { signal }), /stop/);
    await assert.rejects(clipboard.read("", { signal }), /stop/);
  });

  test("refuses wrong arguments, and shows no content", async () => {
    const call = clipboard as never as Record<string, (...given: unknown[]) => Promise<unknown>>;
    const wrong: [method: string, given: unknown[], why: RegExp][] = [
      ["write", [5], /the content is of type number/],
      ["write", [["secret"]], /the content is a list/],
      ["write", [null], /the content is null/],
      ["write", ["secret\ud800"], /lone surrogate/],
      ["write", ["a", Buffer.from("secret")], /format is of type object/],
      ["writeFormats", [{ a: "secret", b: undefined }], /the content is of type undefined/],
      ["writeFormats", [{}], /no content is given/],
      ["writeFormats", ["secret"], /the formats are of type string/],
      ["write", ["a", "", { selection: "secondary" }], /choose clipboard or primary/],
      ["write", ["a", "", { format: "b" }], /there is no option 'format'/],
      ["read", ["a\ud800"], /lone surrogate/],
      ["read", ["", { timeout: 0 }], /timeout is 0/],
      ["formats", [{ selection: 3 }], /choose clipboard or primary/],
      ["write", ["x".repeat(17 * MIB)], /16777216/],
      ["write", [Buffer.from("secret\xff\xfe", "latin1")], /UTF-8/],
    ];
    for (const [method, given, why] of wrong) {
      await assert.rejects(call[method]!.call(clipboard, ...given), (error) => {
        assert.ok(error instanceof InvalidRequest, String(error));
        assert.match(error.message, why);
        assert.doesNotMatch(inspect(error, { depth: 9 }).split("\n    at")[0]!, /secret|xxx/);
        return true;
      });
    }
    assert.doesNotMatch(inspect(clipboard, { depth: 9, showHidden: true }), /secret/);
  });
});

describe("programs", () => {
  const xterm = (title: string) => ["xterm", "-title", title, "-e", "sleep", "60"];

  test("are launched and ended", async () => {
    const before = Date.now();
    const made = await programs.launch(xterm("launched"), { waitWindow: 20 });
    assert.deepEqual([made.outcome, made.window?.title], ["WINDOW_PAINTED", "launched"]);
    assert.ok(made.paintedAfter! > 0 && made.paintedAfter! < 20 && made.text !== "");
    const { id, name, pid, hasEnded, launchedAt } = made.program;
    assert.deepEqual([name, hasEnded, id === ""], ["xterm", false, false]);
    assert.ok(Math.abs(launchedAt!.getTime() - before) < 20_000);
    process.kill(pid, 0);
    const [first] = await programs.list();
    assert.equal(first?.id, id);
    assert.deepEqual(first.windows.map(({ title }) => title), ["launched"]);
    const ended = await programs.signal(made.program, "terminate", { timeout: 10 });
    assert.ok(ended.hasEnded && ended.processes >= 2 && ended.program.id === id);
    const after = (await programs.list()).find((each) => each.id === id);
    assert.ok(after?.hasEnded && after.windows.length === 0);
  });

  test("get words, a folder and an environment as they are", async () => {
    const script = 'pwd; echo "$GREETING|$1|$DISPLAY"; exit 3';
    const words = ["sh", "-c", script, "sh", "two words; $HOME 'é'"];
    const made = await programs.launch(words, { folder, env: { GREETING: "hello" } });
    assert.deepEqual([made.outcome, made.window, made.paintedAfter], ["STARTED", undefined, undefined]);
    let written = await programs.output(made.program);
    const lines = `${folder}\nhello|two words; $HOME 'é'|:${live.display}\n`;
    // The end may be known before the last output.
    while (!written.program.hasEnded || written.text.length < lines.length) {
      written = await programs.output(made.program.id);
    }
    assert.deepEqual([written.text, written.totalBytes], [lines, Buffer.byteLength(lines)]);
    assert.deepEqual([written.program.exitCode, written.program.signal], [3, undefined]);
  });

  test("that show no window", async () => {
    const failing = programs.launch(["sh", "-c", "echo no display; exit 4"], { waitWindow: 10 });
    await assert.rejects(failing, (error) => {
      assert.ok(error instanceof ActionFailed && error.step === undefined);
      const { output, program, text } = error.launch as Launch;
      assert.deepEqual([error.reason, output, program.exitCode], ["ENDED", "no display\n", 4]);
      assert.equal(error.message, text);
      return true;
    });
    const quiet = await programs.launch(["sleep", "60"], { waitWindow: 0.3, check: false });
    assert.deepEqual([quiet.outcome, quiet.program.hasEnded], ["NO_WINDOW", false]);
    const killed = await programs.signal(quiet.program.id, "kill", { timeout: 10 });
    assert.deepEqual([killed.hasEnded, killed.program.signal], [true, constants.signals.SIGKILL]);
    for (const [name, number] of [
      ["interrupt", constants.signals.SIGINT],
      ["hang_up", constants.signals.SIGHUP],
    ] as const) {
      const { program } = await programs.launch(["sleep", "60"]);
      const { program: after } = await programs.signal(program, name, { timeout: 10 });
      assert.equal(after.signal, number);
    }
  });

  test("of the menu, and for a URI", async () => {
    const entry = join(folder, "shown.desktop");
    const shows = "xterm -title shown -n %u -e sleep 60";
    writeFileSync(entry, `[Desktop Entry]\nType=Application\nName=Shown\nExec=${shows}\n`);
    const uris = ["file:///usr/share"];
    const made = await programs.launchEntry(entry, uris, { waitWindow: 20 });
    assert.equal(made.window?.title, "shown");
    const command = readFileSync(`/proc/${made.program.pid}/cmdline`, "utf8").split("\0");
    assert.equal(command[command.indexOf("-n") + 1], uris[0]);
    assert.ok((await programs.signal(made.program, "terminate", { timeout: 10 })).hasEnded);

    const [browser, opened] = [join(folder, "browser"), join(folder, "opened")];
    writeFileSync(`${browser}.new`, `#!/bin/sh\necho "$1" > ${opened}.new && mv ${opened}.new ${opened}\n`);
    chmodSync(`${browser}.new`, 0o755);
    renameSync(`${browser}.new`, browser);
    // xdg-open must find no other browser.
    const env = { BROWSER: browser, XDG_DATA_DIRS: folder };
    await programs.open("https://example.com/?a=b&c", { env });
    assert.equal(await untilWritten(opened), "https://example.com/?a=b&c\n");
  });

  test("are started once, also if the answer is lost", async () => {
    const proxy = new Proxy(live.address);
    const remote = new Desktop(proxy.address);
    after(() => (remote.close(), proxy.close()));
    await remote.programs.list();
    const started = join(folder, "started");
    proxy.isMute = true;
    const launch = remote.programs.launch(["sh", "-c", `echo once >> ${started}; sleep 60`]);
    await untilWritten(started);
    proxy.isMute = false;
    proxy.cut();
    const { program } = await launch;
    assert.equal(readFileSync(started, "utf8"), "once\n");
    const running = (await programs.list()).filter((each) => each.id !== "" && !each.hasEnded);
    assert.deepEqual(running.map(({ id }) => id), [program.id]);
    await programs.signal(program, "kill");
  });

  test("that are refused", async () => {
    const cases = [
      [() => programs.launch(["no-such-program"]), InvalidRequest, "PROGRAM_NOT_FOUND"],
      [() => programs.launchEntry("no.such.entry"), InvalidRequest, "PROGRAM_NOT_FOUND"],
      [() => programs.launch(["true"], { folder: "/nowhere" }), InvalidRequest, "PROGRAM_NOT_STARTED"],
      [() => programs.launch(["true"], { folder: "here" }), InvalidRequest, "INVALID_FIELD"],
      [() => programs.open("no uri"), InvalidRequest, "INVALID_FIELD"],
      [() => programs.output("p0"), StaleTarget, "UNKNOWN_PROGRAM"],
      [() => programs.signal("p0"), StaleTarget, "UNKNOWN_PROGRAM"],
    ] as const;
    for (const [call, kind, reason] of cases) await assert.rejects(call(), refused(kind, reason));
    const alone = await other("alone.sock", [], 0.5);
    await assert.rejects(alone.programs.launch(["true"]), refused(Unavailable, "NO_SESSION_HELPER"));
  });

  test("with wrong arguments", async () => {
    const [shown] = (await programs.list()).filter((each) => each.windows.length > 0);
    assert.deepEqual([shown?.id, shown?.launchedAt], ["", undefined]);
    const call = programs as never as Record<string, (...given: unknown[]) => Promise<unknown>>;
    const wrong: [method: string, given: unknown[], why: RegExp][] = [
      ["launch", [[]], /no program is given/],
      ["launch", ["xterm"], /the words are 'xterm'; give a list/],
      ["launch", [["xterm", 5]], /word 2 is 5/],
      ["launch", [["a\ud800"]], /word 1 is/],
      ["launch", [["a"], { folder: 3 }], /folder is 3/],
      ["launch", [["a"], { env: ["A=secret"] }], /env is a list/],
      ["launch", [["a"], { env: { A: 5, B: "secret" } }], /the value of 'A' in env/],
      ["launch", [["a"], { waitWindow: 121 }], /at most 120 seconds/],
      ["launch", [["a"], { waitWindow: -1 }], /waitWindow is -1/],
      ["launch", [["a"], { waitWindow: NaN }], /waitWindow is NaN/],
      ["launch", [["a"], { check: "no" }], /check is 'no'/],
      ["launch", [["a"], { timeout: -1 }], /timeout is -1/],
      ["launch", [["a"], { wait: 3 }], /there is no option 'wait'/],
      ["launchEntry", [3], /entry is 3/],
      ["launchEntry", ["a", [3]], /URI 1 is 3/],
      ["open", [null], /uri is null/],
      ["output", [5], /the program is 5/],
      ["output", [shown], /did not launch the program/],
      ["signal", ["p1", "stop"], /there is no signal 'stop'; choose one of terminate/],
      ["signal", ["p1", "kill", { timeout: 31 }], /at most 30 seconds/],
    ];
    for (const [method, given, why] of wrong) {
      await assert.rejects(call[method]!.call(programs, ...given), (error) => {
        assert.ok(error instanceof InvalidRequest, String(error));
        assert.match(error.message, why);
        assert.equal(error.reason, "INVALID_FIELD");
        assert.doesNotMatch(error.message, /secret/);
        return true;
      });
    }
  });
});

describe("the recorder", () => {
  const { recorder } = desktop;
  const logs = `${live.address.slice("unix:".length)}.logs`;
  /** Makes an empty folder. */
  const empty = () => mkdtempSync(join(folder, "record-"));

  test("records a run", async () => {
    const own = empty();
    const limits = { maxBytes: 16 * MIB, maxDuration: 600 };
    const began = await recorder.start({ name: "checkout", ...limits });
    assert.match(began.id, /checkout/);
    assert.deepEqual([began.recording, began.ofDaemon, began.endReason], [true, false, undefined]);
    assert.deepEqual([began.lost, began.error], [0, ""]);
    assert.ok(Math.abs(began.beganAt.getTime() - Date.now()) < 20_000);
    await desktop.move(40, 12);
    const listed = (await recorder.list()).find(({ id }) => id === began.id);
    assert.deepEqual([listed?.recording, listed?.beganAt], [true, began.beganAt]);
    const part = await recorder.fetch(began, join(own, "part"));
    assert.deepEqual([part.id, part.recording], [began.id, true]);
    await desktop.move(80, 24);
    const ended = await recorder.stop(began);
    assert.deepEqual([ended.id, ended.recording, ended.endReason], [began.id, false, "STOPPED"]);
    assert.deepEqual(await recorder.stop(began.id), ended);
    const file = join(own, "run.deskdlog");
    assert.deepEqual(await recorder.fetch(began.id, pathToFileURL(file)), ended);
    const content = readFileSync(file);
    assert.equal(content.length, ended.bytes);
    assert.ok(content.equals(readFileSync(join(logs, `${began.id}.deskdlog`))));
    const first = readFileSync(join(own, "part"));
    assert.ok(content.subarray(0, first.length).equals(first));
    for (const each of readdirSync(own)) {
      assert.equal(statSync(join(own, each)).mode & 0o777, 0o600);
    }
    execFileSync(program(), ["log", "export", file, "--to", "html"], { stdio: "ignore" });
    assert.ok(existsSync(join(own, "run.html")));
  });

  test("ends after its time", async () => {
    const { id } = await recorder.start({ maxDuration: 1 });
    for (let attempt = 0; ; attempt++) {
      const found = (await recorder.list()).find((each) => each.id === id);
      if (found?.endReason === "DURATION") break;
      assert.ok(attempt < 200, inspect(found));
      await sleep(50);
    }
  });

  test("writes a new file", async () => {
    const own = empty();
    const made = await recorder.stop(await recorder.start());
    const [file, link] = [join(own, "file"), join(own, "link")];
    writeFileSync(file, "content");
    symlinkSync(join(own, "target"), link);
    await assert.rejects(recorder.fetch(made, file), { code: "EEXIST" });
    await assert.rejects(recorder.fetch(made, link), { code: "EEXIST" });
    await assert.rejects(recorder.fetch(made, join(own, "nowhere", "file")), { code: "ENOENT" });
    const reason = new Error("stop");
    const signal = AbortSignal.abort(reason);
    await assert.rejects(recorder.fetch(made, join(own, "cancelled"), { signal }), reason);
    assert.equal(readFileSync(file, "utf8"), "content");
    assert.deepEqual(readdirSync(own).sort(), ["file", "link"]);
  });

  test("refuses an unknown recording", async () => {
    const [own, id] = [empty(), "20200101T000000-nothing-0000"];
    const unknown = refused(StaleTarget, "UNKNOWN_RECORDING");
    await assert.rejects(recorder.stop(id), unknown);
    await assert.rejects(recorder.fetch(id, join(own, "file")), unknown);
    assert.deepEqual(readdirSync(own), []);
  });

  test("does not end the log of the daemon", async () => {
    const own = empty();
    const logged = await other("logged.sock", ["--log-dir", join(own, "logs")]);
    const [made] = await logged.recorder.list();
    assert.deepEqual([made?.ofDaemon, made?.recording], [true, true]);
    await assert.rejects(
      logged.recorder.stop(made!),
      refused(PermissionRefused, "RECORDING_PROTECTED"),
    );
  });

  test("does not wait for a folder that cannot be used", async () => {
    const own = empty();
    const unusable = await other("unusable.sock", []);
    const made = await unusable.recorder.stop(await unusable.recorder.start());
    chmodSync(join(folder, "unusable.sock.logs"), 0o777);
    const begin = performance.now();
    for (const call of [
      () => unusable.recorder.start(),
      () => unusable.recorder.list(),
      () => unusable.recorder.fetch(made, join(own, "file")),
    ]) {
      await assert.rejects(call(), refused(Unavailable, "RECORDING_UNAVAILABLE"));
    }
    assert.ok(performance.now() - begin < 10_000);
    assert.deepEqual(readdirSync(own), []);
  });

  test("sends a start once", async () => {
    const proxy = new Proxy(live.address);
    const remote = new Desktop(proxy.address);
    after(() => (remote.close(), proxy.close()));
    const before = (await remote.recorder.list()).map(({ id }) => id);
    // A file that is listed but does not record yet is removed when its call is cancelled.
    const begun = async () =>
      (await recorder.list()).filter(({ id, recording }) => recording && !before.includes(id));
    proxy.isMute = true;
    const lost = assert.rejects(remote.recorder.start({ name: "once" }), refused(Unavailable, ""));
    while ((await begun()).length === 0) await sleep(10);
    proxy.isMute = false;
    proxy.cut();
    await lost;
    await sleep(500);
    const made = await begun();
    assert.equal(made.length, 1);
    await recorder.stop(made[0]!);
  });

  test("continues a copy after a lost connection", async () => {
    const own = empty();
    const proxy = new Proxy(live.address);
    const remote = new Desktop(proxy.address);
    after(() => (remote.close(), proxy.close()));
    // Of a log of an earlier instance, the daemon does not read the content.
    const [id, file] = ["20200101T000000-large-0000", join(own, "file")];
    const content = randomBytes(64 * MIB);
    const large = join(logs, `${id}.deskdlog`);
    writeFileSync(large, content);
    const copied = remote.recorder.fetch(id, file);
    while (!existsSync(file) || statSync(file).size < MIB) await sleep(1);
    assert.ok(statSync(file).size < content.length);
    proxy.cut();
    const made = await copied;
    rmSync(large);
    assert.deepEqual([made.bytes, made.recording], [content.length, false]);
    assert.equal(made.endReason, undefined);
    assert.ok(readFileSync(file).equals(content));
  });

  test("removes an incomplete file", async () => {
    const own = empty();
    const proxy = new Proxy(live.address);
    const remote = new Desktop(proxy.address, { timeout: 1 });
    after(() => (remote.close(), proxy.close()));
    const made = await remote.recorder.stop(await remote.recorder.start());
    proxy.isMute = true;
    await assert.rejects(remote.recorder.fetch(made, join(own, "file")), DeadlineExceeded);
    assert.deepEqual(readdirSync(own), []);
  });

  test("refuses wrong arguments", async () => {
    const [own, before] = [empty(), await recorder.list()];
    const file = join(own, "file");
    const call = recorder as never as Record<string, (...given: unknown[]) => Promise<unknown>>;
    const wrong: [method: string, given: unknown[], why: RegExp][] = [
      ["start", [{ name: 5 }], /name is 5/],
      ["start", [{ name: "a\ud800" }], /give a string/],
      ["start", [{ name: "a b" }], /name/],
      ["start", [{ maxBytes: 0 }], /maxBytes is 0/],
      ["start", [{ maxBytes: 1000 }], /max_bytes/],
      ["start", [{ maxBytes: 2 ** 40 }], /max_bytes/],
      ["start", [{ maxBytes: 2 ** 60 }], /maxBytes/],
      ["start", [{ maxBytes: 1.5 }], /maxBytes is 1.5/],
      ["start", [{ maxDuration: 0 }], /max_duration/],
      ["start", [{ maxDuration: 1e6 }], /max_duration/],
      ["start", [{ maxDuration: "long" }], /maxDuration is 'long'/],
      ["start", [{ duration: 5 }], /there is no option 'duration'/],
      ["start", [{ timeout: 0 }], /timeout is 0/],
      ["stop", [5], /the recording is 5/],
      ["stop", [""], /recording_id/],
      ["fetch", ["../file", file], /recording_id/],
      ["fetch", [null, file], /the recording is null/],
      ["fetch", ["a", file, { timeout: 0 }], /timeout is 0/],
    ];
    for (const [method, given, why] of wrong) {
      await assert.rejects(call[method]!.call(recorder, ...given), (error) => {
        assert.ok(error instanceof InvalidRequest, String(error));
        assert.match(error.message, why);
        return true;
      });
    }
    assert.deepEqual(await recorder.list(), before);
    assert.deepEqual(readdirSync(own), []);
  });
});

describe("the recipe that opens pages", () => {
  /** Starts a desktop whose browser is a script. */
  async function browsing(script: string): Promise<Desktop> {
    const browser = join(mkdtempSync(join(folder, "browser-")), "browser");
    writeFileSync(`${browser}.new`, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    renameSync(`${browser}.new`, browser);
    const helper = `${browser}.sock`;
    // xdg-open must find no other browser.
    const env = { BROWSER: browser, XDG_DATA_DIRS: folder, HOME: folder };
    live.spawn(program(), ["session-helper", "--socket", helper], "ignore", env);
    while (!existsSync(helper)) await sleep(10);
    return other(`${browser.split("/").at(-2)}.sock`, ["--session-helper", helper]);
  }
  const navigate = (url: string) => [
    { type: "function_call", id: "1", name: "navigate", arguments: { url } },
  ];

  test("opens a page in the browser", async () => {
    const desktop = await browsing('exec xterm -bg blue -title "$1" -e sleep 20');
    const computer = new Computer(desktop, { open: openWith(desktop) });
    const [result] = await computer.results(navigate(" example.com/a "));
    assert.equal(result?.is_error, undefined);
    const [shown] = await desktop.windows.list("https://example.com/a");
    assert.ok(shown?.isViewable);
  });

  test("reports a browser that fails", async () => {
    const desktop = await browsing("echo no display >&2; exit 7");
    const computer = new Computer(desktop, { open: openWith(desktop) });
    const [result] = await computer.results(navigate("file:///usr/share/doc"));
    assert.equal(result?.is_error, true);
    assert.match(JSON.stringify(result), /the page was not opened; xdg-open ended with code/);
  });

  test("ends although nothing changes", async () => {
    const desktop = await browsing("exit 0");
    await openWith(desktop, { wait: 0.5 })("https://example.com/");
  });
});
