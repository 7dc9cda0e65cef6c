/** The last picture of a stream, over which changed regions are drawn. */
import { StreamEnded } from "./errors.js";
import { type Frame, frameOf, type Rect, rectOf } from "./frame.js";
import type { WatchResponse } from "./v1/desktop_pb.js";

/** Bytes of a raw pixel. */
const PIXEL = 4;

/** Holds the last picture of a stream. */
export class Canvas {
  #last: Frame | undefined;

  /** The id of the last picture; empty before the first one and after a card. */
  get frameId(): string {
    return this.#last === undefined || this.#last.isCard ? "" : this.#last.frameId;
  }

  /** Applies one update, and returns the complete picture. */
  draw({ update }: WatchResponse): Frame {
    if (update.case === "frame") return (this.#last = frameOf(update.value));
    const last = this.#last;
    if (
      update.case !== "regions" ||
      update.value.frame === undefined ||
      last?.region === undefined
    ) {
      throw new StreamEnded("the daemon sent changes before a complete frame");
    }
    const image = Buffer.from(last.image);
    const changed: Rect[] = [];
    for (const part of update.value.changed) {
      const where = rectOf(part.region!);
      const x = where.x - last.region.x;
      const y = where.y - last.region.y;
      const row = PIXEL * where.width;
      for (let line = 0; line < where.height; line++) {
        const pixels = part.image.subarray(line * row, (line + 1) * row);
        image.set(pixels, (y + line) * last.stride + PIXEL * x);
      }
      changed.push({ ...where, x, y });
    }
    const { width, height, stride } = last;
    const made = frameOf(update.value.frame);
    return (this.#last = made.with({ image, changed, width, height, stride, format: "raw" }));
  }
}
