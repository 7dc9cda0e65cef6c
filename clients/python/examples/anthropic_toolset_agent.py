"""An agent with the tool runner of Anthropic's SDK. Usage: anthropic_toolset_agent.py TASK

Reads ANTHROPIC_API_KEY, and DESKD_SERVER for the address of the daemon.
"""

import sys

from anthropic import Anthropic

from deskd import Desktop
from deskd.adapters.anthropic_toolset import Toolset


def allow(context) -> bool:
    """Decides about each action before it is performed. Ask a person here where it matters."""
    print(context.member, context.input.model_dump(exclude_none=True), file=sys.stderr)
    return True


def run(task: str) -> str:
    """Gives a task to the model. Returns its last words."""
    with Desktop() as desktop:
        runner = Anthropic().beta.messages.tool_runner(
            model="claude-opus-5-5",
            max_tokens=4096,
            tools=[Toolset(desktop, confirm=allow)],
            messages=[{"role": "user", "content": task}],
        )
        reply = runner.until_done()
    return "".join(block.text for block in reply.content if block.type == "text")


if __name__ == "__main__":
    print(run(sys.argv[1]))
