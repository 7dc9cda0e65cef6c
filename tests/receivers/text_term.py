#!/usr/bin/python3
# Receiver of text for tests: starts a terminal and prints the bytes that a
# program in it receives. Usage: text_term.py TERMINAL [X Y W H], where TERMINAL
# is one of kitty, alacritty, urxvt, xterm and xfce4-terminal.
# Some terminals round the size to whole cells.
import os
import shlex
import subprocess
import sys
import tempfile
from receiver import place, say
from text_receiver import Program, Screen, bytes_of, inside

ALACRITTY = """
window: { decorations: none, padding: { x: 0, y: 0 } }
"""


def command(terminal, folder, run, x, y, w, h):
    if terminal == "kitty":
        options = ["remember_window_size=no", f"initial_window_width={w}", f"initial_window_height={h}",
                   "hide_window_decorations=yes", "confirm_os_window_close=0", "update_check_interval=0"]
        return ["kitty", "--config", "NONE", *[part for option in options for part in ("-o", option)], *run]
    if terminal == "alacritty":
        path = os.path.join(folder, "alacritty.yml")
        with open(path, "w") as config:
            config.write(ALACRITTY)
        return ["alacritty", "--config-file", path, "-e", *run]
    if terminal == "urxvt":
        return ["urxvt", "-fn", "fixed", "+sb", "-b", "0", "-bl", "-g", f"80x24{x:+d}{y:+d}", "-e", *run]
    if terminal == "xterm":
        return ["xterm", "-u8", "-fn", "fixed", "+sb", "-b", "0", "-bw", "0", "-g", f"80x24{x:+d}{y:+d}", "-e", *run]
    if terminal == "xfce4-terminal":
        return ["xfce4-terminal", "--disable-server", "--hide-menubar", "--hide-borders", "--hide-scrollbar",
                "--hide-toolbar", f"--geometry=80x24{x:+d}{y:+d}", "-e", shlex.join(run)]
    sys.exit(f"no such terminal: {terminal}")


def outside():
    x, y, w, h = place(sys.argv[2:])
    folder = tempfile.mkdtemp(prefix="receiver-")
    fifo = os.path.join(folder, "bytes")
    os.mkfifo(fifo)
    run = [sys.executable, os.path.abspath(__file__), "--inside", fifo]
    program = Program(
        command(sys.argv[1], folder, run, x, y, w, h), folder,
        env={"XDG_CONFIG_HOME": folder, **os.environ, "LC_ALL": "C.UTF-8", "LIBGL_ALWAYS_SOFTWARE": "1", "NO_AT_BRIDGE": "1",
             "GDK_BACKEND": "x11", "WINIT_UNIX_BACKEND": "x11"},
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    program.end_with_this()

    def ready():
        screen = Screen()
        window = screen.wait(lambda: screen.of_session(program.process.pid))[0]
        screen.put(window, x, y, w, h)
        screen.focus(window)
        say("ready", **screen.at_rest(window))

    bytes_of(fifo, ready, program.end)
    program.end()


if sys.argv[1:2] == ["--inside"]:
    inside(sys.argv[2])
else:
    outside()
