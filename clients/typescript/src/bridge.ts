/** A local socket that leads to a daemon through a command, for providers that only have an exec. */
import { type ChildProcess, spawn } from "node:child_process";
import { accessSync, constants, mkdtempSync, rmSync, statSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { DeskdError, Unavailable } from "./errors.js";

/**
 * Maximum length of the folder for temporary files, in bytes. The kernel shortens the path of a socket
 * to 107 bytes.
 */
const MAX_FOLDER = 64;

const open = new Set<Bridge>();

/**
 * Listens on a socket in a folder that only this user can enter. Runs the command for each
 * connection, with the connection as its standard input and output. The commands end, and the
 * socket is removed, with `close` or with the process.
 */
export class Bridge {
  /** The path of the socket. */
  readonly path: string;
  readonly #folder: string;
  readonly #server: Server;
  readonly #children = new Set<ChildProcess>();
  #failure: Error | undefined;

  /**
   * Throws `DeskdError` if the program of the command is not installed, and `Unavailable` if no folder
   * can be made for the socket.
   */
  constructor(command: readonly string[]) {
    const [program = "", ...rest] = command;
    if (!isProgram(program)) {
      throw new DeskdError(`the program '${program}' is not installed or cannot be executed`);
    }
    this.#folder = madeFolder();
    this.path = join(this.#folder, "bridge.sock");
    // A paused connection: the command reads it, this process does not.
    this.#server = createServer({ pauseOnConnect: true }, (connection) =>
      this.#run(program, rest, connection),
    );
    this.#server.on("error", (error) => {
      // A connection that cannot be accepted is closed, and gRPC reports it.
      if (!this.#server.listening) this.#failure = error;
    });
    this.#server.listen(this.path);
    this.#server.unref();
    if (open.size === 0) process.once("exit", closeAll);
    open.add(this);
  }

  /** Throws `Unavailable` if the socket could not be opened. */
  check(): void {
    if (this.#failure === undefined) return;
    const why = this.#failure.message;
    throw new Unavailable(`the local socket for exec: cannot be opened: ${why}; check TMPDIR`);
  }

  #run(program: string, rest: string[], connection: Socket): void {
    connection.on("error", () => {});
    let child: ChildProcess;
    try {
      child = spawn(program, rest, { stdio: [connection, connection, "inherit"] });
    } catch {
      // gRPC reports the closed connection.
      connection.destroy();
      return;
    }
    this.#children.add(child);
    child.on("error", () => this.#children.delete(child));
    child.on("exit", () => this.#children.delete(child));
    child.unref();
    // The command has its own descriptor. If it did not start, gRPC reports the closed connection.
    connection.destroy();
  }

  /** Ends the commands and removes the socket. */
  close(): void {
    open.delete(this);
    if (open.size === 0) process.off("exit", closeAll);
    this.#server.close();
    for (const child of this.#children) child.kill("SIGKILL");
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Makes a folder whose path is short enough for a socket. */
function madeFolder(): string {
  const parent = Buffer.byteLength(tmpdir()) <= MAX_FOLDER ? tmpdir() : "/tmp";
  try {
    return mkdtempSync(join(parent, "deskd-"));
  } catch (error) {
    const why = (error as Error).message;
    throw new Unavailable(
      `the folder of the socket for exec: cannot be made: ${why}; check TMPDIR`,
    );
  }
}

function closeAll(): void {
  for (const bridge of open) bridge.close();
}

function isProgram(name: string): boolean {
  const folders = name.includes("/") ? [""] : (process.env["PATH"] ?? "").split(delimiter);
  return folders.some((folder) => {
    const path = folder === "" ? name : join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return statSync(path).isFile();
    } catch {
      return false;
    }
  });
}
