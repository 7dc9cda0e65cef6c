/** Addresses, and the settings of connections. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { Server } from "node:net";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { after, afterEach, describe, test } from "node:test";
import { inspect } from "node:util";
import { create } from "@bufbuild/protobuf";
import { ServerCredentials } from "@grpc/grpc-js";
import { Address } from "../../src/address.js";
import { Bridge } from "../../src/bridge.js";
import { Desktop, DeskdError, Unavailable } from "../../src/index.js";
import { words } from "../../src/words.js";
import { FakeDaemon } from "../support/daemon.js";

const folder = mkdtempSync(join(tmpdir(), "deskd-test-"));
after(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

describe("addresses", () => {
  const variables = ["DESKD_SERVER", "DESKD_TOKEN_FILE", "DESKD_TLS_CA", "DESKD_TLS_CLIENT_CERT"];
  const all = [...variables, "DESKD_TLS_CLIENT_KEY", "XDG_RUNTIME_DIR"];
  afterEach(() => all.forEach((name) => delete process.env[name]));

  test("that are wrong are refused", () => {
    const wrong = [
      "",
      "unix:",
      "unix:relative",
      "host",
      "host:",
      ":5000",
      "host:0",
      "host:65536",
      "host:x",
    ];
    for (const server of [...wrong, "exec:", "exec:  ", "exec:'a"]) {
      assert.throws(() => new Desktop(server), DeskdError, server);
    }
  });

  test("have the options of a channel", () => {
    for (const server of ["unix:/d.sock", "exec:deskd bridge"]) {
      assert.equal(new Address(server).options["grpc.default_authority"], "localhost");
    }
    const { options } = new Address("10.0.0.1:5000");
    assert.ok(!("grpc.default_authority" in options));
    assert.equal(options["grpc.max_receive_message_length"], 160 * 1024 * 1024);
  });

  test("come from the environment", () => {
    assert.equal(new Desktop().server, "unix:/run/deskd/deskd.sock");
    // The socket need not exist yet, nor the folder.
    process.env["XDG_RUNTIME_DIR"] = join(folder, "later");
    assert.equal(new Desktop().server, `unix:${folder}/later/deskd.sock`);
    process.env["XDG_RUNTIME_DIR"] = `${folder}/`;
    assert.equal(new Desktop().server, `unix:${folder}/deskd.sock`);
    process.env["XDG_RUNTIME_DIR"] = folder;
    assert.equal(new Desktop().server, `unix:${folder}/deskd.sock`);
    file("deskd.sock", "");
    assert.equal(new Desktop().server, `unix:${folder}/deskd.sock`);
    // Others can write to it, as to /tmp.
    chmodSync(folder, 0o777);
    assert.equal(new Desktop().server, `unix:${folder}/deskd.sock`);
    if (process.geteuid?.() === 0) {
      chownSync(join(folder, "deskd.sock"), 65534, 65534);
      assert.equal(new Desktop().server, "unix:/run/deskd/deskd.sock");
      chownSync(join(folder, "deskd.sock"), 0, 0);
    }
    chmodSync(folder, 0o755);
    assert.equal(new Desktop().server, `unix:${folder}/deskd.sock`);
    process.env["XDG_RUNTIME_DIR"] = relative(process.cwd(), folder);
    assert.equal(new Desktop().server, "unix:/run/deskd/deskd.sock");
    process.env["XDG_RUNTIME_DIR"] = folder;
    if (process.geteuid?.() === 0) {
      // Only root can give the folder to another user.
      chownSync(folder, 65534, 65534);
      assert.equal(new Desktop().server, "unix:/run/deskd/deskd.sock");
      // The owner of a link to the folder does not matter.
      process.env["XDG_RUNTIME_DIR"] = join(folder, "link");
      symlinkSync("/", join(folder, "link"));
      lchownSync(join(folder, "link"), 65534, 65534);
      assert.equal(new Desktop().server, `unix:${folder}/link/deskd.sock`);
      process.env["XDG_RUNTIME_DIR"] = folder;
    }
    process.env["DESKD_SERVER"] = "10.0.0.1:5000";
    assert.equal(new Desktop().server, "10.0.0.1:5000");
    process.env["DESKD_TOKEN_FILE"] = file("token", "from a file\n");
    const header = (address: Address) => address.headers().get("authorization");
    assert.deepEqual(header(Address.of(undefined)), ["Bearer from a file"]);
    assert.deepEqual(header(Address.of(undefined, { token: "given" })), ["Bearer given"]);
    assert.deepEqual(header(Address.of("10.0.0.2:5000")), []);
  });

  test("have secrets that can be used, and that are not printed", () => {
    assert.throws(() => new Desktop("a:1", { tokenFile: "/nonexistent" }), DeskdError);
    assert.throws(() => new Desktop("a:1", { token: "a\nb" }), DeskdError);
    assert.throws(() => new Desktop("a:1", { token: "é" }), DeskdError);
    const pem = file("any.pem", "x");
    assert.throws(() => new Desktop("a:1", { tlsCert: pem, tlsCa: pem }), DeskdError);
    assert.throws(() => new Desktop("a:1", { tlsCert: pem, tlsKey: pem }), DeskdError);
    const desktop = new Desktop("a:1", { token: "secret" });
    assert.ok(!inspect(desktop, { depth: 9, showHidden: true }).includes("secret"));
  });
});

test("the words of a command", () => {
  assert.deepEqual(words(`a  b\t'c d' "e \\" \\x f" g\\ h i''j ''`), [
    ...["a", "b", "c d", 'e " \\x f', "g h", "ij", ""],
  ]);
  assert.throws(() => words("a 'b"), DeskdError);
  assert.throws(() => words("a \\"), DeskdError);
});

describe("bridges", () => {
  test("need a program that is installed", async () => {
    const desktop = new Desktop("exec:no-such-program-of-deskd x");
    await assert.rejects(desktop.info(), /'no-such-program-of-deskd' is not installed/);
  });

  test("report a program that ends at once", async () => {
    const desktop = new Desktop("exec:false", { timeout: 0.5 });
    await assert.rejects(desktop.info(), Unavailable);
    await desktop.close();
  });

  test("have a folder that only this user can enter, and remove it", () => {
    const bridge = new Bridge(["cat"]);
    const place = join(bridge.path, "..");
    assert.equal(statSync(place).mode & 0o777, 0o700);
    assert.deepEqual(readdirSync(place), ["bridge.sock"]);
    bridge.close();
    assert.ok(!existsSync(place));
  });

  test("have a path that the kernel does not shorten", async () => {
    const before = process.env["TMPDIR"];
    const long = join(folder, "t".repeat(100));
    mkdirSync(long);
    process.env["TMPDIR"] = long;
    try {
      const bridges = [new Bridge(["cat"]), new Bridge(["cat"])];
      await new Promise(setImmediate);
      for (const bridge of bridges) {
        assert.ok(Buffer.byteLength(bridge.path) <= 107);
        assert.deepEqual(readdirSync(join(bridge.path, "..")), ["bridge.sock"]);
        bridge.check();
        bridge.close();
      }
      assert.deepEqual(readdirSync(long), []);
    } finally {
      if (before === undefined) delete process.env["TMPDIR"];
      else process.env["TMPDIR"] = before;
    }
  });

  test("that have no socket make calls fail", async () => {
    const before = process.env["TMPDIR"];
    const calls = async (parent: string, why: RegExp) => {
      process.env["TMPDIR"] = parent;
      const desktop = new Desktop("exec:cat", { timeout: 20 });
      const started = performance.now();
      const failed = await desktop.info().catch((error: unknown) => error);
      assert.ok(failed instanceof Unavailable, String(failed));
      assert.match(failed.message, why);
      assert.ok(performance.now() - started < 10_000);
      await desktop.close();
    };
    try {
      await calls("/nonexistent", /^the folder of the socket for exec: cannot be made: ENOENT/);
    } finally {
      if (before === undefined) delete process.env["TMPDIR"];
      else process.env["TMPDIR"] = before;
    }
    const { listen } = Server.prototype;
    // The path is in use.
    Server.prototype.listen = function (this: Server) {
      return Reflect.apply(listen, this, ["/"]) as Server;
    } as typeof listen;
    try {
      await calls(tmpdir(), /^the local socket for exec: cannot be opened: .*EADDRINUSE/);
    } finally {
      Server.prototype.listen = listen;
      if (before === undefined) delete process.env["TMPDIR"];
      else process.env["TMPDIR"] = before;
    }
  });
});

describe("TLS", () => {
  const run = (...given: string[]) =>
    execFileSync("openssl", given, { cwd: folder, stdio: "pipe" });
  run(
    "req",
    "-x509",
    "-newkey",
    "rsa:2048",
    "-nodes",
    "-days",
    "2",
    "-subj",
    "/CN=ca",
    "-keyout",
    "ca.key",
    "-out",
    "ca.pem",
  );
  for (const name of ["server", "client"]) {
    run(
      "req",
      "-newkey",
      "rsa:2048",
      "-nodes",
      "-subj",
      `/CN=${name}`,
      "-addext",
      "subjectAltName=IP:127.0.0.1",
      "-keyout",
      `${name}.key`,
      "-out",
      `${name}.csr`,
    );
    run(
      "x509",
      "-req",
      "-in",
      `${name}.csr`,
      "-CA",
      "ca.pem",
      "-CAkey",
      "ca.key",
      "-CAcreateserial",
      "-days",
      "2",
      "-copy_extensions",
      "copy",
      "-out",
      `${name}.pem`,
    );
  }
  const path = (name: string) => join(folder, name);
  const read = (name: string) => readFileSync(path(name));

  test("with a token, and with the client's own certificate", async () => {
    const pair = { cert_chain: read("server.pem"), private_key: read("server.key") };
    const daemon = new FakeDaemon(({ output }, _request, { headers }) => {
      if (headers.get("authorization")[0] !== "Bearer secret") {
        throw { status: "UNAUTHENTICATED", reason: "TOKEN_MISSING", message: "no token" };
      }
      return create(output);
    });
    const port = await daemon.startTls(ServerCredentials.createSsl(read("ca.pem"), [pair], true));
    after(() => daemon.stop());
    const server = `127.0.0.1:${port}`;
    const identity = { tlsCert: path("client.pem"), tlsKey: path("client.key") };
    const access = { token: "secret", tlsCa: path("ca.pem"), ...identity, timeout: 1 };
    const check = async (given: object) => {
      const desktop = new Desktop(server, given);
      try {
        return await desktop.pressed();
      } finally {
        await desktop.close();
      }
    };
    assert.deepEqual(await check(access), []);
    await assert.rejects(check({ ...access, token: undefined }), { reason: "TOKEN_MISSING" });
    await assert.rejects(check({ ...access, tlsCert: undefined, tlsKey: undefined }), Unavailable);
    await assert.rejects(check({ token: "secret", timeout: 1 }), Unavailable);
    await assert.rejects(check({ ...access, tlsCa: path("client.pem") }), Unavailable);
  });
});
