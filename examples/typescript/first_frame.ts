// The first frame: asks deskd for the screen, and writes it to frame.png.
//
//     npm install
//     npx tsx first_frame.ts [unix:/run/deskd/deskd.sock | host:port]
//
// Over TCP the token is read from the file that DESKD_TOKEN_FILE names, and DESKD_TLS_CA
// names the certificates for TLS. The messages are read from proto/ as they are.

import { readFileSync, realpathSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import * as grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

const proto = process.env.DESKD_PROTO ?? fileURLToPath(new URL("../../proto", import.meta.url));
const definitions = loadSync("deskd/v1/desktop.proto", {
  includeDirs: [proto],
  keepCase: true,
  longs: Number,
  enums: String,
  defaults: true,
  oneofs: true,
});
// One package, loaded as data: its types are the comments of the proto.
const { Desktop } = (grpc.loadPackageDefinition(definitions) as any).deskd.v1;

// google.protobuf.Duration; `seconds` has 64 bits.
interface Duration {
  seconds: string | number;
  nanos: number;
}

// What the examples read of a frame (proto/deskd/v1/frame.proto has all of it).
export interface Frame {
  image: Buffer;
  width: number;
  height: number;
  frame_id: string;
  kind: "FRAME_KIND_SCREEN" | "FRAME_KIND_UNCHANGED" | "FRAME_KIND_FAILURE_CARD";
  failure: { message: string; retryable: boolean } | null;
  timings: { capture: Duration; encode: Duration };
}

export type Call = (method: string, request: object, seconds: number) => Promise<any>;

/** Calls of the service Desktop, each within its own time. */
export function connect(address: string): { call: Call; close: () => void } {
  const file = (name: string) => (process.env[name] ? readFileSync(process.env[name]!) : null);
  const authorities = file("DESKD_TLS_CA");
  const desktop = new Desktop(
    address,
    authorities ? grpc.credentials.createSsl(authorities) : grpc.credentials.createInsecure(),
    {
      // Raw frames are larger than the 4 MiB that gRPC takes by default.
      "grpc.max_receive_message_length": 160 << 20,
      // A daemon that starts again is back in a second; gRPC would wait up to two minutes.
      "grpc.initial_reconnect_backoff_ms": 100,
      "grpc.max_reconnect_backoff_ms": 1000,
    },
  );
  const metadata = new grpc.Metadata();
  const token = file("DESKD_TOKEN_FILE");
  if (token) metadata.set("authorization", `Bearer ${token.toString().trim()}`);
  const call: Call = (method, request, seconds) =>
    new Promise((resolve, reject) => {
      const deadline = Date.now() + seconds * 1000;
      desktop[method](request, metadata, { deadline }, (error: Error | null, reply: any) =>
        error ? reject(error) : resolve(reply),
      );
    });
  return { call, close: () => desktop.close() };
}

async function main() {
  const { call, close } = connect(process.argv[2] ?? "unix:/run/deskd/deskd.sock");
  // Waits until the desktop is painted, within this time.
  const frame: Frame = (await call("Screenshot", {}, 60)).frame;
  writeFileSync("frame.png", frame.image);
  close();
  if (frame.kind === "FRAME_KIND_FAILURE_CARD") {
    // A picture all the same: hand it to the model, which reads what is wrong.
    console.error(`no screen: ${frame.failure?.message} (frame.png says so, too)`);
    process.exitCode = 1;
    return;
  }
  const micros = (time: Duration) => Number(time.seconds) * 1e6 + time.nanos / 1e3;
  const [capture, encode] = [frame.timings.capture, frame.timings.encode].map(micros);
  console.log(
    `frame.png: ${frame.width}x${frame.height}, ${frame.image.length} bytes, ` +
      `captured in ${capture.toFixed()} µs, encoded in ${encode.toFixed()} µs`,
  );
}

// Started, not imported.
if (realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  main().catch((error) => {
    console.error(String(error.message ?? error));
    process.exitCode = 1;
  });
}
