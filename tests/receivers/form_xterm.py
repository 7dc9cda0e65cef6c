#!/usr/bin/python3
# Form for tests: two xterm windows. A program in each receives all bytes and the
# mouse reports of its terminal. Usage: form_xterm.py [X Y W H]; the size is
# rounded down to whole cells. Inside the terminal: form_xterm.py --inside N SOCKET
import ctypes
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import tty
from form import Rest, Screen, commands, place
from receiver import say

CELL_W, CELL_H = 6, 13  # of the font "fixed"
# A mouse report, or the answer to the request for the size of the text area.
SEQUENCE = re.compile(rb"\x1b\[(?:<(\d+);(\d+);(\d+)([Mm])|4;\d+;\d+t)")


def inside(number, path):
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(path)
        os.dup2(peer.fileno(), 1)
        tty.setraw(0)
        # Mouse reports with motion while a button is down, in SGR form, also with
        # Shift. The answer to the last request shows that xterm has processed all.
        os.write(2, b"\x1b[?1002h\x1b[?1006h\x1b[>1s\x1b[14t")
        text, rest = b"", b""
        while True:
            ready = select.select([0, 1], [], [])[0]
            # Input comes first: it was typed before the command was sent.
            if 0 in ready:
                got = os.read(0, 4096)
                if not got:
                    return
                rest += got
                typed, rest = sequences(number, rest)
                if typed:
                    text += typed
                    say("text", window=number, text=text.decode("utf-8", "replace"))
            elif os.read(1, 4096):
                if text:
                    say("text", window=number, text="")
                text = b""
                say("cleared", window=number)
            else:
                return


def sequences(number, got):
    """Reports the mouse and returns the typed bytes and the incomplete rest."""
    typed = b""
    while got:
        found = SEQUENCE.match(got)
        if found and found[1]:
            mouse(number, int(found[1]), int(found[2]), int(found[3]), found[4])
        elif found:
            say("up", window=number, id=int(os.environ["WINDOWID"]))
        elif re.fullmatch(rb"\x1b(\[([<4][\d;]*)?)?", got) and select.select([0], [], [], 0.05)[0]:
            break
        else:
            typed += got[:1]
        got = got[found.end() if found else 1:]
    return typed, got


def mouse(number, code, col, row, end):
    if code & 64:  # the wheel
        return
    button = (code & 3) + (8 if code & 128 else 1)
    event = "motion" if code & 32 else "press" if end == b"M" else "release"
    say(event, window=number, button=button, col=col, row=row)


def start(number, x, y, w, h, path):
    libc = ctypes.CDLL(None)
    return subprocess.Popen(
        ["xterm", "-u8", "-fn", "fixed", "+sb", "-b", "0", "-bw", "0", "-T", f"form {number}",
         "-xrm", "XTerm*allowWindowOps: true", "-xrm", "XTerm*metaSendsEscape: true",
         "-geometry", f"{w // CELL_W}x{h // CELL_H}{x:+d}{y:+d}",
         "-e", sys.executable, os.path.abspath(__file__), "--inside", str(number), path],
        stdin=subprocess.DEVNULL, env={**os.environ, "LC_ALL": "C.UTF-8"},
        preexec_fn=lambda: libc.prctl(1, signal.SIGTERM))  # PR_SET_PDEATHSIG


def forward(peer, ids, cleared):
    """Prints the lines of one terminal, except those for this process."""
    for line in peer.makefile("r"):
        event = json.loads(line)
        if event["event"] == "up":
            ids[event["window"]] = event["id"]
        elif event["event"] == "cleared":
            cleared.release()
        else:
            say(**event)


def outside():
    x, y, w, h = place(sys.argv[1:])
    folder = tempfile.mkdtemp(prefix="form-")
    path = os.path.join(folder, "socket")
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen()
    terminals, peers, ids, cleared = [], [], {}, threading.Semaphore(0)

    def end(*_):
        for terminal in terminals:
            terminal.terminate()
        for terminal in terminals:
            terminal.wait()
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(0)

    def clear():
        for peer in peers:
            peer.send(b"clear\n")
        for _ in peers:
            cleared.acquire()
        say("cleared")

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    commands(clear, end)
    # The first terminal gets the first place, also under a tiling window manager.
    for number in 1, 2:
        terminals.append(start(number, x + (number - 1) * (w + 40), y, w, h, path))
        peer = server.accept()[0]
        peers.append(peer)
        threading.Thread(target=forward, args=(peer, ids, cleared), daemon=True).start()
    screen, rest, unfocused, layout = Screen(), Rest(), Rest(), None
    while not rest.reached(layout):
        time.sleep(0.05)
        if len(ids) < 2:
            continue
        focused = screen.focused(ids[1])
        if unfocused.reached(None if focused else True):
            screen.activate(ids[1])
            unfocused = Rest()
        areas = [(n, *screen.geometry(ids[n])) for n in sorted(ids)]
        layout = [dict(window=n, canvas=[x, y, w // CELL_W * CELL_W, h // CELL_H * CELL_H])
                  for n, x, y, w, h in areas] if focused else None
    say("ready", windows=layout)
    while all(terminal.poll() is None for terminal in terminals):
        time.sleep(0.1)
    end()


if sys.argv[1:2] == ["--inside"]:
    inside(int(sys.argv[2]), sys.argv[3])
else:
    outside()
