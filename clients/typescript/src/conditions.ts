/**
 * Conditions: what `Desktop.waitFor` and `actions.waitFor` wait for.
 *
 *     await desktop.waitFor(conditions.appears("Save As"));
 *     await desktop.waitFor(conditions.anyOf(conditions.appears("Done"), conditions.appears("Error")));
 *
 * A title is a part of a window's title, and its case matters. A class is the complete class or
 * instance name (WM_CLASS), and its case does not matter. Regions are in pixels of the call's space.
 */
import { create, isMessage } from "@bufbuild/protobuf";
import { invalid } from "./errors.js";
import { type Region, regionOf } from "./options.js";
import * as pb from "./v1/condition_pb.js";
import { WindowKind, type WindowMatch, WindowMatchSchema } from "./v1/window_pb.js";
import { duration, onlyKnown, shown, whole } from "./values.js";

/** A condition of the desktop. */
export type Condition = pb.Condition;

/** Returns the condition itself. Throws `InvalidRequest` for any other value. */
export function conditionOf(value: unknown): Condition {
  if (isMessage(value, pb.ConditionSchema)) return value;
  throw invalid(`the condition is ${shown(value)}; make one with the functions of conditions`);
}

/** Properties of a window: a part of its title, or several properties that it has all of. */
export type WindowFilter =
  | string
  | {
      /** A part of the title. */
      title?: string;
      /** The class or instance name of its program. */
      class?: string;
      /** The process that created it. */
      pid?: number;
      /** Its kind, such as `dialog`. */
      kind?: string;
    };

/** Returns the protobuf `WindowMatch`. Throws `InvalidRequest` if no property is given. */
export function matchOf(filter: WindowFilter): WindowMatch {
  const given = typeof filter === "string" ? { title: filter } : filter;
  if (typeof given !== "object" || given === null) {
    throw invalid(`a window is ${shown(filter)}; give a title or an object`);
  }
  onlyKnown(given, ["title", "class", "pid", "kind"], "property of windows");
  const { title = "", class: name = "", pid, kind } = given;
  if (typeof title !== "string" || typeof name !== "string") {
    throw invalid("the title and the class of a window must be strings");
  }
  if (title === "" && name === "" && pid === undefined && kind === undefined) {
    throw invalid("no window is named; give a title, a class, a process or a kind");
  }
  return create(WindowMatchSchema, {
    title,
    class: name,
    pid: whole(pid, "pid"),
    kind: kind === undefined ? undefined : kindOf(kind),
  });
}

/** A window that matches is on the screen. */
export function appears(window: WindowFilter): Condition {
  return ofWindow(pb.WindowEvent.APPEARS, window);
}

/** No window that matches is on the screen. */
export function disappears(window: WindowFilter): Condition {
  return ofWindow(pb.WindowEvent.DISAPPEARS, window);
}

/** A window that matches has the keyboard focus. */
export function getsFocus(window: WindowFilter): Condition {
  return ofWindow(pb.WindowEvent.GETS_FOCUS, window);
}

/**
 * A part of the screen changes; without one, the screen. In a step, it is compared with the
 * beginning of the step or the end of its last `waitFor`.
 */
export function changes(region?: Region): Condition {
  return ofRegion(pb.RegionEvent.CHANGES, region);
}

/** A part of the screen does not change for `quiet` seconds (default 0.5, at most 10). */
export function rests(region?: Region, options: { quiet?: number } = {}): Condition {
  onlyKnown(options, ["quiet"], "option");
  return ofRegion(pb.RegionEvent.RESTS, region, options.quiet);
}

/** At least one of the conditions is met. */
export function anyOf(...conditions: Condition[]): Condition {
  const value = create(pb.ConditionsSchema, { conditions: conditions.map(conditionOf) });
  return create(pb.ConditionSchema, { condition: { case: "any", value } });
}

/** All of the conditions are met at the same moment. */
export function allOf(...conditions: Condition[]): Condition {
  const value = create(pb.ConditionsSchema, { conditions: conditions.map(conditionOf) });
  return create(pb.ConditionSchema, { condition: { case: "all", value } });
}

function kindOf(kind: string): WindowKind {
  const names = Object.keys(WindowKind)
    .filter((name) => /^[A-Z]/.test(name))
    .slice(1);
  const name = typeof kind === "string" ? kind.toUpperCase() : "";
  if (!names.includes(name)) {
    const known = names.map((each) => each.toLowerCase()).join(", ");
    throw invalid(`there is no kind of window ${shown(kind)}; choose one of ${known}`);
  }
  return WindowKind[name as keyof typeof WindowKind];
}

function ofWindow(event: pb.WindowEvent, window: WindowFilter): Condition {
  const value = create(pb.WindowConditionSchema, { match: matchOf(window), event });
  return create(pb.ConditionSchema, { condition: { case: "window", value } });
}

function ofRegion(event: pb.RegionEvent, region?: Region, quiet?: number): Condition {
  const value = create(pb.RegionConditionSchema, {
    region: region === undefined ? undefined : regionOf(region),
    event,
    quiet: quiet === undefined ? undefined : duration(quiet, "quiet"),
  });
  return create(pb.ConditionSchema, { condition: { case: "region", value } });
}
