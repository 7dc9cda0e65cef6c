#!/usr/bin/python3
# Receiver of text for tests: starts a prompt and prints the text that it returns.
# Usage: text_menu.py MENU [X Y W H], where MENU is rofi or dmenu. The prompt
# chooses its own place.
# The text ends with the Return key. "text" is printed when the next prompt is
# ready. "clear" starts a new prompt.
import os
import subprocess
import sys
import tempfile
import threading
import time
import Xlib.X
from receiver import say
from text_receiver import Screen, Program, commands

COMMANDS = {"rofi": ["rofi", "-dmenu", "-no-config", "-p", "receiver", "-pid"],
            "dmenu": ["dmenu", "-p", "receiver"]}
MENU = sys.argv[1]
folder = tempfile.mkdtemp(prefix="receiver-")
screen = Screen()
cleared, ending = threading.Event(), threading.Event()
program = None


def start():
    """Starts a prompt and returns its place once it has the keyboard."""
    global program
    options = [os.path.join(folder, "pid")] if MENU == "rofi" else []
    program = Program(
        COMMANDS[MENU] + options, folder, env={**os.environ, "XDG_CACHE_HOME": folder},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    window = screen.wait(lambda: screen.visible(
        lambda window: MENU in (window.get_wm_class() or ("",))[0].lower()))[0]
    while screen.root.grab_keyboard(
            False, Xlib.X.GrabModeAsync, Xlib.X.GrabModeAsync, Xlib.X.CurrentTime) == Xlib.X.GrabSuccess:
        screen.display.ungrab_keyboard(Xlib.X.CurrentTime)
        screen.display.sync()
        time.sleep(0.05)
    return screen.at_rest(window)


def clear():
    cleared.set()
    program.process.kill()


def end():
    ending.set()
    program.end()


place = start()
say("ready", **place)
commands(clear, end)
while True:
    text = program.process.stdout.read().decode("utf-8", "replace")
    code = program.process.wait()
    if ending.is_set():
        program.end()
    start()
    if cleared.is_set():
        cleared.clear()
        say("cleared")
    elif code == 0:
        say("text", text=text.removesuffix("\n"))
    else:
        sys.exit(f"{MENU} returned {code}")
