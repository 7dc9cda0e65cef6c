/** The examples of README.md, compiled against the types of the SDKs. They are never run. */
import Anthropic from "@anthropic-ai/sdk";
import { GoogleGenAI } from "@google/genai";
import { Agent, computerTool, run } from "@openai/agents";
import OpenAI from "openai";
import * as anthropic from "../src/adapters/anthropic.js";
import { Toolset } from "../src/adapters/anthropicToolset.js";
import * as gemini from "../src/adapters/gemini.js";
import * as openai from "../src/adapters/openai.js";
import { DeskdComputer } from "../src/adapters/openaiAgents.js";
import { openWith } from "../src/adapters/recipes.js";
import * as uiTars from "../src/adapters/uiTars.js";
import { actions, Desktop, viewerToken, viewerUrl } from "../src/index.js";

const model = "model";

/** First steps. */
export async function first() {
  const desktop = new Desktop("unix:/run/deskd/deskd.sock");
  await (await desktop.screenshot()).save("screen.png");
  await desktop.click(640, 400);
  await desktop.type("hello");
  await desktop.press("ctrl+s");
  await desktop.close();
}

/** Pictures, steps and streams. */
export async function more(desktop: Desktop) {
  {
    const frame = await desktop.screenshot({ format: "jpeg", fit: { maxSide: 1280 } });
    await desktop.click(300, 200, { space: frame });
  }
  {
    const list = [actions.click(40, 12), actions.typeText("hello"), actions.press("Return")];
    const step = await desktop.act(list, { stopAtFirst: true, check: false });
    console.log(step.outcome, step.results, step.settle);
  }
  {
    for await (const frame of desktop.watch({ regions: true, maxFps: 30 })) {
      console.log(frame.changed, frame.image.length);
    }
  }
}

/** The clipboard and programs. */
export async function withPrograms(desktop: Desktop) {
  await desktop.clipboard.write("hello");
  console.log(await desktop.clipboard.text(), await desktop.clipboard.formats());
  await desktop.clipboard.writeFormats({ "": "hello", "text/html": "<b>hello</b>" });
  const image = await desktop.clipboard.read("image/png");

  const started = await desktop.programs.launch(["xterm", "-e", "top"], { waitWindow: 10 });
  console.log(started.window?.title, await desktop.programs.output(started.program));
  await desktop.programs.signal(started.program, "terminate");
  return image;
}

/** A recording. */
export async function recorded(desktop: Desktop) {
  const recording = await desktop.recorder.start({ name: "checkout", maxDuration: 600 });
  await desktop.click(640, 400);
  await desktop.recorder.stop(recording);
  await desktop.recorder.fetch(recording, "run.deskdlog");
}

/** The toolset of Anthropic. */
export async function withAnthropic(desktop: Desktop, client: Anthropic) {
  const { Computer } = anthropic;
  const messages: Anthropic.Beta.BetaMessageParam[] = [];
  {
    const computer = new Computer(desktop);
    const tools = [await computer.tool()];
    const reply = await client.beta.messages.create({ model, max_tokens: 4096, messages, tools });
    const content = await computer.results(reply.content);
    messages.push({ role: "assistant", content: reply.content }, { role: "user", content });
  }
  {
    const toolset = new Toolset(desktop, { confirm: () => true });
    const task = [{ role: "user" as const, content: "Open the settings." }];
    const settings = { model, max_tokens: 4096, tools: [toolset], messages: task };
    const runner = client.beta.messages.toolRunner(settings);
    const message = await runner.runUntilDone();
    console.log(message);
  }
}

/** The toolset in the API without beta, and an older version of the tool. */
export async function withOtherAnthropic(desktop: Desktop, client: Anthropic) {
  const messages: Anthropic.MessageParam[] = [];
  const computer = new anthropic.Computer(desktop);
  const tools = [await computer.tool()];
  const reply = await client.messages.create({ model, max_tokens: 4096, messages, tools });
  messages.push({ role: "user", content: await computer.results(reply.content) });
  const older = new anthropic.Computer(desktop, { version: "computer_20250124" });
  await client.beta.messages.create({
    model,
    max_tokens: 4096,
    messages: [{ role: "user", content: await older.results([]) }],
    tools: [await older.tool()],
    betas: older.betas,
  });
}

/** OpenAI's tool. */
export async function withOpenai(desktop: Desktop, client: OpenAI) {
  const { Computer } = openai;
  {
    const computer = new Computer(desktop);
    const tools = [await computer.tool()];
    let reply = await client.responses.create({ model, tools, input: "Open the settings." });
    for (let input; (input = await computer.outputs(reply.output)).length > 0;)
      reply = await client.responses.create({
        model,
        tools,
        input,
        previous_response_id: reply.id,
      });
  }
  {
    const preview = new Computer(desktop, { preview: true });
    await client.responses.create({ model, tools: [await preview.tool()], truncation: "auto" });
  }
  {
    const computer = new DeskdComputer(desktop);
    const agent = new Agent({ name: "desk", model, tools: [computerTool({ computer })] });
    const result = await run(agent, "Open the settings.");
    console.log(result);
  }
}

/** Gemini's functions in both APIs. */
export async function withGemini(desktop: Desktop, client: GoogleGenAI) {
  const { Computer } = gemini;
  {
    const computer = new Computer(desktop);
    const tools = [computer.tool()];
    let reply = await client.interactions.create({ model, tools, input: "Open the settings." });
    for (let input; (input = await computer.results(reply.steps)).length > 0;)
      reply = await client.interactions.create({
        model,
        tools,
        input,
        previous_interaction_id: reply.id,
      });
  }
  {
    const browsing = new Computer(desktop, { open: openWith(desktop) });
    console.log(browsing.tool());
  }
  {
    const computer = new Computer(desktop);
    const config = { tools: [computer.contentTool()] };
    const contents = [{ role: "user", parts: [{ text: "Open the settings." }] }];
    const reply = await client.models.generateContent({ model, contents, config });
    const parts = await computer.parts(reply.candidates?.[0]?.content?.parts ?? []);
    await client.models.generateContent({ model, contents: [{ role: "user", parts }], config });
  }
}

/** An open model. */
export async function withOpenModel(desktop: Desktop, client: OpenAI) {
  const { Computer } = uiTars;
  const messages: OpenAI.ChatCompletionMessageParam[] = [];
  const answer =
    (await client.chat.completions.create({ model, messages })).choices[0]?.message.content ?? "";
  {
    const computer = new Computer(desktop, { version: "1.5" });
    const picture = await computer.look();
    const turn = await computer.perform(answer);
    messages.push(turn.message());
    console.log(picture);
  }
}

/** A link for a person. */
export function linkFor(key: string) {
  const link = viewerUrl("https://host:6080", viewerToken(key, { control: true, viewer: "Ada" }));
  console.log(link);
}
