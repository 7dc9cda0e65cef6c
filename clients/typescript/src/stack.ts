/** The processes of the desktop: start, stop, resize. */
import {
  create,
  type DescMessage,
  type DescMethodUnary,
  type MessageShape,
} from "@bufbuild/protobuf";
import type { CallSettings } from "./connection.js";
import { type Size, sizeOf } from "./options.js";
import * as pb from "./v1/stack_pb.js";
import { checkOptions, flag, later, whole } from "./values.js";

/** Makes a call, again until it succeeds or the time is over. */
export type Call = <I extends DescMessage, O extends DescMessage>(
  method: DescMethodUnary<I, O>,
  request: MessageShape<I>,
  settings: CallSettings,
) => Promise<MessageShape<O>>;

/**
 * The processes of the desktop, if the daemon manages them. Results are messages of deskd.v1.
 * Times are in seconds.
 */
export class Stack {
  readonly #call: Call;

  /** Made by `Desktop.stack`. */
  constructor(call: Call) {
    this.#call = call;
  }

  /**
   * Starts the desktop and waits until it is painted, unless `wait` is false. See
   * `UpResponse.result`.
   */
  async up(
    size?: Size,
    options: { wait?: boolean; timeout?: number } = {},
  ): Promise<pb.UpResponse> {
    checkOptions(options, { wait: flag, timeout: later });
    const { wait = true, timeout = 90 } = options;
    const request = create(pb.UpRequestSchema, {
      noWait: !wait,
      geometry: size === undefined ? undefined : sizeOf(size),
    });
    return this.#run(pb.Stack.method.up, request, timeout);
  }

  /** Ends every process of the desktop. */
  async down(options: { timeout?: number } = {}): Promise<pb.DownResponse> {
    checkOptions(options, { timeout: later });
    const { timeout = 30 } = options;
    return this.#run(pb.Stack.method.down, create(pb.DownRequestSchema), timeout);
  }

  /** Returns the components of the desktop. */
  status(): Promise<pb.StatusResponse> {
    return this.#run(pb.Stack.method.status, create(pb.StatusRequestSchema), undefined);
  }

  /** Resizes the screen. */
  async resize(
    size: Size,
    options: { dpi?: number; timeout?: number } = {},
  ): Promise<pb.SetGeometryResponse> {
    checkOptions(options, { dpi: later, timeout: later });
    const { dpi, timeout = 30 } = options;
    const request = create(pb.SetGeometryRequestSchema, {
      geometry: sizeOf(size),
      dpi: whole(dpi, "dpi"),
    });
    return this.#run(pb.Stack.method.setGeometry, request, timeout);
  }

  #run<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageShape<I>,
    timeout: number | undefined,
  ): Promise<MessageShape<O>> {
    return this.#call(method, request, { timeout, required: ["stack"] });
  }
}
