/** Frames: images of the screen, and failure cards in their place. */
import { writeFile } from "node:fs/promises";
import { CaptureFailed, DeskdError } from "./errors.js";
import { encodePng } from "./png.js";
import * as pb from "./v1/frame_pb.js";
import { Reason } from "./v1/reason_pb.js";

const FORMATS: Readonly<Record<number, FrameFormat>> = {
  [pb.ImageFormat.PNG]: "png",
  [pb.ImageFormat.JPEG]: "jpeg",
  [pb.ImageFormat.WEBP]: "webp",
  [pb.ImageFormat.RAW_BGRX]: "raw",
};

/** The encoding of a frame. */
export type FrameFormat = "png" | "jpeg" | "webp" | "raw";

/** The MIME type of a frame. */
export type MediaType = "image/png" | "image/jpeg" | "image/webp" | "application/octet-stream";

/** A rectangle in pixels: columns x … x+width-1, rows y … y+height-1. */
export interface Rect {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** The cause for which a capture or an action failed. */
export interface Failure {
  /** Name of the cause, as in `Reason` of deskd.v1. */
  readonly reason: string;
  /** Name of the stage, as in `FailureStage` of deskd.v1. */
  readonly stage: string;
  /** One sentence for people and logs. */
  readonly message: string;
  /** Whether the same call may succeed later although the caller changes nothing. */
  readonly retryable: boolean;
}

/** The values of a frame. */
export interface FrameValues {
  /** The encoded image. Empty only if `isUnchanged` is true. */
  readonly image: Uint8Array;
  /** The encoding. `raw` is rows of blue, green, red, 255, `stride` bytes apart. */
  readonly format: FrameFormat;
  /** Width of the image in pixels. */
  readonly width: number;
  /** Height of the image in pixels. */
  readonly height: number;
  /** For `raw`: number of bytes from the start of one row to the next. Otherwise 0. */
  readonly stride?: number;
  /** The part of the screen that the image shows, in screen pixels. Undefined on a card. */
  readonly region?: Rect;
  /** Width and height of the screen in pixels. [0, 0] if not known. */
  readonly screen: readonly [width: number, height: number];
  /** Id of the frame, for `space` and `ifChangedSince`. */
  readonly frameId: string;
  /** Whether the image is a failure card. */
  readonly isCard?: boolean;
  /** Whether the picture equals the frame that `ifChangedSince` named. */
  readonly isUnchanged?: boolean;
  /** The cause of a card. Undefined on a frame. */
  readonly failure?: Failure;
  /** Position of the pointer in screen pixels, if known. */
  readonly pointer?: readonly [x: number, y: number];
  /** In a `watch` with `regions`: what changed since the last frame, in pixels of the image. */
  readonly changed?: readonly Rect[];
}

/**
 * One image of the screen, or a failure card.
 *
 * A failure card is an image too. Send it to the model, which reads the cause from it. `isCard`
 * and `failure` report it to the program.
 */
export class Frame implements FrameValues {
  readonly image: Uint8Array;
  readonly format: FrameFormat;
  readonly width: number;
  readonly height: number;
  readonly stride: number;
  readonly region: Rect | undefined;
  readonly screen: readonly [width: number, height: number];
  readonly frameId: string;
  readonly isCard: boolean;
  readonly isUnchanged: boolean;
  readonly failure: Failure | undefined;
  readonly pointer: readonly [x: number, y: number] | undefined;
  readonly changed: readonly Rect[];
  readonly #message: pb.Frame | undefined;

  /** `message` is the protobuf message from which the values come. */
  constructor(values: FrameValues, message?: pb.Frame) {
    this.image = values.image;
    this.format = values.format;
    this.width = values.width;
    this.height = values.height;
    this.stride = values.stride ?? 0;
    this.region = values.region;
    this.screen = values.screen;
    this.frameId = values.frameId;
    this.isCard = values.isCard ?? false;
    this.isUnchanged = values.isUnchanged ?? false;
    this.failure = values.failure;
    this.pointer = values.pointer;
    this.changed = values.changed ?? [];
    this.#message = message;
  }

  /** The protobuf message with everything else, without the image. */
  get message(): pb.Frame | undefined {
    return this.#message;
  }

  /** Width and height of the image in pixels. */
  get size(): [width: number, height: number] {
    return [this.width, this.height];
  }

  /** The MIME type of the image, for example `image/png`. */
  get mediaType(): MediaType {
    return this.format === "raw" ? "application/octet-stream" : `image/${this.format}`;
  }

  /** Returns the frame itself, or throws `CaptureFailed` if it is a card. */
  check(): this {
    if (this.isCard) {
      const { message = "the screen could not be captured", reason } = this.failure ?? {};
      throw new CaptureFailed(message, { reason });
    }
    return this;
  }

  /** The image in base64, as the models' APIs take it. */
  base64(): string {
    const { buffer, byteOffset, byteLength } = this.image;
    return Buffer.from(buffer, byteOffset, byteLength).toString("base64");
  }

  /** The image as a `data:` URL. */
  dataUrl(): string {
    return `data:${this.mediaType};base64,${this.base64()}`;
  }

  /** Writes the image to a file. Raw pixels are written as PNG. */
  async save(path: string | URL): Promise<void> {
    await writeFile(path, this.format === "raw" ? this.toPng() : this.image);
  }

  /**
   * The image as PNG. Works for `png` and `raw` frames.
   *
   * Throws `DeskdError` for other formats, which this package does not decode.
   */
  toPng(): Uint8Array {
    if (this.format === "png") return this.image;
    if (this.format !== "raw") {
      throw new DeskdError(`a ${this.format} frame cannot be converted; request png or raw`);
    }
    return encodePng(this.image, this.width, this.height, this.stride);
  }

  /** Returns a copy with other values. */
  with(values: Partial<FrameValues>): Frame {
    return new Frame({ ...this, ...values }, this.#message);
  }
}

/** Converts a protobuf `Region`. */
export function rectOf(region: pb.Region): Rect {
  const { x = 0, y = 0, width, height } = region;
  return { x, y, width, height };
}

/** Converts a protobuf `Failure`. */
export function failureOf(message: pb.Failure): Failure {
  return {
    reason: Reason[message.reason] ?? String(message.reason),
    stage: pb.FailureStage[message.stage] ?? String(message.stage),
    message: message.message,
    retryable: message.retryable,
  };
}

/** Converts a protobuf `Frame`. The image is taken out of the message. */
export function frameOf(message: pb.Frame): Frame {
  const { image, region, failure, cursor } = message;
  message.image = new Uint8Array(0);
  const pointer = cursor && ([cursor.position?.x ?? 0, cursor.position?.y ?? 0] as const);
  const values = {
    image,
    format: FORMATS[message.format] ?? "png",
    width: message.width,
    height: message.height,
    stride: message.stride,
    region: region && rectOf(region),
    screen: [message.screenWidth, message.screenHeight] as const,
    frameId: message.frameId,
    isCard: message.kind === pb.FrameKind.FAILURE_CARD,
    isUnchanged: message.kind === pb.FrameKind.UNCHANGED,
    failure: failure && failureOf(failure),
    pointer,
  };
  return new Frame(values, message);
}
