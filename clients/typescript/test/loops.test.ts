/**
 * Runs each example as a whole, against a model on loopback and a real desktop: what the program on
 * the desktop received, and what the model was sent.
 */
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import * as anthropic from "../src/adapters/anthropic.js";
import * as openai from "../src/adapters/openai.js";
import { runExample } from "./support/agents.js";
import { assertScreen, decoded, INSIDE, LiveDesktop, SCREEN } from "./support/desktop.js";
import { type Json, type ModelRequest, ModelServer, type Reply } from "./support/model.js";
import * as made from "./support/replies.js";

const [X, Y] = INSIDE;
const HALTED = "Not executed: an earlier computer action in this turn failed.";
const TASK = { role: "user", content: "Greet." };
const desktop = new LiveDesktop();
before(() => desktop.start());
after(() => desktop.stop());
beforeEach(async () => {
  desktop.forget();
  // What the last test left must not be what this one finds.
  await desktop.client.move(1100, 700);
});

const run = (name: string, replies: readonly Reply[], input?: string) =>
  runExample(name, desktop.address, replies, input);

/** Asserts that all requests went to one path, with the key, and returns their bodies. */
function bodies(requests: readonly ModelRequest[], path: string, header: string, key: string) {
  for (const request of requests) {
    assert.deepEqual([request.path, request.headers[header]], [path, key]);
  }
  return requests.map((request) => request.body);
}

