# Shared by the receiver programs, which tests start to learn what a program
# received of injected input. Holds what they have in common: the place from
# the arguments, the lines on stdout, the end with the test that started them.
import json
import os
import select
import sys
import threading


# Long texts: only the text is told, once it rests for so many milliseconds, and
# no keys, so that the program takes them at its own speed.
REST = int(os.environ.get("RECEIVER_REST", 0))


def place(args):
    """X Y W H from the arguments, 0 0 640 480 without them."""
    return [int(a) for a in args[:4]] if len(args) >= 4 else [0, 0, 640, 480]


def say(event, **fields):
    """One JSON object on one line, at once."""
    # One write, so that lines of several threads do not mix.
    os.write(1, (json.dumps({"event": event, **fields}) + "\n").encode())


def until_abandoned(end=lambda: os._exit(0)):
    """Calls end() once stdin is closed or the parent has died.

    The parent is asked for by its id: a death signal would also come when
    only the thread of the parent ends that started this process.
    """
    parent = os.getppid()

    def watch():
        while os.getppid() == parent:
            if select.select([0], [], [], 0.5)[0] and not os.read(0, 4096):
                break
        end()

    threading.Thread(target=watch, daemon=True).start()
