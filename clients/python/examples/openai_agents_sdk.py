"""An agent with the Agents SDK of OpenAI. Usage: openai_agents_sdk.py TASK

Reads OPENAI_API_KEY, and DESKD_SERVER for the address of the daemon.
"""

import asyncio
import sys

from agents import Agent, ComputerTool, Runner

from deskd import AsyncDesktop
from deskd.adapters.openai_agents import DeskdComputer


async def run(task: str) -> str:
    """Gives a task to the model. Returns its last words."""
    async with AsyncDesktop() as desktop:
        agent = Agent(
            name="Desk",
            instructions="Use the computer to do the task.",
            model="gpt-6.1-sol",
            tools=[ComputerTool(DeskdComputer(desktop))],
        )
        result = await Runner.run(agent, task, max_turns=50)
        return str(result.final_output)


if __name__ == "__main__":
    print(asyncio.run(run(sys.argv[1])))
