/** Ready-made hooks for the adapters. */
import { changes, rests } from "../conditions.js";
import type { Desktop } from "../desktop.js";
import { ActionFailed } from "../errors.js";
import { checkOptions, later, limited } from "../values.js";
import type { Open } from "./flow.js";

export type { Open };

/** The beginning of an address that names its scheme, or of a path. */
const COMPLETE = /^(\/|[a-z][a-z0-9+.-]*:\/\/|(about|data|file|mailto):)/i;
/** Maximum seconds to wait until the screen changes. */
const MAX_WAIT = 120;
/** Seconds for which the screen must not change after the page, and the maximum wait for it. */
const REST = { quiet: 1, timeout: 5 };

/** Options of `openWith`. */
export interface OpenOptions {
  /** Maximum seconds to wait until the screen changes. Default: 10; at most 120. */
  wait?: number;
}

/**
 * Returns a hook for the option `open` of adapters. It opens pages with the browser that the
 * desktop's user prefers, also if none runs.
 *
 *     const computer = new Computer(desktop, { open: openWith(desktop) });
 *
 * It uses `desktop.programs`, which requires a session helper. It waits until the screen changes, and
 * then until it rests. An address without a scheme gets `https://`.
 */
export function openWith(
  desktop: Pick<Desktop, "programs" | "waitFor">,
  options: OpenOptions = {},
): (address: string) => Promise<void> {
  checkOptions(options, { wait: later });
  const { wait = 10 } = options;
  limited(wait, "wait", MAX_WAIT);
  return async (address) => {
    const { programs } = desktop;
    const given = address.trim();
    const end = performance.now() + 1000 * wait;
    const uri = COMPLETE.test(given) ? given : `https://${given}`;
    const { program } = await programs.open(uri);
    let left: number;
    let hasChanged: boolean;
    do {
      left = Math.max((end - performance.now()) / 1000, 0);
      const waited = await desktop.waitFor(changes(), Math.min(left, 1), { check: false });
      const { text, program: now } = await programs.output(program);
      hasChanged = waited.isMet;
      if (now.exitCode) {
        const why = `${program.name} ended with code ${now.exitCode}: ${text.trim().slice(-200)}`;
        throw new ActionFailed(`the page was not opened; ${why}`, { reason: "ENDED" });
      }
    } while (!hasChanged && left > 0);
    await desktop.waitFor(rests(undefined, { quiet: REST.quiet }), REST.timeout, { check: false });
  };
}
