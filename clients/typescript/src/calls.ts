/** The parts of calls that do not depend on the transport: defaults and requests. */
import { randomUUID } from "node:crypto";
import { create, isMessage, toBinary } from "@bufbuild/protobuf";
import { type Action, features, hasPoint, ownSeconds } from "./actions.js";
import { type Condition, conditionOf } from "./conditions.js";
import { DeadlineExceeded, invalid } from "./errors.js";
import type { Frame } from "./frame.js";
import { captureOptions, coordinateSpace, type Picture, type Size, type Space } from "./options.js";
import { ActionSchema, Button } from "./v1/action_pb.js";
import { type CaptureOptions, CaptureOptionsSchema } from "./v1/capture_pb.js";
import * as pb from "./v1/desktop_pb.js";
import { ImageFormat, PaintVerdict } from "./v1/frame_pb.js";
import { checkOptions, duration, MAX_TIMEOUT, shown, text, timeoutOf, whole } from "./values.js";

/** The settings that apply to each call that does not name its own. */
export class Defaults {
  /** The options of pictures. */
  readonly picture: Picture;
  #seen: string | undefined;

  /** `timeout` is in seconds, without the time that actions take by themselves. */
  constructor(
    size: Size | undefined,
    picture: Picture | undefined,
    readonly timeout: number,
  ) {
    if (size !== undefined && picture !== undefined) {
      throw invalid("size and picture exclude each other; put the size into the picture");
    }
    this.picture = picture ?? { size };
    captureOptions(this.picture);
    timeoutOf(timeout);
  }

  /** The coordinate space of a step. Undefined stands for the default. */
  space(of: Space | undefined, hasPoints: boolean) {
    if (of !== undefined) return coordinateSpace(of);
    if (this.picture.fit === undefined || !hasPoints) return coordinateSpace(this.picture.size);
    if (this.#seen === undefined) {
      throw invalid("points are pixels of the last screenshot; take one first, or give space");
    }
    return coordinateSpace(this.#seen);
  }

  /** Notes a frame of the default picture, to whose pixels later points refer. */
  saw(picture: Picture | undefined, frame: Frame | undefined): void {
    const isDefault = picture === undefined && this.picture.region === undefined;
    if (isDefault && frame !== undefined && !frame.isCard) this.#seen = frame.frameId;
  }
}

/** Returns the daemon's features that pictures need. */
export function pictureFeatures(...captures: (CaptureOptions | undefined)[]): string[] {
  return captures.flatMap((each) => [
    ...(each?.scale.case === "fit" ? ["fit"] : []),
    ...(each?.format === ImageFormat.WEBP ? ["webp"] : []),
  ]);
}

/** Returns the options of a picture, or undefined if all of them are the daemon's defaults. */
export function optionalCapture(picture: Picture): CaptureOptions | undefined {
  const made = captureOptions(picture);
  return toBinary(CaptureOptionsSchema, made).length > 0 ? made : undefined;
}

/** The settings of a step beside its actions; see `ActOptions`. */
export interface StepSettings {
  space?: Space;
  picture?: Picture;
  frame?: boolean;
  stopAtFirst?: boolean;
  settle?: number;
  quiet?: number;
  expect?: Frame;
  unproved?: boolean;
  noPacing?: boolean;
  timeout?: number;
}

/** One step: its request, its time and the features that it needs. */
export class StepRequest {
  /** The message to send. */
  readonly request: pb.ActRequest;
  /** Seconds for the whole call. */
  readonly timeout: number;
  /** The daemon's features that the step needs. */
  readonly required: readonly string[];

