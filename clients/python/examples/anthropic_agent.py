"""An agent with Anthropic's computer tool. Usage: anthropic_agent.py TASK

Reads ANTHROPIC_API_KEY, and DESKD_SERVER for the address of the daemon.
"""

import sys

from anthropic import Anthropic

from deskd import Desktop
from deskd.adapters.anthropic import Computer


def run(task: str) -> str:
    """Gives a task to the model. Returns its last words."""
    client = Anthropic()
    with Desktop() as desktop:
        computer = Computer(desktop)
        messages = [{"role": "user", "content": task}]
        while True:
            reply = client.messages.create(
                model="claude-opus-5-5", max_tokens=4096, messages=messages, tools=[computer.tool()]
            )
            messages.append({"role": "assistant", "content": reply.content})
            results = computer.results(reply.content)
            if not results:
                return "".join(block.text for block in reply.content if block.type == "text")
            messages.append({"role": "user", "content": results})


if __name__ == "__main__":
    print(run(sys.argv[1]))
