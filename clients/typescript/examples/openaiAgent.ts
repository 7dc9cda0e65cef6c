/**
 * An agent with OpenAI's computer tool in the Responses API. Usage: openaiAgent.ts TASK
 *
 * Reads OPENAI_API_KEY, and DESKD_SERVER for the address of the daemon.
 */
import { createInterface } from "node:readline/promises";
import { Desktop } from "@deskd/client";
import { Computer, type SafetyCheck } from "@deskd/client/adapters/openai";
import OpenAI from "openai";

const model = "gpt-6.1-sol";

/** Shows a person the safety checks of a call. */
async function acknowledge(checks: SafetyCheck[]): Promise<boolean> {
  for (const check of checks) console.error(check.message);
  const person = createInterface(process.stdin, process.stderr);
  const answer = await person.question("Continue? [y/N] ");
  person.close();
  return answer === "y";
}

/** Gives a task to the model. Returns its last words. */
async function run(task: string): Promise<string> {
  const client = new OpenAI();
  const computer = new Computer(new Desktop(), { acknowledge });
  const tools = [await computer.tool()];
  let reply = await client.responses.create({ model, tools, input: task });
  for (let input; (input = await computer.outputs(reply.output)).length > 0; ) {
    const previous_response_id = reply.id;
    reply = await client.responses.create({ model, tools, input, previous_response_id });
  }
  return reply.output_text;
}

console.log(await run(process.argv[2]!));