describe("Anthropic", () => {
  const said = { type: "text", text: "It is done." };
  const script = [
    made.message(1, { type: "text", text: "I look first." }, made.member(1, "screenshot")),
    made.message(
      2,
      made.member(2, "left_click", { coordinate: [X, Y] }),
      made.member(3, "type", { text: "Grüße\n" }),
      made.member(4, "key", { text: "no_such_key" }),
      made.member(5, "type", { text: "never\n" }),
      made.member(6, "screenshot"),
    ),
    made.message(
      3,
      made.member(7, "zoom", { region: [200, 200, 520, 400] }),
      made.member(8, "cursor_position"),
      made.member(9, "type", { text: "second\n" }),
    ),
    made.message(4, said),
  ];

  const words = (result: Json): string =>
    typeof result.content === "string"
      ? result.content
      : result.content.map((each: Json) => each.text ?? "").join(" ");
  const images = (result: Json): string[] =>
    typeof result.content === "string"
      ? []
      : result.content.flatMap((each: Json) => (each.type === "image" ? [each.source.data] : []));

  /** Checks the content of each turn. `isRunner`: whether the SDK performed the calls singly. */
  function check(contents: Json[][], isRunner: boolean) {
    const turns = contents.map((each) => each.filter(({ type }) => type !== "image"));
    // The API accepts no picture in an error. The adapter sends the new screen after the results;
    // the SDK's runner has no place for it.
    const beside = contents.map((each, at) => each.slice(turns[at]!.length));
    assert.deepEqual(
      beside.map((each) => each.map(({ type }) => type)),
      [[], isRunner ? [] : ["image"], []],
    );
    for (const { source } of beside.flat()) assertScreen(source.data);
    const results = turns.flat();
    for (const each of results.filter(({ is_error }) => is_error)) {
      assert.deepEqual([images(each).length, words(each).length > 0], [0, true]);
    }
    for (const each of results) {
      assert.deepEqual([each.type, each.toolset_name], ["tool_result", "computer"]);
    }
    const ids = turns.map((each) => each.map((result) => result.tool_use_id));
    assert.deepEqual(ids, [
      ["toolu_1"],
      ["toolu_2", "toolu_3", "toolu_4", "toolu_5", "toolu_6"],
      ["toolu_7", "toolu_8", "toolu_9"],
    ]);
    assert.deepEqual(
      results.map((each) => each.is_error ?? false),
      [false, false, false, true, true, true, false, false, false],
    );
    const [look, click, type, key, never, last, zoom, cursor, second] = results;
    assert.deepEqual([images(look).length, words(look).trim()], [1, ""]);
    assertScreen(images(look)[0]!);
    assert.match(words(click), /^Clicked\./);
    assert.match(words(type), /^Typed\./);
    assert.match(words(key), /^Failed: .*no_such_key.* \[UNKNOWN_KEY\]$/);
    assert.deepEqual([words(never), words(last).trim()], [HALTED, HALTED]);
    const zoomed = decoded(images(zoom)[0]!);
    assert.deepEqual([zoomed.width, zoomed.height], [1280, 800]);
    assert.equal(words(cursor), `X=${X},Y=${Y}`);
    assert.match(words(second), /^Typed\./);
    assert.equal(images(second).length, isRunner ? 0 : 1);
    for (const each of images(second)) assertScreen(each);
  }

  test("the messages loop", async () => {
    const { output, requests } = await run("anthropicAgent", script);
    assert.equal(output, "It is done.");
    await desktop.untilReceived("Grüße\nsecond\n");
    const sent = bodies(requests, "/v1/messages", "authorization", "Bearer key");
    for (const { tools } of sent) assert.deepEqual(tools, [{ type: "computer_toolset_20260801" }]);
    assert.deepEqual(sent[0].messages, [TASK]);
    const { messages } = sent.at(-1);
    assert.deepEqual(
      messages.map(({ role }: Json) => role),
      ["user", "assistant", "user", "assistant", "user", "assistant", "user"],
    );
    // The model's own words are sent back unchanged.
    assert.deepEqual(
      [messages[1], messages[3], messages[5]].map(({ content }) => content),
      script.slice(0, 3).map(({ content }) => content),
    );
    for (const at of [1, 2]) assert.deepEqual(sent[at].messages, messages.slice(0, 2 * at + 1));
    check([messages[2].content, messages[4].content, messages[6].content], false);
  });

  test("the SDK's tool runner", async () => {
    const { output, errors, requests } = await run("anthropicToolsetAgent", script);
    assert.equal(output, "It is done.");
    await desktop.untilReceived("Grüße\nsecond\n");
    const sent = bodies(requests, "/v1/messages", "authorization", "Bearer key");
    // The SDK sends only what is new. The API keeps the rest.
    assert.deepEqual(sent[0].tools, [{ type: "computer_toolset_20260801" }]);
    assert.deepEqual(sent[0].messages, [TASK]);
    const results = sent.slice(1).map(({ messages }) => messages.at(-1).content);
    check(results, true);
    // The calls after the failed one are not confirmed either.
    const confirmed = errors.match(/^\w+/gm);
    const members = ["screenshot", "left_click", "type", "key", "zoom", "cursor_position", "type"];
    assert.deepEqual(confirmed, members);
  });

  test("streamed answers", async () => {
    const model = new ModelServer(...script.map(made.streamed));
    await model.start();
    after(() => model.stop());
    const client = new Anthropic({ baseURL: model.url, apiKey: "key" });
    const computer = new anthropic.Computer(desktop.client);
    const tools = [await computer.tool()];
    const messages: Anthropic.MessageParam[] = [{ role: "user", content: "Greet." }];
    const turns: (anthropic.ToolResult | anthropic.ImageBlock)[][] = [];
    while (true) {
      const stream = client.messages.stream({ model: "m", max_tokens: 99, messages, tools });
      const { content } = await stream.finalMessage();
      const results = await computer.results(content);
      if (results.length === 0) break;
      turns.push(results);
      messages.push({ role: "assistant", content }, { role: "user", content: results });
    }
    model.check();
    await desktop.untilReceived("Grüße\nsecond\n");
    const sent = model.requests.at(-1)!.body;
    assert.equal(sent.stream, true);
    assert.deepEqual([2, 4, 6].map((at) => sent.messages[at].content), turns);
    check(turns, false);
  });
});

