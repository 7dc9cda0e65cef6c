/** Writes raw pixels as a PNG image. */
import { deflateSync } from "node:zlib";

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const LEVEL = 1;

/** Encodes rows of blue, green, red, 255, `stride` bytes apart, as 8-bit RGB. */
export function encodePng(
  pixels: Uint8Array,
  width: number,
  height: number,
  stride: number,
): Buffer {
  const rows = Buffer.alloc(height * (1 + 3 * width));
  let to = 0;
  for (let y = 0; y < height; y++) {
    to++; // The filter of the row: none.
    for (let from = y * stride; from < y * stride + 4 * width; from += 4, to += 3) {
      rows[to] = pixels[from + 2]!;
      rows[to + 1] = pixels[from + 1]!;
      rows[to + 2] = pixels[from]!;
    }
  }
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 2], 8);
  const data = deflateSync(rows, { level: LEVEL });
  return Buffer.concat([
    SIGNATURE,
    ...chunk("IHDR", head),
    ...chunk("IDAT", data),
    ...chunk("IEND"),
  ]);
}

function chunk(kind: string, data: Buffer = Buffer.alloc(0)): Buffer[] {
  const length = Buffer.alloc(4);
  const sum = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  const name = Buffer.from(kind, "latin1");
  sum.writeUInt32BE(checksum([name, data]));
  return [length, name, data, sum];
}

/** The CRC-32 of PNG. Node's own function exists only since 20.15. */
function checksum(parts: readonly Buffer[]): number {
  let sum = 0xffffffff;
  for (const part of parts) {
    for (const byte of part) sum = TABLE[(sum ^ byte) & 0xff]! ^ (sum >>> 8);
  }
  return (sum ^ 0xffffffff) >>> 0;
}

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  for (let bit = 0; bit < 8; bit++) byte = byte & 1 ? 0xedb88320 ^ (byte >>> 1) : byte >>> 1;
  return byte;
});
