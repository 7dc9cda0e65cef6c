"""An agent with OpenAI's computer tool in the Responses API. Usage: openai_agent.py TASK

Reads OPENAI_API_KEY, and DESKD_SERVER for the address of the daemon.
"""

import sys

from openai import OpenAI

from deskd import Desktop
from deskd.adapters.openai import Computer


def acknowledge(checks) -> bool:
    """Shows a person the safety checks of an action."""
    print(*(check.get("message") for check in checks), sep="\n", file=sys.stderr)
    return input("Continue? [y/N] ") == "y"


def run(task: str) -> str:
    """Gives a task to the model. Returns its last words."""
    client = OpenAI()
    with Desktop() as desktop:
        computer = Computer(desktop, acknowledge=acknowledge)
        options = {"model": "gpt-6.1-sol", "tools": [computer.tool()]}
        reply = client.responses.create(input=task, **options)
        while outputs := computer.outputs(reply.output):
            reply = client.responses.create(input=outputs, previous_response_id=reply.id, **options)
        return reply.output_text


if __name__ == "__main__":
    print(run(sys.argv[1]))