describe("OpenAI", () => {
  const CHECK = { id: "sc_1", code: "malicious_instructions", message: "Is this wanted?" };
  const look = made.response(1, made.computerCall(1, [{ type: "screenshot" }]));
  const batch = [
    { type: "click", button: "left", x: X, y: Y },
    { type: "type", text: "日本 Grüße\n" },
    { type: "move", x: 900, y: 600 },
  ];
  const mistake = [
    { type: "move", x: X, y: Y },
    { type: "type", text: "second\n" },
    { type: "keypress", keys: ["NO_SUCH_KEY"] },
    { type: "type", text: "never\n" },
  ];
  const risky = [{ type: "type", text: "third\n" }];
  const script = [
    look,
    made.response(2, made.computerCall(2, batch)),
    made.response(3, made.computerCall(3, mistake)),
    made.response(4, made.computerCall(4, risky, [CHECK])),
    made.response(5, made.outputMessage("It is done.")),
  ];
  const RECEIVED = "日本 Grüße\nsecond\n";
  const SCREENSHOT = "computer_screenshot";

  /** Checks the inputs that follow the first. `isAllowed`: whether a person answered y. */
  function check(sent: Json[], isAllowed: boolean) {
    const outputs = sent.map(({ input }) => input[0]);
    for (const [at, { type, call_id, output }] of outputs.entries()) {
      assert.deepEqual([type, call_id], ["computer_call_output", `call_${at + 1}`]);
      assert.deepEqual([output.type, output.detail], [SCREENSHOT, "original"]);
      assertScreen(output.image_url);
    }
    // Only a failure is followed by a message.
    const lengths = sent.map(({ input }) => input.length);
    assert.deepEqual(lengths, isAllowed ? [1, 1, 2, 1] : [1, 1, 2, 2]);
    const [failed, refused] = sent.map(({ input }) => input[1]).filter(Boolean);
    assert.deepEqual([failed.type, failed.role, failed.content.length], ["message", "user", 1]);
    const { text } = failed.content[0];
    assert.match(text, /^Computer tool: Action 3 \(keypress\): Failed: .* \[UNKNOWN_KEY\] /);
    assert.match(text, /\] Action 4 \(type\): Not executed: an earlier action failed\.$/);
    const acknowledged = outputs.map((each) => each.acknowledged_safety_checks);
    assert.deepEqual(acknowledged.slice(0, 3), [undefined, undefined, undefined]);
    if (isAllowed) {
      assert.deepEqual(acknowledged[3], [CHECK]);
    } else {
      assert.equal(acknowledged[3], undefined);
      const why = "Not performed: a person must confirm first: Is this wanted?";
      assert.equal(refused.content[0].text, `Computer tool: Action 1 (type): ${why}`);
    }
  }

  for (const isAllowed of [true, false]) {
    const answer = isAllowed ? "allows" : "refuses";
    test(`the loop of the Responses API, with a person who ${answer}`, async () => {
      const typed = isAllowed ? "y\n" : "n\n";
      const { output, errors, requests } = await run("openaiAgent", script, typed);
      assert.equal(output, "It is done.");
      assert.equal(errors, "Is this wanted?\nContinue? [y/N] ");
      const sent = bodies(requests, "/v1/responses", "authorization", "Bearer key");
      for (const { tools } of sent) assert.deepEqual(tools, [{ type: "computer" }]);
      const [first, ...rest] = sent;
      assert.deepEqual([first.input, first.previous_response_id], ["Greet.", undefined]);
      const previous = rest.map((each) => each.previous_response_id);
      assert.deepEqual(previous, ["resp_1", "resp_2", "resp_3", "resp_4"]);
      check(rest, isAllowed);
      if (!isAllowed) await desktop.client.type("end\n");
      await desktop.untilReceived(RECEIVED + (isAllowed ? "third\n" : "end\n"));
    });
  }

  test("streamed answers", async () => {
    const model = new ModelServer(...script.map(made.streamedResponse));
    await model.start();
    after(() => model.stop());
    const client = new OpenAI({ baseURL: `${model.url}/v1`, apiKey: "key" });
    const computer = new openai.Computer(desktop.client, { acknowledge: () => true });
    const tools = [await computer.tool()];
    const given = { model: "m", tools };
    let reply = await client.responses.stream({ ...given, input: "Greet." }).finalResponse();
    for (let input; (input = await computer.outputs(reply.output)).length > 0;) {
      const previous_response_id = reply.id;
      const next = { ...given, input, previous_response_id };
      reply = await client.responses.stream(next).finalResponse();
    }
    assert.equal(reply.output_text, "It is done.");
    model.check();
    check(
      model.requests.slice(1).map(({ body }) => body),
      true,
    );
    await desktop.untilReceived(`${RECEIVED}third\n`);
  });

  test("the Agents SDK", async () => {
    const { output, errors, requests } = await run("openaiAgentsSdk", script, "y\n");
    assert.equal(output, "It is done.");
    assert.match(errors, /Is this wanted\?\nContinue\? \[y\/N\] $/);
    await desktop.untilReceived(`${RECEIVED}third\n`);
    const sent = bodies(requests, "/v1/responses", "authorization", "Bearer key");
    for (const { tools } of sent) assert.deepEqual(tools, [{ type: "computer" }]);
    // The SDK sends the whole conversation each time.
    const items: Json[] = sent.at(-1).input;
    assert.deepEqual(items[0], TASK);
    const outputs = items.filter((each) => each.type === "computer_call_output");
    const ids = outputs.map((each) => each.call_id);
    assert.deepEqual(ids, ["call_1", "call_2", "call_3", "call_4"]);
    const [first, second, failed, third] = outputs.map((each) => each.output.image_url);
    for (const each of [first, second, third]) assertScreen(each);
    assert.notEqual(first, second);
    // A failed action ends its batch. The SDK reports it by an empty picture.
    assert.equal(failed, "");
    const acknowledged = outputs.map((each) => each.acknowledged_safety_checks);
    assert.deepEqual(acknowledged, [undefined, undefined, undefined, [CHECK]]);
  });
});

