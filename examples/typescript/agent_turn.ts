// Whole turns of an agent: observe, let the model decide, act, observe.
//
//     npx tsx agent_turn.ts ADDRESS < calls.jsonl
//
// The model is scripted: each line of standard input is one tool call as OpenAI's or
// Anthropic's computer-use tool makes it. Put your own in place of `scriptedModel`. A line
// is printed for each turn: what the model should be told. A call that cannot be done is
// refused, with the reason, before any of it is done; the model is told that, too.

import { randomUUID } from "node:crypto";
import { writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";
import { status } from "@grpc/grpc-js";
import { connect, type Call, type Frame } from "./first_frame.ts";

type Tool = Record<string, any>;

const BUTTONS: Record<string, string> = {
  left: "BUTTON_LEFT",
  wheel: "BUTTON_MIDDLE",
  middle: "BUTTON_MIDDLE",
  right: "BUTTON_RIGHT",
  back: "BUTTON_BACK",
  forward: "BUTTON_FORWARD",
};

// Anthropic's clicks: button and count.
const CLICKS: Record<string, [string, number]> = {
  left_click: ["left", 1],
  right_click: ["right", 1],
  middle_click: ["middle", 1],
  double_click: ["left", 2],
  triple_click: ["left", 3],
};

const DIRECTIONS: Record<string, [number, number]> = {
  up: [0, -1],
  down: [0, 1],
  left: [-1, 0],
  right: [1, 0],
};

// OpenAI's that must point somewhere; Anthropic's may leave it to where the pointer is.
const POINTING = ["click", "double_click", "move", "scroll"];
// Nothing was done (or nobody knows whether): the model must look, and decide again.
const REFUSALS = [status.INVALID_ARGUMENT, status.OUT_OF_RANGE, status.FAILED_PRECONDITION];
// Nobody answered: what was asked is asked again.
const RETRIED = [status.UNAVAILABLE, status.DEADLINE_EXCEEDED, status.RESOURCE_EXHAUSTED];

/** A call that is like no tool's. */
class BadCall extends Error {}

/** A whole number: the encoder would make 0 of a word, and wrap a number that is too large. */
function whole(value: unknown, what: string): number {
  const number = typeof value === "number" ? Math.round(value) : NaN;
  if (!(Math.abs(number) < 2 ** 31)) throw new BadCall(`${what} is no number of 32 bits`);
  return number;
}

/** The entry of a table: the encoder would take the default for an unknown one. */
function known<Entry>(table: Record<string, Entry>, name: string): Entry {
  if (!Object.hasOwn(table, name)) throw new BadCall(`${JSON.stringify(name)} is unknown`);
  return table[name];
}

/** Text that must be there. */
function words(value: unknown, what: string): string {
  if (typeof value !== "string") throw new BadCall(`${what} is no text`);
  return value;
}

/** Seconds that a call lasts by itself. */
function lasting(tool: Tool): number {
  if (tool.action === "wait" || tool.action === "hold_key") {
    if (!Number.isFinite(tool.duration)) throw new BadCall("duration is no number");
    return tool.duration;
  }
  return tool.type === "wait" ? 1 : 0;
}

/** The place of a call, in pixels of the image that the model saw; or undefined. */
function target(tool: Tool) {
  let { x, y } = tool;
  if (tool.coordinate != null) {
    if (!Array.isArray(tool.coordinate)) throw new BadCall("coordinate is no list");
    [x, y] = tool.coordinate;
  } else if (x === undefined && !POINTING.includes(tool.type)) {
    return undefined;
  }
  return { point: { x: whole(x, "x"), y: whole(y, "y") } };
}

/** A google.protobuf.Duration. */
function duration(milliseconds: number) {
  return { seconds: Math.trunc(milliseconds / 1000), nanos: (milliseconds % 1000) * 1e6 };
}

/** A place on the way of a drag: a pair, or x and y. */
function place(step: any) {
  return target(Array.isArray(step) ? { coordinate: step } : { ...step, type: "move" });
}

/** Anthropic's "ctrl+s"; deskd knows xdotool's, OpenAI's and the browsers' names. */
function chord(text: string): string[] {
  if (text === "+") return ["+"];
  return text.replace("++", "+\0").split("+").map((key) => (key === "\0" ? "+" : key));
}

/** A vendor's tool call as deskd's actions; none for what only looks. */
export function toActions(tool: Tool): object[] {
  const name: string = tool.action ?? tool.type;
  const at = target(tool);
  // Anthropic's modifiers are in `text`, OpenAI's in `keys`.
  const modifiers = tool.action && tool.text ? chord(words(tool.text, "text")) : (tool.keys ?? []);
  if (!Array.isArray(modifiers)) throw new BadCall("keys is no list");
  for (const key of modifiers) words(key, "a key");
  if (Object.hasOwn(CLICKS, name)) {
    const [button, count] = CLICKS[name];
    return [{ click: { at, button: BUTTONS[button], count, modifiers } }];
  }
  switch (name) {
    case "click":
      return [{ click: { at, button: known(BUTTONS, tool.button ?? "left"), modifiers } }];
    case "move":
    case "mouse_move":
      return [{ move: { to: at, modifiers } }];
    case "drag": {
      if (!Array.isArray(tool.path)) throw new BadCall("path is no list");
      return [{ drag: { path: tool.path.map(place), modifiers } }];
    }
    case "left_click_drag":
      return [{ drag: { path: [tool.start_coordinate, tool.coordinate].map(place) } }];
    case "left_mouse_down":
      return [{ button_down: { at } }];
    case "left_mouse_up":
      return [{ button_up: { at } }];
    case "scroll": {
      if (tool.scroll_direction !== undefined) {
        const [x, y] = known(DIRECTIONS, tool.scroll_direction);
        const many = whole(tool.scroll_amount ?? 3, "scroll_amount");
        const unit = "SCROLL_UNIT_NOTCH";
        return [{ scroll: { at, dx: x * many, dy: y * many, unit, modifiers } }];
      }
      const [dx, dy] = [whole(tool.scroll_x ?? 0, "scroll_x"), whole(tool.scroll_y ?? 0, "scroll_y")];
      return [{ scroll: { at, dx, dy, unit: "SCROLL_UNIT_PIXEL", modifiers } }];
    }
    case "keypress":
      return [{ key: { keys: modifiers } }];
    case "key":
      // xdotool takes several chords, so models send them: "Down Down Return".
      return words(tool.text, "text")
        .split(/(?<=.)\s+(?=.)/)
        .map((each) => ({ key: { keys: chord(each) } }));
    case "hold_key": {
      const hold = duration(whole(lasting(tool) * 1000, "duration"));
      return [{ key: { keys: chord(words(tool.text, "text")), hold } }];
    }
    case "type":
      return [{ type: { text: words(tool.text, "text") } }];
    case "wait": {
      return [{ wait: { duration: duration(whole(lasting(tool) * 1000, "duration")) } }];
    }
    case "screenshot":
    case "zoom":
    case "cursor_position":
      return [];
  }
  throw new BadCall(`no action is called ${JSON.stringify(name)}`);
}

/**
 * A call, sent again for a while: a daemon or an X server may just start again. An act has
 * its id, by which what was done is not done again; all else only looks.
 */
async function send(call: Call, method: string, request: object, seconds: number): Promise<any> {
  const pauses = [200, 500, 1000, 2000, 4000];
  for (;;) {
    try {
      return await call(method, request, seconds);
    } catch (error: any) {
      const pause = pauses.shift();
      if (!RETRIED.includes(error.code) || pause === undefined) throw error;
      await setTimeout(pause);
    }
  }
}

/** Does a call once; the reply. */
async function act(call: Call, seen: Frame, tool: Tool): Promise<any> {
  const request = {
    operation_id: randomUUID(),
    instance_id: (await send(call, "GetInfo", {}, 10)).instance_id,
    actions: toActions(tool),
    // The model's pixels are those of the picture that it saw.
    coordinate_space: { frame_id: seen.frame_id },
    // A screen of another size, or another X server, must not get this.
    expect: { frame_id: seen.frame_id },
  };
  return send(call, "Act", request, 30 + lasting(tool));
}

/** A picture: the screen, or what Anthropic's `zoom` asks for. */
async function look(call: Call, tool?: Tool, seen?: Frame): Promise<Frame> {
  if ((tool?.action ?? "") !== "zoom") return (await send(call, "Screenshot", {}, 60)).frame;
  if (tool?.region?.length !== 4) throw new BadCall("region is no list of four");
  const [x, y, right, bottom] = tool.region.map((edge: unknown) => whole(edge, "region"));
  const region = { x, y, width: right - x, height: bottom - y };
  const coordinate_space = { frame_id: seen!.frame_id };
  return (await send(call, "Screenshot", { capture: { region, coordinate_space } }, 60)).frame;
}

/** One turn: what to tell the model, and the picture for it. */
async function turn(call: Call, tool: Tool, seen: Frame): Promise<[string, Frame]> {
  const name = tool.action ?? tool.type;
  if (name === "cursor_position") {
    const { position } = (await send(call, "GetCursor", {}, 10)).cursor;
    return [`${position.x},${position.y}`, seen];
  }
  if (toActions(tool).length === 0) {
    const picture = await look(call, tool, seen);
    // What is zoomed is looked at; its pixels are no coordinates of the whole.
    return [`${picture.width}x${picture.height}`, name === "zoom" ? seen : picture];
  }
  const reply = await act(call, seen, tool);
  let outcome = reply.outcome.replace("ACT_OUTCOME_", "");
  for (const { failure } of reply.results) if (failure) outcome += ` (${failure.message})`;
  const frame: Frame = reply.frame ?? (await look(call));
  if (frame.kind === "FRAME_KIND_FAILURE_CARD") {
    // The model gets the card, which says that it is not the screen; then a new one.
    return [`${outcome}, no screen: ${frame.failure?.message}`, await look(call)];
  }
  const state = reply.settle.state.replace("SETTLE_STATE_", "");
  return [`${outcome}, ${state}, ${frame.width}x${frame.height}`, frame];
}

/** Stands for a model: says what is next, whatever it sees. */
async function* scriptedModel(): AsyncGenerator<Tool> {
  for await (const line of createInterface({ input: process.stdin })) {
    if (line.trim()) yield JSON.parse(line);
  }
}

const { call, close } = connect(process.argv[2] ?? "unix:/run/deskd/deskd.sock");
let frame = await look(call);
let turns = 0;
for await (const tool of scriptedModel()) {
  const name = tool.action ?? tool.type;
  let said: string;
  turns += 1;
  try {
    [said, frame] = await turn(call, tool, frame);
  } catch (error: any) {
    if (error instanceof BadCall) {
      said = `refused: ${error.message}`;
    } else if (REFUSALS.includes(error.code)) {
      said = `refused: ${error.details}`;
      frame = await look(call);
    } else {
      console.error(`turn ${turns}: ${name}: ${error.message}`);
      process.exit(1);
    }
  }
  console.log(`turn ${turns}: ${name}: ${said}`);
}
writeFileSync("after.png", frame.image);
close();