  /** Throws `InvalidRequest` if an action or a setting has a wrong value. */
  constructor(defaults: Defaults, actions: Iterable<Action>, settings: StepSettings) {
    const listed = listOf(actions);
    const { settle, quiet, expect, stopAtFirst = false, frame = true } = settings;
    const capture = frame ? optionalCapture(settings.picture ?? defaults.picture) : undefined;
    this.request = create(pb.ActRequestSchema, {
      operationId: randomUUID().replaceAll("-", ""),
      actions: listed,
      coordinateSpace: defaults.space(settings.space, listed.some(hasPoint)),
      unproved: settings.unproved,
      noFrame: !frame,
      noPacing: settings.noPacing,
      capture,
      onFailure: stopAtFirst ? pb.OnFailure.STOP_AT_FIRST : undefined,
      expect: expect && { frameId: expect.frameId },
    });
    if (settle !== undefined || quiet !== undefined) {
      this.request.settle = create(pb.SettleOptionsSchema, {
        skip: settle === 0,
        timeout: settle === undefined || settle === 0 ? undefined : duration(settle, "settle"),
        quiet: quiet === undefined ? undefined : duration(quiet, "quiet"),
      });
    }
    const own = listed.reduce((sum, each) => sum + ownSeconds(each), 0);
    this.timeout = settings.timeout ?? Math.min(defaults.timeout + own, MAX_TIMEOUT);
    const pictures = listed.map(({ action }) =>
      action.case === "screenshot" ? action.value.capture : undefined,
    );
    this.required = [
      "act",
      ...listed.flatMap(features),
      ...pictureFeatures(capture, ...pictures),
      ...(stopAtFirst ? ["on_failure"] : []),
    ];
  }
}

function listOf(actions: Iterable<Action>): Action[] {
  const isList = typeof actions === "object" && actions !== null && Symbol.iterator in actions;
  if (!isList) throw invalid(`the actions are ${shown(actions)}; give a list of actions`);
  const listed = [...actions];
  const wrong = listed.findIndex((each) => !isMessage(each, ActionSchema));
  if (wrong < 0) return listed;
  const why = `element ${wrong + 1} of the actions is ${shown(listed[wrong])}`;
  throw invalid(`${why}; make actions with the functions of actions`);
}

/** The settings of a stream; see `WatchOptions`. */
export interface WatchSettings {
  maxFps?: number;
  regions?: boolean;
  unproved?: boolean;
}

/** The request of a stream that continues after the frame `since`. */
export function watchRequest(picture: Picture, settings: WatchSettings, since: string) {
  const capture = captureOptions(picture);
  // Changes are laid over raw pixels, which need no decoder.
  if (settings.regions) capture.format = ImageFormat.RAW_BGRX;
  return create(pb.WatchRequestSchema, {
    capture,
    maxFps: whole(settings.maxFps, "maxFps"),
    changedRegions: settings.regions,
    unproved: settings.unproved,
    ifChangedSince: since,
  });
}

/** A window for which `waitReady` waits: a part of its title, or its title, class or both. */
export type ExpectedWindow = string | { title?: string; class?: string };

/** The request of `waitReady`. */
export function waitReadyRequest(
  timeout: number,
  windows: readonly ExpectedWindow[],
  allowUnsettled: boolean,
): pb.WaitReadyRequest {
  if (!Array.isArray(windows)) {
    throw invalid(`windows is ${shown(windows)}; give a list of titles or objects`);
  }
  return create(pb.WaitReadyRequestSchema, {
    allowUnsettled,
    timeout: duration(timeout, "timeout"),
    expectedWindows: windows.map((each: ExpectedWindow) => {
      const named = typeof each === "string" ? { title: each } : each;
      checkOptions(named, { title: text, class: text }, "property of windows");
      return { title: named.title, class: named.class };
    }),
  });
}

/** The request of `waitFor`. */
export function waitForRequest(condition: Condition, timeout: number, space?: Space) {
  return create(pb.WaitForRequestSchema, {
    condition: conditionOf(condition),
    timeout: duration(timeout, "timeout"),
    coordinateSpace: coordinateSpace(space),
  });
}

/** Throws `DeadlineExceeded` if the desktop is not ready. */
export function checkReady(reply: pb.WaitReadyResponse, timeout: number): void {
  const { evidence } = reply;
  if (evidence?.verdict === PaintVerdict.READY) return;
  const missing = evidence?.missing.join("; ") || "it is not at rest";
  throw new DeadlineExceeded(`the desktop was not ready within ${timeout} s: ${missing}`, {
    reason: "NOT_PAINTED",
  });
}

/** The name of a key or button that is held down: as `keyDown` named it, or `left button`. */
export function pressedName({ input }: pb.Pressed): string {
  if (input.case === "key") return input.value;
  return `${(Button[input.value ?? 0] ?? String(input.value)).toLowerCase()} button`;
}
