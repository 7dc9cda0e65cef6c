/** A model on loopback that answers what a test has written, and records what it receives. */
import assert from "node:assert/strict";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";

/** A JSON value that a test reads without types. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Json = any;

/** A request that the model received. */
export interface ModelRequest {
  /** The path, without the query. */
  path: string;
  headers: IncomingHttpHeaders;
  body: Json;
}

/** An answer in parts: server-sent events, each with its name and data. */
export class EventStream {
  constructor(readonly events: readonly (readonly [name: string, data: object])[]) {}
}

/** An answer: a JSON object or a stream. */
export type Reply = object | EventStream;

/** A server that answers requests in turn. */
export class ModelServer {
  /** The requests, oldest first. */
  readonly requests: ModelRequest[] = [];
  readonly #left: Reply[];
  readonly #unexpected: string[] = [];
  readonly #server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body: Json = JSON.parse(Buffer.concat(chunks).toString());
    const path = request.url!.replace(/\?.*/, "");
    this.requests.push({ path, headers: request.headers, body });
    const reply = this.#left.shift();
    if (reply instanceof EventStream) {
      response.writeHead(200, { "content-type": "text/event-stream" });
      for (const [name, data] of reply.events) {
        response.write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
      }
      response.end();
      return;
    }
    if (reply === undefined) this.#unexpected.push(`${path} ${JSON.stringify(body).slice(-300)}`);
    // No SDK sends a request again after status 400.
    response.writeHead(reply ? 200 : 400, { "content-type": "application/json" });
    response.end(JSON.stringify(reply ?? { error: { message: "the script is over" } }));
  });

  /** `replies` are the answers to the requests, in order. */
  constructor(...replies: Reply[]) {
    this.#left = replies;
  }

  /** The address, without a path. */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Begins to listen. */
  start(): Promise<void> {
    return new Promise((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
  }

  /** Ends the server. */
  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  /** Fails if the conversation was not the one that the test has written. */
  check(): void {
    assert.deepEqual(this.#unexpected, [], "the loop went on after the last reply");
    assert.deepEqual(this.#left, [], "the loop ended before the last reply");
  }
}
