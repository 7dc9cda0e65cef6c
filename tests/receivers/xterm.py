#!/usr/bin/python3
# Receiver for tests: starts xterm and prints what a program in it received:
# the text read from the terminal, the mouse reports, the pasted text.
# Usage: xterm.py [X Y W H]; the size is rounded down to whole cells.
# Inside the terminal: xterm.py --inside FIFO
import ctypes
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import tty
from receiver import REST, place, say, until_abandoned

# Mouse report, paste begin and end, place and size of the text, in bytes.
SEQUENCE = re.compile(rb"\x1b\[(?:<(\d+);(\d+);(\d+)([Mm])|(20[01])~|([34]);(-?\d+);(-?\d+)t)")
STATES = [("shift", 4), ("alt", 8), ("ctrl", 16)]


def inside(fifo):
    os.dup2(os.open(fifo, os.O_WRONLY), 1)
    tty.setraw(0)
    # Mouse with motion while a button is held, in SGR form; shift to us,
    # not to xterm; bracketed paste; place and size.
    # Without bracketed paste, what is pasted is text like any other.
    paste = b"" if "RECEIVER_UNBRACKETED" in os.environ else b"\x1b[?2004h"
    os.write(2, b"\x1b[?1002h\x1b[?1006h\x1b[>1s" + paste + b"\x1b[13;2t\x1b[14t")
    text, rest, pasted, at, told = b"", b"", None, None, True
    while True:
        if not told and not select.select([0], [], [], REST / 1000)[0]:
            say("text", text=text.decode("utf-8", "replace"))
            told = True
        got = os.read(0, 4096)
        if not got:
            return
        rest += got
        typed = b""
        while rest:
            found = SEQUENCE.match(rest)
            if found:
                rest = rest[found.end():]
                code, col, row, end, paste, what, a, b = found.groups()
                if code:
                    mouse(int(code), int(col), int(row), end)
                elif paste == b"200":
                    pasted = b""
                elif paste == b"201":
                    say("paste", text=(pasted or b"").decode("utf-8", "replace"))
                    pasted = None
                elif what == b"3":
                    at = int(a), int(b)
                else:
                    focus()
                    cols, rows = os.get_terminal_size(0)
                    say("ready", x=at[0], y=at[1], w=int(b), h=int(a), cols=cols, rows=rows)
            elif rest.startswith(b"\x1b[") and re.fullmatch(rb"\x1b\[[<\d;-]*", rest) \
                    and select.select([0], [], [], 0.05)[0]:
                break  # the rest of a sequence is about to come
            else:
                if pasted is None:
                    typed += rest[:1]
                else:
                    pasted += rest[:1]
                rest = rest[1:]
        if typed:
            text += typed
            told = not REST
            if told:
                say("text", text=text.decode("utf-8", "replace"))


def mouse(code, col, row, end):
    fields = dict(col=col, row=row, state=[name for name, bit in STATES if code & bit])
    which = code & 3
    if code & 64:
        # A release is sent for the sideways buttons only.
        dx, dy = [(0, -1), (0, 1), (-1, 0), (1, 0)][which]
        if end == b"M":
            say("scroll", dx=dx, dy=dy, **fields)
    elif code & 32:
        say("motion", **fields)
    else:
        number = which + 8 if code & 128 else which + 1
        say("press" if end == b"M" else "release", button=number, **fields)


def focus():
    # Without a window manager nothing else gives xterm the focus.
    x = ctypes.CDLL("libX11.so.6")
    x.XOpenDisplay.restype = ctypes.c_void_p
    display = ctypes.c_void_p(x.XOpenDisplay(None))
    x.XSetInputFocus(display, ctypes.c_ulong(int(os.environ["WINDOWID"])), 1, ctypes.c_ulong(0))
    x.XSync(display, 0)
    x.XCloseDisplay(display)


def outside():
    left, top, width, height = place(sys.argv[1:])
    folder = tempfile.mkdtemp(prefix="receiver-")
    fifo = os.path.join(folder, "lines")
    os.mkfifo(fifo)
    libc = ctypes.CDLL(None)
    terminal = subprocess.Popen(
        ["xterm", "-u8", "-fn", "fixed", "+sb", "-b", "0", "-bw", "0", "-T", "receiver",
         "-xrm", "XTerm*allowWindowOps: true", "-xrm", "XTerm*metaSendsEscape: true",
         "-geometry", f"{width // 6}x{height // 13}{left:+d}{top:+d}",
         "-e", sys.executable, os.path.abspath(__file__), "--inside", fifo],
        stdin=subprocess.DEVNULL, env={**os.environ, "LC_ALL": "C.UTF-8"},
        preexec_fn=lambda: libc.prctl(1, signal.SIGTERM))  # PR_SET_PDEATHSIG

    def end(*_):
        terminal.terminate()
        terminal.wait()
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    until_abandoned(end)
    threading.Thread(target=lambda: (terminal.wait(), end()), daemon=True).start()
    with open(fifo, "rb", buffering=0) as lines:
        while got := lines.read(4096):
            os.write(1, got)
    end()


if sys.argv[1:2] == ["--inside"]:
    inside(sys.argv[2])
else:
    outside()
