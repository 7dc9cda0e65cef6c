"""An agent with UI-TARS on a server for chat completions (vLLM). Usage: ui_tars_agent.py TASK

Reads OPENAI_BASE_URL and OPENAI_API_KEY, and DESKD_SERVER for the address of the daemon.
"""

import sys

from openai import OpenAI

from deskd import Desktop
from deskd.adapters.ui_tars import Computer

PROMPT = """You operate a desktop. Answer with a line `Thought: …` and a line `Action: …` of:
click(point='<point>x y</point>'), left_double(point=…), right_single(point=…), wait(),
drag(start_point=…, end_point=…), scroll(point=…, direction='down, up, right or left'),
hotkey(key='ctrl c'), type(content='text'), finished(content='the answer')."""


def run(task: str) -> str:
    """Gives a task to the model. Returns its answer."""
    client = OpenAI()
    with Desktop() as desktop:
        computer = Computer(desktop, version="1.5")
        messages = [{"role": "system", "content": PROMPT}, computer.start(task)]
        while True:
            reply = client.chat.completions.create(model="UI-TARS-1.5-7B", messages=messages)
            answer = reply.choices[0].message.content
            turn = computer.perform(answer)
            if turn.control:
                return f"{turn.control}: {turn.answer}"
            messages += [{"role": "assistant", "content": answer}, turn.message()]


if __name__ == "__main__":
    print(run(sys.argv[1]))
