/** Addresses of a daemon, and the settings of a connection to each. */
import { lstatSync, readFileSync, type Stats, statSync } from "node:fs";
import { isAbsolute } from "node:path";
import { type ChannelCredentials, type ChannelOptions, credentials, Metadata } from "@grpc/grpc-js";
import { Bridge } from "./bridge.js";
import { DeskdError, invalid } from "./errors.js";
import { shown } from "./values.js";
import { words } from "./words.js";

const DEFAULT = "unix:/run/deskd/deskd.sock";

/** How a client proves its identity to a daemon, and how it checks the daemon's. */
export interface Access {
  /** The bearer token. */
  token?: string;
  /** File with the bearer token. */
  tokenFile?: string;
  /** File with certificates (PEM) that must have signed the server's; turns TLS on. */
  tlsCa?: string;
  /** File with the client's own certificate (PEM), for mutual TLS; with `tlsKey`. */
  tlsCert?: string;
  /** File with the private key of `tlsCert` (PEM). */
  tlsKey?: string;
}

/** The contents of the files of `Access`. */
export interface Secrets {
  /** The bearer token. */
  token?: string;
  /** PEM certificates that must have signed the server's certificate. */
  ca?: Buffer;
  /** The client's own certificate and private key, PEM. */
  identity?: { certificate: Buffer; key: Buffer };
}

/** The address of a daemon, with the client's secrets, which are never printed. */
export class Address {
  /** `unix:/path`, `host:port`, or `exec:COMMAND`. */
  readonly server: string;
  readonly #secrets: Secrets;
  readonly #command: readonly string[] | undefined;

  /** Throws `DeskdError` if the address or the secrets cannot be used. */
  constructor(server: string, secrets: Secrets = {}) {
    this.server = server;
    this.#secrets = secrets;
    if (server.startsWith("exec:")) {
      this.#command = words(server.slice("exec:".length));
      if (this.#command.length === 0) {
        throw new DeskdError("exec: has no command; give one, such as exec:deskd bridge");
      }
    } else if (server.startsWith("unix:")) {
      if (!server.startsWith("unix:/")) {
        throw new DeskdError(`${server} is not an absolute path; give unix:/path`);
      }
    } else {
      const port = /^.+:(\d+)$/.exec(server)?.[1];
      if (port === undefined || Number(port) < 1 || Number(port) > 65535) {
        throw new DeskdError(
          `'${server}' is no address; give unix:/path, host:port or exec:command`,
        );
      }
    }
    if (secrets.identity !== undefined && secrets.ca === undefined) {
      throw new DeskdError("a client certificate requires the authority's certificates (tlsCa)");
    }
    if (secrets.token !== undefined && !/^[\x20-\x7e]*$/.test(secrets.token)) {
      throw new DeskdError("the token has characters that a header cannot carry; check its file");
    }
  }

  /**
   * Reads the files. Without `server`, missing values come from the environment, as for the
   * commands of deskd: DESKD_SERVER, DESKD_TOKEN_FILE, DESKD_TLS_CA, DESKD_TLS_CLIENT_CERT and
   * DESKD_TLS_CLIENT_KEY.
   */
  static of(server: string | undefined, access: Access = {}): Address {
    let { token, tokenFile, tlsCa, tlsCert, tlsKey } = access;
    if (server !== undefined && typeof server !== "string") {
      throw invalid(`the server is ${shown(server)}; give unix:/path, host:port or exec:command`);
    }
    if (server === undefined) {
      server = variable("DESKD_SERVER") ?? defaultServer();
      tokenFile ??= token === undefined ? variable("DESKD_TOKEN_FILE") : undefined;
      tlsCa ??= variable("DESKD_TLS_CA");
      tlsCert ??= variable("DESKD_TLS_CLIENT_CERT");
      tlsKey ??= variable("DESKD_TLS_CLIENT_KEY");
    }
    if (token === undefined && tokenFile !== undefined) token = read(tokenFile).toString().trim();
    if ((tlsCert === undefined) !== (tlsKey === undefined)) {
      throw new DeskdError("mutual TLS needs both tlsCert and tlsKey");
    }
    return new Address(server, {
      token,
      ca: tlsCa === undefined ? undefined : read(tlsCa),
      identity:
        tlsCert === undefined || tlsKey === undefined
          ? undefined
          : { certificate: read(tlsCert), key: read(tlsKey) },
    });
  }

  /** Returns the headers of a call that requires features of the daemon, and acts under a lease. */
  headers(required: Iterable<string> = [], lease = ""): Metadata {
    const made = new Metadata();
    if (this.#secrets.token) made.set("authorization", `Bearer ${this.#secrets.token}`);
    const names = [...new Set(required)].sort().join(",");
    // A daemon then refuses a call whose fields it does not know.
    if (names !== "") made.set("deskd-require", names);
    if (lease !== "") made.set("deskd-lease", lease);
    return made;
  }

  /** The TLS settings. */
  get credentials(): ChannelCredentials {
    const { ca, identity } = this.#secrets;
    if (ca === undefined) return credentials.createInsecure();
    return credentials.createSsl(ca, identity?.key ?? null, identity?.certificate ?? null);
  }

  /** Starts the local socket of an `exec:` address; undefined for the others. */
  openBridge(): Bridge | undefined {
    return this.#command === undefined ? undefined : new Bridge(this.#command);
  }

  /** The name of the address for gRPC. */
  target(bridge: Bridge | undefined): string {
    return bridge === undefined ? this.server : `unix:${bridge.path}`;
  }

  /** The options of a channel. */
  get options(): ChannelOptions {
    const isLocal = this.#command !== undefined || this.server.startsWith("unix:");
    return {
      // The path of a Unix socket is no valid authority, which HTTP/2 requires.
      ...(isLocal ? { "grpc.default_authority": "localhost" } : {}),
      // Raw frames are larger than the 4 MiB that gRPC accepts by default.
      "grpc.max_receive_message_length": 160 << 20,
      // Channels do not share a connection: a stream that is not read does not delay other calls.
      "grpc.use_local_subchannel_pool": 1,
      // A daemon that restarts is back within a second.
      "grpc.initial_reconnect_backoff_ms": 100,
      "grpc.max_reconnect_backoff_ms": 1000,
    };
  }
}

function variable(name: string): string | undefined {
  return process.env[name] || undefined;
}

/**
 * The default address of the commands of deskd. The socket need not exist yet: a daemon may be about
 * to start.
 */
function defaultServer(): string {
  const folder = variable("XDG_RUNTIME_DIR") ?? "";
  const path = `${folder}${folder.endsWith("/") ? "" : "/"}deskd.sock`;
  // Another user who listens there would receive typed text and the token.
  const isForeign = isAnothers(() => statSync(folder)) || isAnothers(() => lstatSync(path));
  return isAbsolute(folder) && !isForeign ? `unix:${path}` : DEFAULT;
}

/** Whether a file exists and belongs to another user than this one and root. */
function isAnothers(stat: () => Stats): boolean {
  try {
    return ![0, process.geteuid?.()].includes(stat().uid);
  } catch {
    return false;
  }
}

function read(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new DeskdError(`${path} cannot be read: ${(error as Error).message}`);
  }
}