describe("Gemini", () => {
  // The middle of a cell of the grid of 1000 × 1000 is a pixel of the screen.
  const at = { x: 320, y: 450 };
  const pixel = [Math.floor(320.5 * 1.28), Math.floor(450.5 * 0.8)] as const;
  const decision = { decision: "require_confirmation", explanation: "Is this wanted?" };
  const risky = { text: "second", press_enter: true, safety_decision: decision };
  const script = [
    made.interaction(1, made.functionCall(1, "take_screenshot", { intent: "look" })),
    made.interaction(
      2,
      made.functionCall(2, "click", at),
      made.functionCall(3, "type", { text: "Здравствуй", press_enter: true }),
      made.functionCall(4, "press_key", { key: "NoSuchKey" }),
      made.functionCall(5, "type", { text: "never", press_enter: true }),
    ),
    made.interaction(3, made.functionCall(6, "type", risky)),
    made.interaction(4, made.modelOutput("It is done.")),
  ];

  for (const isAllowed of [true, false]) {
    const answer = isAllowed ? "allows" : "refuses";
    test(`the loop of the Interactions API, with a person who ${answer}`, async () => {
      const typed = isAllowed ? "y\n" : "n\n";
      const { output, errors, requests } = await run("geminiAgent", script, typed);
      assert.equal(output, "It is done.");
      assert.match(errors, /explanation: 'Is this wanted\?'/);
      assert.match(errors, /Allow type\? \[y\/N\] $/);
      assert.deepEqual(await desktop.client.cursor(), pixel);
      if (!isAllowed) await desktop.client.type("end\n");
      await desktop.untilReceived(`Здравствуй\n${isAllowed ? "second" : "end"}\n`);

      const sent = bodies(requests, "/v1beta/interactions", "x-goog-api-key", "key");
      const tool = { type: "computer_use", environment: "desktop" };
      for (const { tools } of sent) assert.deepEqual(tools, [tool]);
      const [first, ...rest] = sent;
      assert.deepEqual([first.input, first.previous_interaction_id], ["Greet.", undefined]);
      const previous = rest.map((each) => each.previous_interaction_id);
      assert.deepEqual(previous, ["int_1", "int_2", "int_3"]);
      const turns: Json[][] = rest.map(({ input }) => input);
      const calls = turns.map((each) => each.map((one) => [one.type, one.call_id, one.name]));
      const result = (number: number, name: string) => ["function_result", `fc_${number}`, name];
      assert.deepEqual(calls, [
        [result(1, "take_screenshot")],
        [result(2, "click"), result(3, "type"), result(4, "press_key"), result(5, "type")],
        [result(6, "type")],
      ]);
      const results = turns.flat();
      const failed = [false, false, false, true, true, !isAllowed];
      assert.deepEqual(
        results.map((each) => each.is_error ?? false),
        failed,
      );
      const responses = results.map(({ result: [text] }) => {
        assert.equal(text.type, "text");
        return JSON.parse(text.text);
      });
      assert.match(responses[3].error, /^Failed: .*NoSuchKey.* \[UNKNOWN_KEY\]$/);
      assert.equal(responses[4].error, "Not executed: an earlier action failed.");
      if (isAllowed) assert.equal(responses[5].safety_acknowledgement, true);
      else assert.equal(responses[5].error, "Not performed: a person did not allow type.");
      const acknowledged = responses.filter((each) => "safety_acknowledgement" in each);
      assert.equal(acknowledged.length, isAllowed ? 1 : 0);
      // The last result of each turn has the screen.
      const pictures = results.map(({ result: [, ...images] }) => images);
      assert.deepEqual(
        pictures.map((each) => each.length),
        [1, 0, 0, 0, 1, 1],
      );
      for (const { type, mime_type, data } of pictures.flat()) {
        assert.deepEqual([type, mime_type], ["image", "image/png"]);
        assertScreen(data);
      }
    });
  }
});

