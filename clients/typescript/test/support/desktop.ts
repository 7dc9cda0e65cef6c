/**
 * A desktop of its own for tests: an X server, an xterm that writes each line that it receives into
 * a file, and a daemon. The program deskd is that of DESKD_TEST_PROGRAM.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn, type StdioOptions } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { Desktop } from "../../src/index.js";
import { decodePng, type Pixels } from "./png.js";

/** Seconds after which something that does not happen is a failure. */
const PATIENCE = 30;
/** Width and height of the screen. */
export const SCREEN = [1280, 800] as const;
/** A place within the xterm. */
export const INSIDE = [400, 350] as const;
const INSIDE_EMPTY = [600, 480] as const;
const OUTSIDE = [1200, 100] as const;

/** Returns the path of the program deskd. */
export function program(): string {
  const path = process.env["DESKD_TEST_PROGRAM"];
  assert.ok(path, "set DESKD_TEST_PROGRAM to the path of the program deskd");
  return path;
}

/** Decodes a PNG image in base64, or in a `data:` URL. */
export function decoded(data: string): Pixels {
  const [, base64] = /^(?:data:image\/png;base64,)?([A-Za-z0-9+/]+=*)$/.exec(data) ?? [];
  assert.ok(base64, `this is no image in base64: ${data.slice(0, 60)}`);
  const bytes = Buffer.from(base64, "base64");
  assert.equal(bytes.toString("hex", 0, 8), "89504e470d0a1a0a");
  return decodePng(bytes);
}

/** Asserts that an image shows the whole screen: the white xterm on the black desktop. */
export function assertScreen(data: string, size: readonly [number, number] = SCREEN): void {
  const { width, height, rgb } = decoded(data);
  assert.deepEqual([width, height], size);
  const at = ([x, y]: readonly [number, number]) => {
    const column = Math.floor((x * width) / SCREEN[0]);
    const from = 3 * (Math.floor((y * height) / SCREEN[1]) * width + column);
    return rgb.toString("hex", from, from + 3);
  };
  assert.deepEqual([at(INSIDE_EMPTY), at(OUTSIDE)], ["ffffff", "000000"]);
}

/** The processes of a desktop. */
export class LiveDesktop {
  readonly #folder = mkdtempSync(join(tmpdir(), "deskd-live-"));
  readonly #file = join(this.#folder, "received");
  readonly #processes: ChildProcess[] = [];
  readonly #end = () => this.#processes.forEach((each) => each.kill());
  /** The number of the X server. */
  display = "";
  #daemon: ChildProcess | undefined;
  /** The address of the daemon. */
  readonly address = `unix:${join(this.#folder, "deskd.sock")}`;
  /** The token that requests over HTTP must carry. */
  readonly token = randomBytes(18).toString("hex");
  /** The host and port of HTTP. */
  http = "";
  /** A client of the daemon. */
  readonly client = new Desktop(this.address);
  readonly #helper: string | undefined;

  /** `helper`: whether a session helper starts programs for the daemon. */
  constructor({ helper = false }: { helper?: boolean } = {}) {
    this.#helper = helper ? join(this.#folder, "helper.sock") : undefined;
  }

  /** Starts a program on this desktop, which ends with it. */
  spawn(
    name: string,
    given: string[],
    stdio?: StdioOptions,
    own: Record<string, string> = {},
  ): ChildProcess {
    return this.#spawn(name, given, stdio, { DISPLAY: `:${this.display}`, ...own });
  }

  /** Starts everything, and waits until the xterm is painted and receives what is typed. */
  async start(): Promise<void> {
    program();
    process.on("exit", this.#end);
    writeFileSync(this.#file, "");
    writeFileSync(join(this.#folder, "token"), this.token, { mode: 0o600 });
    this.http = `127.0.0.1:${await freePort()}`;
    const given = ["-displayfd", "3", "-screen", "0", `${SCREEN.join("x")}x24`, "-nolisten", "tcp"];
    const xvfb = this.#spawn("Xvfb", given, ["ignore", "ignore", "ignore", "pipe"]);
    const ended = once(xvfb, "exit").then(() => assert.fail("Xvfb ended"));
    this.display = await Promise.race([firstLine(xvfb.stdio[3] as Readable), ended]);
    const copy = `while IFS= read -r line; do printf '%s\\n' "$line" >> '${this.#file}'; done`;
    const xterm = ["-u8", "-geometry", "80x24+200+200", "-e", "sh", "-c", copy];
    this.#spawn("xterm", ["-display", `:${this.display}`, ...xterm]);
    if (this.#helper !== undefined) {
      const own = { DISPLAY: `:${this.display}`, HOME: this.#folder };
      this.#spawn(program(), ["session-helper", "--socket", this.#helper], "ignore", own);
      while (!existsSync(this.#helper)) await sleep(10);
    }
    await this.#serve();
    await this.client.waitReady(PATIENCE, { windows: [{ class: "XTerm" }] });
    await this.client.click(...INSIDE);
    await this.client.type("ready\n");
    await this.untilReceived("ready\n");
    this.forget();
  }

  /** What the xterm received since the last call of `forget`. */
  get received(): string {
    return readFileSync(this.#file, "utf8");
  }

  /** Empties that file. */
  forget(): void {
    writeFileSync(this.#file, "");
  }

  /** Waits until the xterm has received as many lines as a text has, and compares them. */
  async untilReceived(text: string): Promise<void> {
    const lines = (each: string) => each.split("\n").length;
    const end = performance.now() + 1000 * PATIENCE;
    while (lines(this.received) < lines(text) && performance.now() < end) await sleep(20);
    assert.equal(this.received, text);
  }

  /** Ends the daemon, and starts another one. */
  async restart(): Promise<void> {
    await ended(this.#daemon!);
    await this.#serve();
    await this.client.waitReady(PATIENCE);
  }

  /** Ends everything. */
  async stop(): Promise<void> {
    await this.client.close();
    for (const each of this.#processes.reverse()) await ended(each);
    process.off("exit", this.#end);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #serve(): Promise<void> {
    const listen = ["--listen", this.address, "--http", this.http, "--mcp"];
    const token = ["--token-file", join(this.#folder, "token")];
    const display = ["--display", `:${this.display}`, "--profile", "any"];
    const helper = this.#helper === undefined ? [] : ["--session-helper", this.#helper];
    const output: StdioOptions = ["ignore", "ignore", openSync(join(this.#folder, "log"), "a")];
    const all = ["serve", ...display, ...listen, ...token, ...helper];
    this.#daemon = this.#spawn(program(), all, output);
  }

  #spawn(
    name: string,
    given: string[],
    stdio: StdioOptions = "ignore",
    own: Record<string, string> = {},
  ): ChildProcess {
    const env = { PATH: process.env["PATH"], LC_ALL: "C.UTF-8", ...own };
    const child = spawn(name, given, { env, stdio });
    this.#processes.push(child);
    return child;
  }
}

/** Ends a process. */
async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const exit = once(child, "exit");
  child.kill();
  await exit;
}

async function firstLine(stream: Readable): Promise<string> {
  let text = "";
  while (!text.includes("\n")) text += String((await once(stream, "data"))[0]);
  return text.slice(0, text.indexOf("\n"));
}

/** Returns a port that no program has. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
