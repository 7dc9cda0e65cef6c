/**
 * An agent with Anthropic's computer tool. Usage: anthropicAgent.ts TASK
 *
 * Reads ANTHROPIC_API_KEY, and DESKD_SERVER for the address of the daemon.
 */
import Anthropic from "@anthropic-ai/sdk";
import { Desktop } from "@deskd/client";
import { Computer } from "@deskd/client/adapters/anthropic";

/** Gives a task to the model. Returns its last words. */
async function run(task: string): Promise<string> {
  const client = new Anthropic();
  const computer = new Computer(new Desktop());
  const tools = [await computer.tool()];
  const messages: Anthropic.MessageParam[] = [{ role: "user", content: task }];
  while (true) {
    const reply = await client.messages.create({
      model: "claude-opus-5-5",
      max_tokens: 4096,
      messages,
      tools,
    });
    messages.push({ role: "assistant", content: reply.content });
    const content = await computer.results(reply.content);
    if (content.length === 0) {
      return reply.content.map((block) => (block.type === "text" ? block.text : "")).join("");
    }
    messages.push({ role: "user", content });
  }
}

console.log(await run(process.argv[2]!));
