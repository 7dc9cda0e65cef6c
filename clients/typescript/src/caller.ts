/** Makes calls to a daemon, and makes them again where that is safe. */
import { setTimeout as sleep } from "node:timers/promises";
import {
  create,
  type DescMessage,
  type DescMethodClientStreaming,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  type MessageShape,
} from "@bufbuild/protobuf";
import { Attempts, StepAttempts } from "./attempts.js";
import type { StepRequest } from "./calls.js";
import { type CallSettings, Connection } from "./connection.js";
import { DeadlineExceeded, DeskdError } from "./errors.js";
import * as pb from "./v1/desktop_pb.js";

const { act, getInfo, watch } = pb.Desktop.method;

/** One daemon, as a caller sees it. */
export class Caller {
  #instance: string | undefined;

  /** `timeout` is in seconds, for calls that name no time. */
  constructor(
    readonly connection: Connection,
    readonly timeout: number,
  ) {}

  /**
   * Makes a call that changes nothing or can be repeated, until it succeeds or the time is over.
   */
  async call<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageShape<I>,
    settings: CallSettings = {},
  ): Promise<MessageShape<O>> {
    return this.#untilDone(method.name, settings, (each) =>
      this.connection.unary(method, request, each),
    );
  }

  /** Makes such a call that returns a stream. Returns all of its messages. */
  async receive<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageShape<I>,
    settings: CallSettings = {},
  ): Promise<MessageShape<O>[]> {
    return this.#untilDone(method.name, settings, async (each) => {
      const messages: MessageShape<O>[] = [];
      for await (const message of this.connection.stream(method, request, each)) {
        messages.push(message);
      }
      return messages;
    });
  }

  /**
   * Makes such a call, and passes each message to `take`. A stream that breaks off is opened again with
   * a new request, unless no message arrived within the timeout.
   */
  async receiveEach<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: () => MessageShape<I>,
    take: (message: MessageShape<O>) => Promise<void>,
    settings: CallSettings = {},
  ): Promise<void> {
    const allowed = settings.timeout ?? this.timeout;
    let attempts = new Attempts(method.name, allowed);
    while (true) {
      let hasMoved = false;
      try {
        const each = { ...settings, timeout: attempts.left() };
        for await (const message of this.connection.stream(method, request(), each)) {
          hasMoved = true;
          await take(message);
        }
        return;
      } catch (error) {
        if (hasMoved) attempts = new Attempts(method.name, allowed);
        if (hasMoved && error instanceof DeadlineExceeded) continue;
        await pause(attempts, error, settings.signal);
      }
    }
  }

  /** Makes such a call that sends a stream: the messages of `requests`, for each attempt. */
  async send<I extends DescMessage, O extends DescMessage>(
    method: DescMethodClientStreaming<I, O>,
    requests: () => Iterable<MessageShape<I>>,
    settings: CallSettings = {},
  ): Promise<MessageShape<O>> {
    return this.#untilDone(method.name, settings, (each) =>
      this.connection.send(method, requests(), each),
    );
  }

  /** Makes a call with `once` until it succeeds or the time is over. */
  async #untilDone<T>(
    name: string,
    settings: CallSettings,
    once: (settings: CallSettings) => Promise<T>,
  ): Promise<T> {
    const attempts = new Attempts(name, settings.timeout ?? this.timeout);
    while (true) {
      try {
        return await once({ ...settings, timeout: attempts.left() });
      } catch (error) {
        await pause(attempts, error, settings.signal);
      }
    }
  }

  /** Describes the daemon, and notes its instance id for later steps. */
  async info(settings: CallSettings = {}): Promise<pb.GetInfoResponse> {
    const reply = await this.call(getInfo, create(pb.GetInfoRequestSchema), settings);
    this.#instance = reply.instanceId;
    return reply;
  }

  /**
   * Makes a step, again with the same id if the connection breaks. Another instance of the daemon
   * cannot know whether the first one executed the step, and refuses it. If the desktop is not
   * painted, `waitReady` is called with the seconds that are left.
   */
  async act(
    { request, timeout, required }: StepRequest,
    waitReady: (timeout: number) => Promise<unknown>,
    signal?: AbortSignal,
  ): Promise<pb.ActResponse> {
    const attempts = new StepAttempts(request, timeout);
    while (true) {
      let reply: pb.ActResponse | undefined;
      let pause: number | undefined;
      try {
        this.#instance ??= await this.#instanceId(attempts.left(), signal);
        const settings = { timeout: attempts.send(this.#instance), required, signal };
        reply = await this.connection.unary(act, request, settings);
        pause = attempts.answered(reply);
      } catch (error) {
        if (!(error instanceof DeskdError)) throw error;
        if (attempts.reply !== undefined) return attempts.reply;
        pause = attempts.failed(error);
        if (error.reason === "OUTCOME_UNKNOWN") this.#instance = undefined;
        if (error.reason === "NOT_PAINTED") {
          try {
            await waitReady(attempts.left());
          } catch (late) {
            throw late instanceof DeskdError ? attempts.unready(error, late) : late;
          }
        }
      }
      if (pause === undefined) return reply!;
      await rest(pause, signal);
    }
  }

  async #instanceId(timeout: number, signal?: AbortSignal): Promise<string> {
    const request = create(pb.GetInfoRequestSchema);
    return (await this.connection.unary(getInfo, request, { timeout, signal })).instanceId;
  }

  /**
   * Yields the updates of a stream. If the stream breaks off, it is opened again with a new request,
   * for at most `resume` seconds. The stream has its own connection: the daemon closes the
   * connection of a stream that is not read, with all of its calls.
   */
  async *watch(
    request: () => pb.WatchRequest,
    resume: number,
    settings: CallSettings,
  ): AsyncGenerator<pb.WatchResponse, void, undefined> {
    const connection = new Connection(this.connection.address);
    let attempts: Attempts | undefined;
    try {
      while (true) {
        try {
          // A daemon that accepted the stream has sent headers.
          const onOpen = () => (attempts = undefined);
          yield* connection.stream(watch, request(), { ...settings, onOpen });
          return;
        } catch (error) {
          attempts ??= new Attempts("Watch", resume);
          await pause(attempts, error, settings.signal);
        }
      }
    } finally {
      connection.close();
    }
  }
}

/** Waits before the next attempt, or throws the error again. */
async function pause(attempts: Attempts, error: unknown, signal?: AbortSignal): Promise<void> {
  if (!(error instanceof DeskdError)) throw error;
  await rest(attempts.pause(error), signal);
}

/** Waits, unless the signal cancels the call. */
async function rest(seconds: number, signal?: AbortSignal): Promise<void> {
  await sleep(seconds * 1000, undefined, { signal }).catch(() => signal?.throwIfAborted());
}
