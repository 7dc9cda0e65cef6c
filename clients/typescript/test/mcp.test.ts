/**
 * `deskd mcp` on standard input and output, and MCP over HTTP, by the official clients in both eras
 * of the protocol: with the handshake `initialize` (`@modelcontextprotocol/sdk`, and
 * `@modelcontextprotocol/client` with the mode `legacy`), and without it (`client` with the version
 * 2026-07-28, or with the mode `auto`).
 */
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import * as newer from "@modelcontextprotocol/client";
import * as newerStdio from "@modelcontextprotocol/client/stdio";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { assertScreen, decoded, INSIDE, LiveDesktop, program } from "./support/desktop.js";
import type { Json } from "./support/model.js";
import { drawNoise } from "./support/noise.js";

const desktop = new LiveDesktop({ helper: true });
before(() => desktop.start());
after(() => desktop.stop());
beforeEach(() => desktop.forget());

const INFO = { name: "test", version: "1" };
const MODERN = "2026-07-28";
/** Each client, and whether it begins with the handshake. */
const CLIENTS = {
  "sdk 1": { mode: undefined, isHandshake: true },
  "client 2, legacy": { mode: "legacy", isHandshake: true },
  "client 2, auto": { mode: "auto", isHandshake: false },
  [`client 2, ${MODERN}`]: { mode: { pin: MODERN }, isHandshake: false },
} as const;
type ClientName = keyof typeof CLIENTS;
type Mode = (typeof CLIENTS)[ClientName]["mode"];
type TransportName = "stdio" | "HTTP";

/** A connected client. */
interface Session {
  /** The tools, by name. */
  list(): Promise<Record<string, Json>>;
  /** Calls a tool. */
  call(name: string, values?: Record<string, unknown>): Promise<Json>;
  /** The instructions for the model. */
  instructions: string | undefined;
  /** The methods of the messages that the client sent. */
  sent: string[];
  /** The version of the protocol, if the client reports it. */
  version: string | undefined;
}

function transportOf(transport: TransportName, mode: Mode, token: string, given: string[]) {
  if (transport === "stdio") {
    const command = { command: program(), args: ["mcp", ...given] };
    return mode ? new newerStdio.StdioClientTransport(command) : new StdioClientTransport(command);
  }
  const url = new URL(`http://${desktop.http}/mcp`);
  const options = { requestInit: { headers: { authorization: `Bearer ${token}` } } };
  return mode
    ? new newer.StreamableHTTPClientTransport(url, options)
    : new StreamableHTTPClientTransport(url, options);
}

const ID = "screenshot_id: ";

/** Connects a client, and closes it at the end. */
async function connected<T>(
  name: ClientName,
  kind: TransportName,
  use: (session: Session) => Promise<T>,
  { token = desktop.token, given = ["--server", desktop.address] } = {},
): Promise<T> {
  const { mode } = CLIENTS[name];
  const transport: Json = transportOf(kind, mode, token, given);
  const client = mode ? new newer.Client(INFO, { versionNegotiation: { mode } }) : new Client(INFO);
  const sent: string[] = [];
  // Over HTTP, a model names the screenshot to which its points refer: here the last one.
  let named: { screenshot_id?: string } = {};
  const send = transport.send.bind(transport);
  transport.send = (message: Json, options: unknown) => {
    sent.push(message.method);
    return send(message, options);
  };
  try {
    await client.connect(transport);
    return await use({
      list: async () => {
        const { tools } = await client.listTools();
        return Object.fromEntries(tools.map((tool) => [tool.name, tool]));
      },
      call: async (called, values = {}) => {
        const hasPlace = "coordinate" in values || "region" in values;
        const given = hasPlace ? { ...named, ...values } : values;
        const result: Json = await client.callTool({ name: called, arguments: given });
        for (const { text } of result.content) {
          if (text?.startsWith(ID)) named = { screenshot_id: text.slice(ID.length) };
        }
        return result;
      },
      instructions: client.getInstructions(),
      sent,
      version: client instanceof Client ? undefined : client.getNegotiatedProtocolVersion(),
    });
  } finally {
    await client.close();
  }
}

/** The image of a result, which keeps the hosts' limit. */
function imageOf(result: Json): { data: string; mimeType: string } {
  const images = result.content.filter((each: Json) => each.type === "image");
  assert.equal(images.length, 1);
  assert.ok(images[0].data.length < 1_000_000, `the image has ${images[0].data.length} characters`);
  return images[0];
}

/** Asserts that a result is no error and has the screen. Returns its text. */
function textWithScreen(result: Json): string {
  assert.notEqual(result.isError, true, JSON.stringify(result.content[0]).slice(0, 300));
  assert.equal(imageOf(result).mimeType, "image/png");
  assertScreen(imageOf(result).data);
  return textOf(result);
}

