/** A socket between a client and a daemon, which can cut the connection. */
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The least size of a chunk that belongs to a response with an image. */
const IMAGE = 1000;

/** Forwards connections to a daemon. */
export class Proxy {
  readonly #folder = mkdtempSync(join(tmpdir(), "deskd-proxy-"));
  readonly #sockets = new Set<Socket>();
  readonly #server;
  /** The address for the client. */
  readonly address = `unix:${join(this.#folder, "p.sock")}`;
  /** Whether to cut the connection in place of the next response that has an image. */
  isArmed = false;
  /** Whether what the daemon sends is lost. */
  isMute = false;
  /** Number of connections that were cut. */
  cuts = 0;

  constructor(server: string) {
    this.#server = createServer((client) => {
      const daemon = open(server);
      for (const each of [client, daemon]) {
        this.#sockets.add(each);
        each.on("error", () => {});
        each.on("close", () => {
          this.#sockets.delete(each);
          client.destroy();
          daemon.destroy();
        });
      }
      client.pipe(daemon);
      daemon.on("data", (chunk: Buffer) => {
        if (this.isArmed && chunk.length > IMAGE) {
          this.isArmed = false;
          this.cuts++;
          client.destroy();
        } else if (!this.isMute) {
          client.write(chunk);
        }
      });
    });
    this.#server.listen(join(this.#folder, "p.sock"));
  }

  /** Cuts all connections. */
  cut(): void {
    this.cuts++;
    for (const each of this.#sockets) each.destroy();
  }

  /** Ends the proxy. */
  close(): void {
    this.#server.close();
    this.cut();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function open(server: string): Socket {
  if (server.startsWith("unix:")) return connect(server.slice("unix:".length));
  const [, host, port] = /^(.*):(\d+)$/.exec(server)!;
  return connect(Number(port), host);
}
