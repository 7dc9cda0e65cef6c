/** One gRPC connection to a daemon. */
import type {
  DescMessage,
  DescMethodClientStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  MessageShape,
} from "@bufbuild/protobuf";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type CallOptions,
  Client,
  InterceptingCall,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import type { Address } from "./address.js";
import type { Bridge } from "./bridge.js";
import { type DeskdError, errorOfStatus } from "./errors.js";

/** The settings of one call. */
export interface CallSettings {
  /** Seconds until the deadline. Default: none. */
  timeout?: number;
  /** Names of the daemon's features that the call requires. */
  required?: Iterable<string>;
  /** Cancels the call. */
  signal?: AbortSignal;
  /** For a stream: called when the daemon has accepted it. */
  onOpen?: () => void;
}

/** A connection that is opened at the first call, and again after `close`. */
export class Connection {
  #client: Client | undefined;
  #bridge: Bridge | undefined;
  /** The id of the lease under which each call acts; empty without one. */
  lease = "";

  /** Opens nothing yet. */
  constructor(readonly address: Address) {}

  /** Makes one call. Throws a `DeskdError` for each status other than OK. */
  unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageShape<I>,
    settings: CallSettings,
  ): Promise<MessageShape<O>> {
    const { signal, required } = settings;
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const call = this.#open().makeUnaryRequest(
        pathOf(method),
        (message: MessageShape<I>) => encoded(method.input, message),
        (bytes: Buffer) => fromBinary(method.output, bytes),
        request,
        this.address.headers(required, this.lease),
        optionsOf(settings),
        (failed, reply) => {
          signal?.removeEventListener("abort", cancel);
          if (failed === null) resolve(reply!);
          else reject(signal?.aborted ? signal.reason : errorOf(failed));
        },
      );
      const cancel = () => call.cancel();
      signal?.addEventListener("abort", cancel);
    });
  }

  /** Makes a call that sends a stream of messages. */
  send<I extends DescMessage, O extends DescMessage>(
    method: DescMethodClientStreaming<I, O>,
    requests: Iterable<MessageShape<I>>,
    settings: CallSettings,
  ): Promise<MessageShape<O>> {
    const { signal, required } = settings;
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const call = this.#open().makeClientStreamRequest(
        pathOf(method),
        (message: MessageShape<I>) => encoded(method.input, message),
        (bytes: Buffer) => fromBinary(method.output, bytes),
        this.address.headers(required, this.lease),
        optionsOf(settings),
        (failed, reply) => {
          signal?.removeEventListener("abort", cancel);
          if (failed === null) resolve(reply!);
          else reject(signal?.aborted ? signal.reason : errorOf(failed));
        },
      );
      const cancel = () => call.cancel();
      signal?.addEventListener("abort", cancel);
      // The daemon may refuse the call before it has read everything.
      call.on("error", () => {});
      for (const request of requests) call.write(request);
      call.end();
    });
  }

  /**
   * Makes a call that returns a stream. One message is read at a time: a consumer that is slow does
   * not receive old messages.
   */
  async *stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageShape<I>,
    settings: CallSettings,
  ): AsyncGenerator<MessageShape<O>, void, undefined> {
    const { signal, required, onOpen } = settings;
    signal?.throwIfAborted();
    let reader: OneByOne | undefined;
    const interceptor: NonNullable<CallOptions["interceptors"]>[number] = (options, next) =>
      (reader = new OneByOne(next(options)));
    const call = this.#open().makeServerStreamRequest(
      pathOf(method),
      (message: MessageShape<I>) => encoded(method.input, message),
      (bytes: Buffer) => fromBinary(method.output, bytes),
      request,
      this.address.headers(required, this.lease),
      { ...optionsOf(settings), interceptors: [interceptor] },
    );
    const cancel = () => call.cancel();
    // A cancelled call emits an error that no caller awaits.
    call.on("error", () => {});
    if (onOpen !== undefined) call.on("metadata", onOpen);
    signal?.addEventListener("abort", cancel);
    try {
      const messages = call[Symbol.asyncIterator]() as AsyncIterator<MessageShape<O>>;
      while (true) {
        reader?.allowOne();
        const next = await messages.next();
        if (next.done) return;
        yield next.value;
      }
    } catch (failed) {
      throw signal?.aborted ? signal.reason : isServiceError(failed) ? errorOf(failed) : failed;
    } finally {
      signal?.removeEventListener("abort", cancel);
      call.cancel();
    }
  }

  /** Closes the connection. A later call opens another one. */
  close(): void {
    this.#client?.close();
    this.#bridge?.close();
    this.#client = this.#bridge = undefined;
  }

  #open(): Client {
    this.#bridge?.check();
    if (this.#client === undefined) {
      const { address } = this;
      this.#bridge = address.openBridge();
      const target = address.target(this.#bridge);
      this.#client = new Client(target, address.credentials, address.options);
    }
    return this.#client;
  }
}

/** A call that reads a message only after `allowOne`. */
class OneByOne extends InterceptingCall {
  #allowed = 0;
  #isWaiting = false;

  /** Lets the call read one message. */
  allowOne(): void {
    if (this.#isWaiting) {
      this.#isWaiting = false;
      super.startRead();
    } else {
      this.#allowed = 1;
    }
  }

  override startRead(): void {
    if (this.#allowed === 0) {
      this.#isWaiting = true;
    } else {
      this.#allowed = 0;
      super.startRead();
    }
  }
}

function pathOf(
  method: DescMethodUnary | DescMethodServerStreaming | DescMethodClientStreaming,
): string {
  return `/${method.parent.typeName}/${method.name}`;
}

function encoded<D extends DescMessage>(schema: D, message: MessageShape<D>): Buffer {
  const { buffer, byteOffset, byteLength } = toBinary(schema, message);
  return Buffer.from(buffer, byteOffset, byteLength);
}

function optionsOf({ timeout }: CallSettings): CallOptions {
  return timeout === undefined ? {} : { deadline: Date.now() + timeout * 1000 };
}

function isServiceError(failed: unknown): failed is ServiceError {
  return failed instanceof Error && "code" in failed && "metadata" in failed;
}

/** Converts a gRPC error. */
function errorOf(failed: ServiceError): DeskdError {
  const name = status[failed.code] ?? String(failed.code);
  const reason = failed.metadata.get("deskd-reason")[0]?.toString() ?? "";
  return errorOfStatus(name, reason, failed.details || name);
}
