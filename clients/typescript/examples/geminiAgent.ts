/**
 * An agent with Gemini's computer use in the Interactions API. Usage: geminiAgent.ts TASK
 *
 * Reads GEMINI_API_KEY, and DESKD_SERVER for the address of the daemon.
 */
import { createInterface } from "node:readline/promises";
import { Desktop } from "@deskd/client";
import { Computer } from "@deskd/client/adapters/gemini";
import { GoogleGenAI } from "@google/genai";

const model = "gemini-3.5-flash";

/** Asks a person about an action that the model's safety policy holds back. */
async function acknowledge(name: string, values: Record<string, unknown>): Promise<boolean> {
  console.error(values["safety_decision"]);
  const person = createInterface(process.stdin, process.stderr);
  const answer = await person.question(`Allow ${name}? [y/N] `);
  person.close();
  return answer === "y";
}

/** Gives a task to the model. Returns its last words. */
async function run(task: string): Promise<string> {
  const client = new GoogleGenAI({});
  const computer = new Computer(new Desktop(), { acknowledge });
  const tools = [computer.tool()];
  let reply = await client.interactions.create({ model, tools, input: task });
  for (let input; (input = await computer.results(reply.steps)).length > 0; ) {
    const previous_interaction_id = reply.id;
    reply = await client.interactions.create({ model, tools, input, previous_interaction_id });
  }
  return reply.output_text ?? "";
}

console.log(await run(process.argv[2]!));
