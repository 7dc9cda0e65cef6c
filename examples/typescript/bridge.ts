// A local port that leads to deskd through a provider's exec.
//
//     npx tsx bridge.ts 127.0.0.1:7000 docker exec -i box deskd bridge
//     npx tsx first_frame.ts 127.0.0.1:7000
//
// Every connection runs the command once; its standard input and output are the
// connection. Whoever reaches the port reaches the desktop: keep it on loopback.

import { spawn } from "node:child_process";
import { createServer, type AddressInfo } from "node:net";

const [address, program, ...rest] = process.argv.slice(2);
if (!program) {
  console.error("bridge.ts HOST:PORT COMMAND…");
  process.exit(2);
}
const at = address.lastIndexOf(":");
const server = createServer({ noDelay: true }, (socket) => {
  const child = spawn(program, rest, { stdio: ["pipe", "pipe", "inherit"] });
  socket.pipe(child.stdin);
  child.stdout.pipe(socket);
  // Either side may go first.
  child.stdin.on("error", () => socket.destroy());
  socket.on("error", () => child.kill());
  child.on("error", (error) => {
    console.error(error.message);
    socket.destroy();
  });
});
server.listen(Number(address.slice(at + 1)), address.slice(0, at), () => {
  const { address: host, port } = server.address() as AddressInfo;
  console.log(`listening on ${host}:${port}`);
});
