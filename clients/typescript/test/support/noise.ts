/** Draws random colours on the desktop, which no lossless encoding makes smaller. */
import { randomFillSync } from "node:crypto";
import { once } from "node:events";
import { connect, type Socket } from "node:net";

/** Opcodes of the X protocol. */
const [CREATE_GC, CLEAR_AREA, PUT_IMAGE, GET_INPUT_FOCUS] = [55, 61, 72, 43];
/** The format of an image whose pixels have 4 bytes. */
const Z_PIXMAP = 2;

/** Reads from a socket until there are some bytes. */
async function read(socket: Socket, bytes: number): Promise<Buffer> {
  let data: Buffer | null;
  while ((data = socket.read(bytes) as Buffer | null) === null) await once(socket, "readable");
  return data;
}

/** A request; its length counts units of 4 bytes. */
function request(opcode: number, detail: number, ...values: number[]): Buffer {
  const made = Buffer.alloc(4 + 4 * values.length);
  made.writeUInt8(opcode, 0);
  made.writeUInt8(detail, 1);
  made.writeUInt16LE(made.length / 4, 2);
  values.forEach((value, at) => made.writeUInt32LE(value, 4 + 4 * at));
  return made;
}

/**
 * Fills the root window with noise, or with its background. `display` is the number of an X server
 * that accepts connections without authorization.
 */
export async function drawNoise(display: string, isNoise: boolean): Promise<void> {
  const socket = connect(`/tmp/.X11-unix/X${display}`);
  await once(socket, "connect");
  socket.write(Buffer.from([0x6c, 0, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
  const head = await read(socket, 8);
  if (head[0] !== 1) throw new Error("the X server refuses the connection");
  const setup = await read(socket, 4 * head.readUInt16LE(6));
  const base = setup.readUInt32LE(4);
  const [vendor, formats] = [setup.readUInt16LE(16), setup.readUInt8(21)];
  const screen = setup.subarray(32 + 4 * Math.ceil(vendor / 4) + 8 * formats);
  const root = screen.readUInt32LE(0);
  const [width, height] = [screen.readUInt16LE(20), screen.readUInt16LE(22)];
  if (isNoise) {
    socket.write(request(CREATE_GC, 0, base, root, 0));
    const rows = 40;
    for (let y = 0; y < height; y += rows) {
      const size = width | (rows << 16);
      const put = request(PUT_IMAGE, Z_PIXMAP, root, base, size, y << 16, 24 << 8);
      const pixels = randomFillSync(Buffer.alloc(4 * width * rows));
      put.writeUInt16LE((put.length + pixels.length) / 4, 2);
      socket.write(Buffer.concat([put, pixels]));
    }
  } else {
    socket.write(request(CLEAR_AREA, 0, root, 0, width | (height << 16)));
  }
  // The answer to a last request shows that the others are done.
  socket.write(request(GET_INPUT_FOCUS, 0));
  await read(socket, 32);
  socket.destroy();
}
