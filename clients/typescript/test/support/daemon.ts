/** A gRPC server that takes the place of a daemon in tests. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type DescMessage,
  type DescMethod,
  fromBinary,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import {
  type handleUnaryCall,
  Metadata,
  type MethodDefinition,
  Server,
  ServerCredentials,
  status,
} from "@grpc/grpc-js";
import { Desktop } from "../../src/v1/desktop_pb.js";

/** An error that a fake daemon answers with. */
export interface Refusal {
  status: string;
  reason: string;
  message: string;
}

type Message = MessageShape<DescMessage>;

/** The parts of a call beside its request. */
export interface Context {
  headers: Metadata;
  /** Seconds until the deadline. */
  allowed: number;
}

/** Answers a call. Throws a `Refusal` for a status. */
export type Answer = (method: DescMethod, request: Message, context: Context) => Message;

/** A server on a Unix socket in a folder of its own. */
export class FakeDaemon {
  readonly #folder = mkdtempSync(join(tmpdir(), "deskd-test-"));
  readonly #server = new Server();
  /** The address of the server. */
  readonly address = `unix:${join(this.#folder, "d.sock")}`;

  constructor(answer: Answer) {
    const methods = Object.values(Desktop.method).filter((each) => each.methodKind === "unary");
    const definition: Record<string, MethodDefinition<Message, Message>> = {};
    const handlers: Record<string, handleUnaryCall<Message, Message>> = {};
    for (const method of methods) {
      const { input, output } = method as DescMethod;
      definition[method.name] = {
        path: `/${Desktop.typeName}/${method.name}`,
        requestStream: false,
        responseStream: false,
        requestSerialize: (message) => Buffer.from(toBinary(input, message)),
        requestDeserialize: (bytes) => fromBinary(input, bytes),
        responseSerialize: (message) => Buffer.from(toBinary(output, message)),
        responseDeserialize: (bytes) => fromBinary(output, bytes),
      };
      handlers[method.name] = (call, reply) => {
        try {
          const allowed = (Number(call.getDeadline()) - Date.now()) / 1000;
          reply(null, answer(method, call.request, { headers: call.metadata, allowed }));
        } catch (error) {
          reply(refused(error));
        }
      };
    }
    this.#server.addService(definition, handlers);
  }

  /** Begins to listen. */
  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.bindAsync(this.address, ServerCredentials.createInsecure(), (error) =>
        error ? reject(error) : resolve(),
      );
    });
  }

  /** Begins to listen on a TCP port of this machine. Returns the port. */
  startTls(credentials: ServerCredentials): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.bindAsync("127.0.0.1:0", credentials, (error, port) =>
        error ? reject(error) : resolve(port),
      );
    });
  }

  /** Ends the server. */
  stop(): void {
    this.#server.forceShutdown();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function refused(error: unknown) {
  const { status: name, reason, message } = error as Refusal;
  const metadata = new Metadata();
  if (reason) metadata.set("deskd-reason", reason);
  const code = status[name as keyof typeof status] ?? status.UNKNOWN;
  return { code, details: message, metadata };
}
