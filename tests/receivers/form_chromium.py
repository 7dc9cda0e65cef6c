#!/usr/bin/python3
# Form for tests: two Chromium windows with address bar, each with form.html: the
# fields "a" and "b", the button "submit" and a canvas. GET /go?TOKEN prints a
# "navigate" event and leaves the page as it is. Usage: form_chromium.py [X Y W H]
import ctypes
import http.server
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from form import Rest, Screen, commands, place
from receiver import say

X, Y, W, H = place(sys.argv[1:])
PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "form.html")
layouts, streams, cleared = {}, {}, threading.Semaphore(0)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # one connection for all reports

    def answer(self, code, body=b""):
        self.send_response(code)
        self.send_header("Content-Type", "text/html")
        if code != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        path, _, query = self.path.partition("?")
        if path == "/go":
            say("navigate", token=urllib.parse.unquote(query))
            self.answer(204)
        elif path == "/commands":
            self.stream(query)
        elif path == "/" and query:
            with open(PAGE, "rb") as page:
                self.answer(200, page.read())
        else:
            self.answer(404)

    def stream(self, window):
        received = streams[window] = queue.Queue()
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        while True:
            self.wfile.write(f"data: {received.get()}\n\n".encode())

    def do_POST(self):
        for report in json.loads(self.rfile.read(int(self.headers["Content-Length"]))):
            if report["event"] == "layout":
                layouts[report["window"]] = report
            elif report["event"] == "cleared":
                cleared.release()
            else:
                say(**report)
        self.answer(200)

    def log_message(self, *_):
        pass


def clear():
    for received in list(streams.values()):
        received.put("clear")
    for _ in streams:
        cleared.acquire()
    say("cleared")


def end(*_):
    over.set()


def browse(number):
    """Starts Chromium, which passes the request on if it runs already."""
    libc = ctypes.CDLL(None)
    return subprocess.Popen(
        ["chromium", "--no-sandbox", "--disable-gpu", "--test-type", "--no-first-run", "--no-default-browser-check",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--disable-extensions", "--disable-breakpad", "--disable-translate", "--password-store=basic",
         "--disable-features=Translate,MediaRouter", "--force-device-scale-factor=1", "--ozone-platform=x11",
         f"--user-data-dir={profile}", f"--window-position={X},{Y}", f"--window-size={W},{H}", "--new-window",
         f"http://127.0.0.1:{server.server_port}/?window={number}"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,  # so that all its processes can be ended as one group
        preexec_fn=lambda: libc.prctl(1, signal.SIGTERM))  # PR_SET_PDEATHSIG


def layout(number, window):
    """Returns the layout in root pixels, or None while page and window differ."""
    page = layouts.get(number)
    if not window or not page:
        return None
    left, top, w, h = screen.geometry(window)
    # The page is at the bottom of the window, with the same edge on three sides.
    edge, rest = divmod(w - page["inner"][0], 2)
    above = h - page["inner"][1] - edge
    if rest or not 0 <= edge < 20 or not 0 < above < 200:
        return None
    left, top = left + edge, top + above
    shifted = {name: [page[name][0] + left, page[name][1] + top, *page[name][2:]]
               for name in ("a", "b", "submit", "canvas")}
    return dict(window=number, **shifted)


def prepare():
    """Opens the second window beside the first and prints "ready"."""
    rest, unfocused, second, moves = Rest(), Rest(), None, 0
    while not over.wait(0.05):
        windows = [screen.titled(f"form {number}") for number in (1, 2)]
        if not second and windows[0] and 1 in layouts:
            second = browse(2)
        if None in windows:
            continue
        focused = screen.focused(windows[0]) and layouts[1]["focused"]
        if unfocused.reached(None if focused or len(layouts) < 2 else True):
            screen.activate(windows[0])
            unfocused = Rest()
        found = [layout(number, window) for number, window in zip((1, 2), windows)]
        if not rest.reached(None if None in found or not focused else found):
            continue
        one, two = (screen.geometry(window) for window in windows)
        if two[0] < one[0] + one[2] and moves < 3:
            # Chromium places a second window over the first.
            screen.move(windows[1], X + W + 40, Y, W, H)
            moves, rest = moves + 1, Rest()
            continue
        say("ready", windows=found, port=server.server_port)
        return


over = threading.Event()
for number in signal.SIGTERM, signal.SIGINT, signal.SIGHUP:
    signal.signal(number, end)
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
profile = tempfile.mkdtemp(prefix="form-")
# The frame is the window manager's. Nothing is loaded before it is requested.
os.mkdir(os.path.join(profile, "Default"))
with open(os.path.join(profile, "Default", "Preferences"), "w") as preferences:
    json.dump({"browser": {"custom_chrome_frame": False}, "net": {"network_prediction_options": 2},
               "search": {"suggest_enabled": False}}, preferences)
screen = Screen()
browser = browse(1)
commands(clear, end)
threading.Thread(target=lambda: (browser.wait(), end()), daemon=True).start()
prepare()
over.wait()
for number in signal.SIGTERM, signal.SIGKILL:
    try:
        os.killpg(browser.pid, number)
        browser.wait(5)
    except (ProcessLookupError, subprocess.TimeoutExpired):
        pass
shutil.rmtree(profile, ignore_errors=True)
os._exit(0)
