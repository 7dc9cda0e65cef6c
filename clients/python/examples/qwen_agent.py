"""An agent with Qwen3-VL on a server for chat completions (vLLM). Usage: qwen_agent.py TASK

Reads OPENAI_BASE_URL and OPENAI_API_KEY, and DESKD_SERVER for the address of the daemon.
"""

import sys

from openai import OpenAI

from deskd import Desktop
from deskd.adapters.qwen import Computer

PROMPT = """You operate a desktop of 1000x1000 points. Answer with one call for each action:
<tool_call>{"name": "computer_use", "arguments": {"action": …}}</tool_call>
The actions and their arguments: left_click, right_click, middle_click, double_click, triple_click,
mouse_move, left_click_drag {coordinate: [x, y]}; scroll {coordinate, pixels}; key {keys: […]};
type {text}; wait {time}; terminate {status: "success" or "failure", text: the answer}."""


def run(task: str) -> str:
    """Gives a task to the model. Returns its answer."""
    client = OpenAI()
    with Desktop() as desktop:
        computer = Computer(desktop, version="3")
        messages = [{"role": "system", "content": PROMPT}, computer.start(task)]
        while True:
            reply = client.chat.completions.create(model="Qwen3-VL", messages=messages)
            answer = reply.choices[0].message.content
            turn = computer.perform(answer)
            if turn.control:
                return f"{turn.control}: {turn.answer}"
            messages += [{"role": "assistant", "content": answer}, turn.message()]


if __name__ == "__main__":
    print(run(sys.argv[1]))
