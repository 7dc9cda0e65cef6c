"""An agent with Gemini's computer use in the Interactions API. Usage: gemini_agent.py TASK

Reads GEMINI_API_KEY, and DESKD_SERVER for the address of the daemon.
"""

import sys

from google import genai

from deskd import Desktop
from deskd.adapters.gemini import Computer


def acknowledge(name: str, arguments: dict) -> bool:
    """Asks a person about an action that the model's safety policy holds back."""
    print(arguments["safety_decision"].get("explanation"), file=sys.stderr)
    return input(f"Allow {name}? [y/N] ") == "y"


def run(task: str) -> str:
    """Gives a task to the model. Returns its last words."""
    client = genai.Client()
    with Desktop() as desktop:
        computer = Computer(desktop, acknowledge=acknowledge)
        options = {"model": "gemini-3.5-flash", "tools": [computer.tool()]}
        reply = client.interactions.create(input=task, **options)
        while results := computer.results(reply.steps):
            reply = client.interactions.create(
                input=results, previous_interaction_id=reply.id, **options
            )
        return reply.output_text


if __name__ == "__main__":
    print(run(sys.argv[1]))
