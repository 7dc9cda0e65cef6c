/**
 * An agent with Qwen3-VL on a server for chat completions, such as vLLM.
 * Usage: qwenAgent.ts TASK
 *
 * Reads OPENAI_BASE_URL and OPENAI_API_KEY, and DESKD_SERVER for the address of the daemon.
 */
import { Desktop } from "@deskd/client";
import { Computer } from "@deskd/client/adapters/qwen";
import OpenAI from "openai";

const PROMPT = `You operate a desktop of 1000x1000 points. Answer with one call for each action:
<tool_call>{"name": "computer_use", "arguments": {"action": …}}</tool_call>
The actions and their arguments: left_click, right_click, middle_click, double_click, triple_click,
mouse_move, left_click_drag {coordinate: [x, y]}; scroll {coordinate, pixels}; key {keys: […]};
type {text}; wait {time}; terminate {status: "success" or "failure", text: the answer}.`;

/** Gives a task to the model. Returns its answer. */
async function run(task: string): Promise<string> {
  const client = new OpenAI();
  const computer = new Computer(new Desktop(), { version: "3" });
  const messages: OpenAI.ChatCompletionMessageParam[] = [
    { role: "system", content: PROMPT },
    await computer.start(task),
  ];
  while (true) {
    const reply = await client.chat.completions.create({ model: "Qwen3-VL", messages });
    const content = reply.choices[0]?.message.content ?? "";
    const turn = await computer.perform(content);
    if (turn.control) return `${turn.control}: ${turn.answer}`;
    messages.push({ role: "assistant", content }, turn.message());
  }
}

console.log(await run(process.argv[2]!));