function textOf(result: Json): string {
  // Over HTTP, each screenshot has a name.
  const texts: string[] = result.content.map((each: Json) => each.text ?? "");
  return texts.filter((each) => !each.startsWith(ID)).join("");
}

for (const name of Object.keys(CLIENTS) as ClientName[]) {
  for (const transport of ["stdio", "HTTP"] as const) {
    const connect = <T>(use: (session: Session) => Promise<T>) => connected(name, transport, use);
    describe(`${name}, ${transport}`, () => {
      test("a model uses the desktop", () =>
        connect(async ({ list, call, instructions, sent, version }) => {
          assert.match(instructions ?? "", /pixels of the last screenshot/);
          const tools = await list();
          const waiting = ["screenshot", "wait_for_window", "zoom"];
          const looking = ["list_windows", "read_clipboard", ...waiting];
          const names = Object.keys(tools).sort();
          const changing = ["computer", "launch", "window", "write_clipboard"];
          assert.deepEqual(names, [...changing, ...looking].sort());
          const readOnly = names.filter((tool) => tools[tool].annotations.readOnlyHint);
          assert.deepEqual(readOnly, looking);
          assert.equal(tools["computer"].inputSchema.properties.action.enum.length, 17);

          assert.equal(textWithScreen(await call("screenshot")), "");
          const moved = await call("computer", { action: "mouse_move", coordinate: [321, 234] });
          assert.match(textWithScreen(moved), /^Moved the mouse\./);
          assert.deepEqual(await desktop.client.cursor(), [321, 234]);
          const position = await call("computer", { action: "cursor_position" });
          assert.deepEqual(position.content, [{ type: "text", text: "X=321,Y=234" }]);

          const click = { action: "left_click", coordinate: [...INSIDE] };
          assert.match(textWithScreen(await call("computer", click)), /^Clicked\./);
          const text = `${name} ${transport} é漢`;
          const typed = await call("computer", { action: "type", text });
          assert.match(textWithScreen(typed), /^Typed\./);
          const pressed = await call("computer", { action: "key", text: "Return" });
          assert.match(textWithScreen(pressed), /^Pressed Return\./);
          await desktop.untilReceived(`${text}\n`);

          // The black desktop, and the corner of the white xterm at its lower right.
          const zoom = await call("zoom", { region: [100, 100, 420, 300] });
          const zoomed = decoded(imageOf(zoom).data);
          assert.deepEqual([zoomed.width, zoomed.height], [1280, 800]);
          const at = (x: number, y: number) => zoomed.rgb.readUIntBE(3 * (1280 * y + x), 3);
          assert.deepEqual([at(100, 100), at(1270, 790)], [0x000000, 0xffffff]);

          const { isHandshake } = CLIENTS[name];
          assert.equal(sent.includes("initialize"), isHandshake);
          assert.equal(sent.filter((method) => method === "tools/call").length, 7);
          if (name !== "sdk 1") assert.equal(version, isHandshake ? "2025-11-25" : MODERN);
        }));

      test("a program is launched, and text is copied", () =>
        connect(async ({ call }) => {
          const title = `launched by ${name}`;
          const xterm = ["xterm", "-title", title, "-geometry", "20x2+900+50", "-e", "sleep", "60"];
          const started = textWithScreen(await call("launch", { command: xterm }));
          assert.ok(started.includes(title), started);
          const closed = await call("window", { operation: "close", window: title });
          assert.match(textWithScreen(closed), /^Done: /);
          const ended = await call("launch", { command: ["sh", "-c", "echo no luck; exit 3"] });
          assert.equal(ended.isError, true);
          assert.match(textOf(ended), /no luck/);
          const missing = await call("launch", { command: ["no-such-program"] });
          assert.equal(missing.isError, true);
          assert.match(textOf(missing), /no-such-program/);

          const copied = `${name} é漢\n`;
          const wrote = await call("write_clipboard", { text: copied });
          assert.ok(!wrote.isError && !textOf(wrote).includes(copied), textOf(wrote));
          assert.equal(textOf(await call("read_clipboard")), copied);
        }));

      test("windows are listed, awaited and changed", () =>
        connect(async ({ call }) => {
          const listed = textOf(await call("list_windows"));
          const [, id] = /^(w\S+) \(normal(?:, focused)?\) XTerm "[^"]*"$/.exec(listed) ?? [];
          assert.ok(id, listed);
          const title = /"([^"]*)"/.exec(listed)![1];
          assert.match(textWithScreen(await call("window", { operation: "activate", window: id })), /^Done: /);
          assert.match(textWithScreen(await call("wait_for_window", { title })), /^The window is there: w/);
          const gone = await call("wait_for_window", { title, gone: true, seconds: 0.2 });
          assert.ok(gone.isError && textOf(gone).includes(id), textOf(gone));
          const failures: [tool: string, values: Record<string, unknown>, why: RegExp][] = [
            ["window", { operation: "maximize", window: id }, /^Failed: no window manager/],
            ["window", { operation: "close", window: "no such window" }, /not performed: .*UNKNOWN_WINDOW/],
            ["window", { operation: "fly", window: id }, /not performed: .*operation must be one of/],
            ["wait_for_window", { title: 5 }, /not performed: .*title must be a string/],
            ["list_windows", { all: true }, /not performed: .*unknown argument "all"/],
          ];
          for (const [tool, values, why] of failures) {
            const result = await call(tool, values);
            assert.equal(result.isError, true, JSON.stringify(values));
            assert.match(textOf(result), why);
          }
        }));

      test("errors are for the model", () =>
        connect(async ({ call }) => {
          const wrong: [values: Record<string, unknown>, why: RegExp][] = [
            [{}, /not performed: .*action/],
            [{ action: "fly" }, /not performed: .*"fly"/],
            [{ action: "left_click", coordinate: [1] }, /not performed: .*coordinate/],
            [{ action: "left_click", coordinate: [5000, 1] }, /5000,1/],
            [{ action: "key", text: "no_such_key" }, /no_such_key/],
            [{ action: "type", text: "never\u0000" }, /text/],
          ];
          await call("screenshot");
          for (const [values, why] of wrong) {
            const result = await call("computer", values);
            assert.equal(result.isError, true, JSON.stringify(values));
            assert.match(textOf(result), why);
          }
          const empty = await call("zoom", { region: [5, 5, 5, 9] });
          assert.equal(empty.isError, true);
          assert.match(textOf(empty), /not performed: .*region/);
          await assert.rejects(call("fly"), { code: -32602, message: /"fly"/ });
          // The connection is still good, and nothing was typed.
          await call("computer", { action: "type", text: "end\n" });
          await desktop.untilReceived("end\n");
        }));
    });
  }
}

