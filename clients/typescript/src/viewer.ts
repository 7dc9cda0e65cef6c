/** Mints viewer tokens, by which a person opens the page of a desktop once. */
import { createHmac, randomBytes } from "node:crypto";
import { invalid } from "./errors.js";
import { checkOptions, flag, later, text } from "./values.js";

/** Options of a viewer token. */
export interface ViewerTokenOptions {
  /** Whether the person may take control. Default: false, the person only watches. */
  control?: boolean;
  /** The name that others see when this person takes control. */
  viewer?: string;
  /** Compared with the daemon's `--viewer-workspace`, if that is given. */
  workspace?: string;
  /** Compared with the daemon's `--viewer-session`, if that is given. */
  session?: string;
  /** Seconds for which the token can be used, from 1 to 3,600. Default: 120. */
  ttl?: number;
}

const KEY = /^[!-~]{32,256}$/;
const MAX_NAME = 128;
const MAX_TTL = 3600;

/**
 * Returns a token that lets one person open the viewer once. No call to the daemon is made. `key` is a
 * line of the daemon's `--viewer-key-file`: 32 to 256 printable characters. Throws `InvalidRequest` for
 * an argument that is not valid; the error does not show the key.
 */
export function viewerToken(key: string, options: ViewerTokenOptions = {}): string {
  checkOptions(options, {
    control: flag,
    viewer: text,
    workspace: text,
    session: text,
    ttl: later,
  });
  const { control = false, ttl = 120 } = options;
  const secret = typeof key === "string" ? key.trim() : "";
  if (!KEY.test(secret)) {
    throw invalid("the key must have 32 to 256 printable characters without spaces");
  }
  if (!Number.isInteger(ttl) || ttl < 1 || ttl > MAX_TTL) {
    throw invalid(`ttl is ${String(ttl)}; give whole seconds from 1 to 3,600`);
  }
  const now = Math.floor(Date.now() / 1000);
  const claims: Record<string, string | number> = {
    mode: control ? "control" : "view",
    exp: now + ttl,
    iat: now,
    jti: randomBytes(16).toString("base64url"),
  };
  for (const name of ["viewer", "workspace", "session"] as const) {
    const value = options[name] ?? "";
    if (Buffer.byteLength(value) > MAX_NAME || /\p{Cc}/u.test(value)) {
      throw invalid(`${name} must be at most 128 bytes without control characters`);
    }
    if (value !== "") claims[name] = value;
  }
  const payload = Buffer.from(JSON.stringify(claims)).toString("base64url");
  const signed = `deskd1.${payload}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

/** Returns the link that opens the viewer at `base`, such as `https://host:6080`. */
export function viewerUrl(base: string, token: string): string {
  return `${base.replace(/\/+$/, "")}/viewer/#${token}`;
}
