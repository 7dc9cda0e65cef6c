#!/usr/bin/python3
# Receiver of text for tests: starts TextSwing.java, a Swing text area.
# Usage: text_java.py [X Y W H]
import json
import os
import subprocess
import sys
import tempfile
from receiver import place, say
from text_receiver import REST, Program, commands

HERE = os.path.dirname(os.path.abspath(__file__))
folder = tempfile.mkdtemp(prefix="receiver-")
program = Program(
    ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", os.path.join(HERE, "TextSwing.java"),
     *map(str, place(sys.argv[1:])), str(REST)],
    folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    # Without this, Java waits for the frame of a window manager that is absent.
    env={**os.environ, "_JAVA_AWT_WM_NONREPARENTING": "1"})


def clear():
    program.process.stdin.write(b"clear\n")
    program.process.stdin.flush()


program.end_with_this()
commands(clear, program.end)
for line in program.process.stdout:
    say(**json.loads(line))
program.end()
