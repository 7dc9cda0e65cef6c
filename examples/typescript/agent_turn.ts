// Whole turns of an agent: observe, let the model decide, act, observe.
//
//     npx tsx agent_turn.ts ADDRESS < calls.jsonl
//
// The model is scripted: each line of standard input is one tool call as OpenAI's or
// Anthropic's computer-use tool makes it. Put your own in place of `scriptedModel`.

import { randomUUID } from "node:crypto";
import { writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
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

/** Where a call points, in pixels of the picture that the model saw; or nowhere. */
function point(tool: Tool) {
  const [x, y] = tool.coordinate ?? [tool.x, tool.y];
  return x === undefined ? undefined : { x: Math.round(x), y: Math.round(y) };
}

/** Anthropic's "ctrl+s"; deskd knows xdotool's, OpenAI's and the browsers' names. */
function chord(text: string): string[] {
  if (text === "+") return ["+"];
  return text.replace("++", "+\0").split("+").map((key) => (key === "\0" ? "+" : key));
}

/** A vendor's tool call as deskd's actions; none for what only looks. */
export function toActions(tool: Tool): object[] {
  const name: string = tool.action ?? tool.type;
  const at = point(tool);
  // Anthropic's modifiers are in `text`, OpenAI's in `keys`.
  const modifiers: string[] = tool.action && tool.text ? chord(tool.text) : (tool.keys ?? []);
  if (name in CLICKS) {
    const [button, count] = CLICKS[name];
    // OpenAI's double_click has its place in x and y, too.
    return [{ click: { at, button: BUTTONS[button], count, modifiers } }];
  }
  switch (name) {
    case "click":
      return [{ click: { at, button: BUTTONS[tool.button ?? "left"], modifiers } }];
    case "move":
    case "mouse_move":
      return [{ move: { to: at } }];
    case "drag": {
      const path = tool.path.map((step: any) =>
        point(Array.isArray(step) ? { coordinate: step } : step),
      );
      return [{ drag: { path, modifiers } }];
    }
    case "left_click_drag":
      return [{ drag: { path: [point({ coordinate: tool.start_coordinate }), at] } }];
    case "left_mouse_down":
      return [{ button_down: { at } }];
    case "left_mouse_up":
      return [{ button_up: { at } }];
    case "scroll": {
      if (tool.scroll_direction) {
        const [x, y] = DIRECTIONS[tool.scroll_direction];
        const many = tool.scroll_amount ?? 3;
        const unit = "SCROLL_UNIT_NOTCH";
        return [{ scroll: { at, dx: x * many, dy: y * many, unit, modifiers } }];
      }
      const [dx, dy] = [Math.round(tool.scroll_x ?? 0), Math.round(tool.scroll_y ?? 0)];
      return [{ scroll: { at, dx, dy, unit: "SCROLL_UNIT_PIXEL", modifiers } }];
    }
    case "keypress":
      return [{ key: { keys: tool.keys } }];
    case "key":
      return [{ key: { keys: chord(tool.text) } }];
    case "hold_key":
      return [{ key: { keys: chord(tool.text), hold_ms: Math.round(tool.duration * 1000) } }];
    case "type":
      return [{ type: { text: tool.text } }];
    case "wait": {
      const time = Number(tool.duration ?? 1);
      const seconds = Math.trunc(time);
      return [{ wait: { duration: { seconds, nanos: Math.round((time - seconds) * 1e9) } } }];
    }
    case "screenshot":
    case "zoom":
    case "cursor_position":
      return [];
  }
  throw new Error(`no action is called ${JSON.stringify(name)}`);
}

/** Does a call once, however often it must be sent; the reply. */
async function act(call: Call, instance_id: string, seen: Frame, tool: Tool): Promise<any> {
  const request = {
    operation_id: randomUUID(),
    instance_id,
    actions: toActions(tool),
    // The model's pixels are those of the picture that it saw.
    coordinate_space: { frame_id: seen.frame_id },
    // A screen of another size, or another X server, must not get this.
    expect: { frame_id: seen.frame_id },
  };
  for (let tries = 3; ; tries--) {
    try {
      return await call("Act", request, 30);
    } catch (error: any) {
      const again = [status.UNAVAILABLE, status.DEADLINE_EXCEEDED, status.RESOURCE_EXHAUSTED];
      // The same id: what was done is not done again.
      if (!again.includes(error.code) || tries === 1) throw error;
    }
  }
}

/** A picture: the screen, or what Anthropic's `zoom` asks for. */
async function look(call: Call, tool?: Tool, seen?: Frame): Promise<Frame> {
  if ((tool?.action ?? "") !== "zoom") return (await call("Screenshot", {}, 60)).frame;
  const [x, y, right, bottom] = tool!.region;
  const region = { x, y, width: right - x, height: bottom - y };
  const coordinate_space = { frame_id: seen!.frame_id };
  return (await call("Screenshot", { region, coordinate_space }, 60)).frame;
}

/** Stands for a model: says what is next, whatever it sees. */
async function* scriptedModel(): AsyncGenerator<Tool> {
  for await (const line of createInterface({ input: process.stdin })) {
    if (line.trim()) yield JSON.parse(line);
  }
}

const { call, close } = connect(process.argv[2] ?? "unix:/run/deskd/deskd.sock");
const { instance_id } = await call("GetInfo", {}, 10);
let frame = await look(call);
let turn = 0;
for await (const tool of scriptedModel()) {
  const name = tool.action ?? tool.type;
  turn += 1;
  if (name === "cursor_position") {
    const { position } = (await call("GetCursor", {}, 10)).cursor;
    console.log(`turn ${turn}: ${name}: ${position.x},${position.y}`);
    continue;
  }
  if (toActions(tool).length === 0) {
    const picture = await look(call, tool, frame);
    // What is zoomed is looked at; its pixels are no coordinates of the whole.
    if (name !== "zoom") frame = picture;
    console.log(`turn ${turn}: ${name}: ${picture.width}x${picture.height}`);
    continue;
  }
  const reply = await act(call, instance_id, frame, tool);
  frame = reply.frame;
  if (frame.kind === "FRAME_KIND_FAILURE_CARD") {
    // The model gets the card, which says that it is not the screen; then a new one.
    console.log(`turn ${turn}: ${name}: no screen: ${frame.failure?.message}`);
    frame = await look(call);
    continue;
  }
  const outcome = reply.outcome.replace("ACT_OUTCOME_", "");
  const state = reply.settle.state.replace("SETTLE_STATE_", "");
  console.log(`turn ${turn}: ${name}: ${outcome}, ${state}, ${frame.width}x${frame.height}`);
}
writeFileSync("after.png", frame.image);
close();