for (const name of Object.keys(CLIENTS) as ClientName[]) {
  test(`${name}: a wrong token`, async () => {
    const wrong = connected(name, "HTTP", async ({ list }) => list(), { token: "wrong-token" });
    await assert.rejects(wrong, (error: Json) => {
      assert.equal(error.status ?? error.code, 401, String(error));
      return true;
    });
  });
}

test("strangers and web pages are refused", async () => {
  const post = async (headers: Record<string, string>) => {
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list", params: {} });
    const accept = { accept: "application/json, text/event-stream" };
    const all = { "content-type": "application/json", ...accept, ...headers };
    const reply = await fetch(`http://${desktop.http}/mcp`, { method: "POST", headers: all, body });
    return [reply.status, (await reply.text()).includes('"screenshot"')];
  };
  const authorization = `Bearer ${desktop.token}`;
  assert.deepEqual(await post({}), [401, false]);
  assert.deepEqual(await post({ authorization: `${authorization}x` }), [401, false]);
  assert.deepEqual(await post({ authorization: desktop.token }), [401, false]);
  assert.deepEqual(await post({ authorization }), [200, true]);
  assert.deepEqual(await post({ authorization, origin: "http://localhost" }), [403, false]);
});

test("another screen is no error of the model", () =>
  connected("sdk 1", "stdio", async ({ call }) => {
    await call("screenshot");
    await desktop.restart();
    const click = { action: "left_click", coordinate: [...INSIDE] };
    assert.match(textWithScreen(await call("computer", click)), /not performed/);
    assert.match(textWithScreen(await call("computer", click)), /^Clicked\./);
  }));

test("the host is answered without a daemon", () =>
  connected(
    "sdk 1",
    "stdio",
    async ({ list, call }) => {
      assert.equal(Object.keys(await list()).length, 9);
      const result = await call("screenshot");
      assert.equal(result.isError, true);
      assert.match(textOf(result), /\/nonexistent\/deskd\.sock/);
    },
    { given: ["--server", "unix:/nonexistent/deskd.sock", "--deadline", "1s"] },
  ));

test("a picture that no lossless encoding makes small enough", async () => {
  await drawNoise(desktop.display, true);
  try {
    const png = (await desktop.client.screenshot()).check();
    assert.ok(png.image.length > 1_000_000, `the PNG image has ${png.image.length} bytes`);
    for (const transport of ["stdio", "HTTP"] as const) {
      const { data, mimeType } = await connected("sdk 1", transport, async ({ call }) =>
        imageOf(await call("screenshot")),
      );
      assert.equal(mimeType, "image/jpeg");
      const bytes = Buffer.from(data, "base64");
      assert.deepEqual([bytes.toString("hex", 0, 3), bytes.toString("hex", bytes.length - 2)], [
        ...["ffd8ff", "ffd9"],
      ]);
    }
  } finally {
    await drawNoise(desktop.display, false);
  }
});
