/**
 * An agent with UI-TARS on a server for chat completions, such as vLLM.
 * Usage: uiTarsAgent.ts TASK
 *
 * Reads OPENAI_BASE_URL and OPENAI_API_KEY, and DESKD_SERVER for the address of the daemon.
 */
import { Desktop } from "@deskd/client";
import { Computer } from "@deskd/client/adapters/uiTars";
import OpenAI from "openai";

const PROMPT = `You operate a desktop. Answer with a line \`Thought: …\` and a line \`Action: …\` with
one of click(point='<point>x y</point>'), left_double(point=…), right_single(point=…),
hotkey(key='ctrl c'), drag(start_point=…, end_point=…), scroll(point=…, direction='down, up, right or
left'), type(content='text'), wait(), finished(content='the answer').`;

/** Gives a task to the model. Returns its answer. */
async function run(task: string): Promise<string> {
  const client = new OpenAI();
  const computer = new Computer(new Desktop(), { version: "1.5" });
  const messages: OpenAI.ChatCompletionMessageParam[] = [
    { role: "system", content: PROMPT },
    await computer.start(task),
  ];
  while (true) {
    const reply = await client.chat.completions.create({ model: "UI-TARS-1.5-7B", messages });
    const content = reply.choices[0]?.message.content ?? "";
    const turn = await computer.perform(content);
    if (turn.control) return `${turn.control}: ${turn.answer}`;
    messages.push({ role: "assistant", content }, turn.message());
  }
}

console.log(await run(process.argv[2]!));
