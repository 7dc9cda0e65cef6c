#!/usr/bin/python3
# Receiver of text for tests: compiles edit.c and starts it under Wine, with a
# new prefix. Usage: text_wine.py [X Y W H]
# The variable RECEIVER_WINE_PREFIX names a folder to keep the prefix in: making
# one takes most of the time of a start.
import json
import os
import signal
import subprocess
import sys
import tempfile
from receiver import place, say
from text_receiver import REST, Program, Screen, commands

HERE = os.path.dirname(os.path.abspath(__file__))
X, Y, W, H = place(sys.argv[1:])
folder = tempfile.mkdtemp(prefix="receiver-")
edit = os.path.join(folder, "edit.exe")
prefix = os.environ.get("RECEIVER_WINE_PREFIX") or os.path.join(folder, "prefix")
os.makedirs(prefix, exist_ok=True)
env = {**os.environ, "WINEPREFIX": prefix, "WINEDEBUG": "-all", "WINEARCH": "win64",
       "WINEDLLOVERRIDES": "mscoree,mshtml=;winemenubuilder.exe="}
subprocess.run(["x86_64-w64-mingw32-gcc", "-O1", "-o", edit, os.path.join(HERE, "edit.c"), "-lgdi32"], check=True)
program = Program(
    ["/usr/lib/wine/wine64", edit, *map(str, [X, Y, W, H, REST])],
    folder, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def clear():
    program.process.stdin.write(b"clear\n")
    program.process.stdin.flush()


def end(*_):
    # The services of Wine are in sessions of their own. The environment tells them apart.
    mark = b"\0WINEPREFIX=" + prefix.encode() + b"\0"
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as environ:
                if mark in b"\0" + environ.read():
                    os.kill(int(pid), signal.SIGKILL)
        except OSError:
            pass  # the process has ended, or belongs to another user
    Program.end(program)


program.end = end
program.end_with_this()
commands(clear, program.end)
for line in program.process.stdout:
    report = json.loads(line)
    if report["event"] == "ready":
        screen = Screen()
        name = lambda window: window.get_wm_name() == "receiver"
        window = screen.wait(lambda: screen.visible(name))[0]
        screen.focus(window)
        report.update(screen.at_rest(window))
    say(**report)
program.end()
