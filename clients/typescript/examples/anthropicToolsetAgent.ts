/**
 * An agent with the tool runner of Anthropic's SDK. Usage: anthropicToolsetAgent.ts TASK
 *
 * Reads ANTHROPIC_API_KEY, and DESKD_SERVER for the address of the daemon.
 */
import Anthropic from "@anthropic-ai/sdk";
import { Desktop } from "@deskd/client";
import { Toolset, type ToolsetOptions } from "@deskd/client/adapters/anthropicToolset";

/** Decides about each action before it is performed. Ask a person here where it matters. */
const confirm: ToolsetOptions["confirm"] = ({ member, input }) => {
  console.error(member, JSON.stringify(input));
  return true;
};

/** Gives a task to the model. Returns its last words. */
async function run(task: string): Promise<string> {
  const runner = new Anthropic().beta.messages.toolRunner({
    model: "claude-opus-5-5",
    max_tokens: 4096,
    tools: [new Toolset(new Desktop(), { confirm })],
    messages: [{ role: "user", content: task }],
  });
  const reply = await runner.runUntilDone();
  return reply.content.map((block) => (block.type === "text" ? block.text : "")).join("");
}

console.log(await run(process.argv[2]!));
