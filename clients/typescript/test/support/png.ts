/** Decodes PNG images of 8-bit RGB, as the daemon and this package write them. */
import { inflateSync } from "node:zlib";

/** The pixels of an image: rows of red, green, blue. */
export interface Pixels {
  width: number;
  height: number;
  rgb: Buffer;
}

/** Decodes an image. */
export function decodePng(image: Uint8Array): Pixels {
  const bytes = Buffer.from(image);
  let [width, height] = [0, 0];
  const data: Buffer[] = [];
  for (let at = 8; at < bytes.length;) {
    const length = bytes.readUInt32BE(at);
    const kind = bytes.toString("latin1", at + 4, at + 8);
    const body = bytes.subarray(at + 8, at + 8 + length);
    if (kind === "IHDR") [width, height] = [body.readUInt32BE(0), body.readUInt32BE(4)];
    if (kind === "IDAT") data.push(body);
    at += length + 12;
  }
  const rows = inflateSync(Buffer.concat(data));
  const size = 3 * width;
  const rgb = Buffer.alloc(size * height);
  for (let y = 0; y < height; y++) {
    const filter = rows[y * (size + 1)]!;
    for (let i = 0; i < size; i++) {
      const left = i >= 3 ? rgb[y * size + i - 3]! : 0;
      const up = y > 0 ? rgb[(y - 1) * size + i]! : 0;
      const corner = i >= 3 && y > 0 ? rgb[(y - 1) * size + i - 3]! : 0;
      const guess = [0, left, up, (left + up) >> 1, paeth(left, up, corner)][filter]!;
      rgb[y * size + i] = (rows[y * (size + 1) + 1 + i]! + guess) & 0xff;
    }
  }
  return { width, height, rgb };
}

/** The colours of raw pixels: rows of red, green, blue. */
export function rgbOfRaw(image: Uint8Array, width: number, height: number, stride: number): Buffer {
  const rgb = Buffer.alloc(3 * width * height);
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0; x < width; x++, to += 3) {
      const from = y * stride + 4 * x;
      rgb.set([image[from + 2]!, image[from + 1]!, image[from]!], to);
    }
  }
  return rgb;
}

function paeth(left: number, up: number, corner: number): number {
  const guess = left + up - corner;
  const distances = [left, up, corner].map((each) => Math.abs(guess - each));
  const [toLeft, toUp, toCorner] = distances as [number, number, number];
  if (toLeft <= toUp && toLeft <= toCorner) return left;
  return toUp <= toCorner ? up : corner;
}