describe("open models", () => {
  const FAILED =
    /^Failed: .*nosuchkey.* \[UNKNOWN_KEY\] Not executed: an earlier action failed\.$/;

  /** Runs an example; returns the messages of the last request. */
  async function conversation(name: string, answers: readonly string[], size: [number, number]) {
    const { output, requests } = await run(name, answers.map(made.completion));
    const sent = bodies(requests, "/v1/chat/completions", "authorization", "Bearer key");
    const { messages } = sent.at(-1);
    const [system, task, ...rest] = messages as Json[];
    assert.deepEqual([system.role, task.role, task.content[0].text], ["system", "user", "Greet."]);
    const answered = rest.filter(({ role }) => role === "assistant");
    // The last answer ends the loop, and is not sent.
    assert.deepEqual(
      answered.map(({ content }) => content),
      answers.slice(0, -1),
    );
    const results = rest.filter(({ role }) => role === "user");
    assert.equal(results.length, answers.length - 1);
    for (const { content } of [task, ...results]) {
      assert.equal(content.at(-1).type, "image_url");
      assertScreen(content.at(-1).image_url.url, size);
    }
    const texts = results.map(({ content }) => (content.length > 1 ? content[0].text : ""));
    return { output, texts };
  }

  test("UI-TARS", async () => {
    // The sides of the picture are multiples of 28, and points are its pixels.
    const size: [number, number] = [1260, 784];
    const [x, y] = [Math.floor((X * size[0]) / SCREEN[0]), Math.floor((Y * size[1]) / SCREEN[1])];
    const action = (text: string) => `Thought: I act.\nAction: ${text}`;
    const answers = [
      action(`click(point='<point>${x} ${y}</point>')`),
      action("type(content='It\\'s здесь\\n')"),
      action("hotkey(key='nosuchkey')\ntype(content='never\\n')"),
      action("fly(content='never\\n')"),
      action("type(content='second\\n')"),
      action("finished(content='It is done.')"),
    ];
    const { output, texts } = await conversation("uiTarsAgent", answers, size);
    assert.equal(output, "finished: It is done.");
    await desktop.untilReceived("It's здесь\nsecond\n");
    const middle = [((x + 0.5) * SCREEN[0]) / size[0], ((y + 0.5) * SCREEN[1]) / size[1]];
    assert.deepEqual(await desktop.client.cursor(), middle.map(Math.floor));
    assert.match(texts[2], FAILED);
    assert.equal(texts[3], "Invalid action, not performed: there is no action 'fly'");
  });

  test("Qwen-VL", async () => {
    const call = (given: object) =>
      `<tool_call>\n${JSON.stringify({ name: "computer_use", arguments: given })}\n</tool_call>`;
    const answers = [
      `I click.\n${call({ action: "left_click", coordinate: [320, 450] })}`,
      call({ action: "type", text: "你好\n" }),
      call({ action: "key", keys: ["nosuchkey"] }) + call({ action: "type", text: "never\n" }),
      "I have no call.",
      call({ action: "type", text: "second\n" }),
      call({ action: "terminate", status: "success", text: "It is done." }),
    ];
    const { output, texts } = await conversation("qwenAgent", answers, [1280, 800]);
    assert.equal(output, "finished: It is done.");
    await desktop.untilReceived("你好\nsecond\n");
    assert.deepEqual(await desktop.client.cursor(), [410, 360]);
    assert.match(texts[2], FAILED);
    assert.equal(texts[3], "Invalid action, not performed: the answer has no tool call");
  });
});
