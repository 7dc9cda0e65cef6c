/**
 * An agent with the Agents SDK of OpenAI. Usage: openaiAgentsSdk.ts TASK
 *
 * Reads OPENAI_API_KEY, and DESKD_SERVER for the address of the daemon.
 */
import { createInterface } from "node:readline/promises";
import { Desktop } from "@deskd/client";
import { DeskdComputer } from "@deskd/client/adapters/openaiAgents";
import { Agent, type ComputerSafetyCheck, computerTool, run } from "@openai/agents";

/** Shows a person the safety checks of a call. */
async function onSafetyCheck(call: { pendingSafetyChecks: ComputerSafetyCheck[] }) {
  for (const check of call.pendingSafetyChecks) console.error(check.message);
  const person = createInterface(process.stdin, process.stderr);
  const answer = await person.question("Continue? [y/N] ");
  person.close();
  return answer === "y";
}

const computer = new DeskdComputer(new Desktop());
const agent = new Agent({
  name: "Desk",
  instructions: "Use the computer to do the task.",
  model: "gpt-6.1-sol",
  tools: [computerTool({ computer, onSafetyCheck })],
});
const result = await run(agent, process.argv[2]!, { maxTurns: 50 });
console.log(result.finalOutput);
