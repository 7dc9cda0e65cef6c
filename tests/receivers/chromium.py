#!/usr/bin/python3
# Receiver for tests: starts Chromium with page.html and prints what input the
# page received. Usage: chromium.py [X Y W H]
import ctypes
import http.server
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from receiver import REST, place, say, until_abandoned

X, Y, W, H = place(sys.argv[1:])
PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "page.html")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # one connection for all reports

    def answer(self, code, body=b""):
        self.send_response(code)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path.startswith("/?"):
            with open(PAGE, "rb") as page:
                self.answer(200, page.read())
        else:
            self.answer(404)

    def do_POST(self):
        for report in json.loads(self.rfile.read(int(self.headers["Content-Length"]))):
            say(**report)
        self.answer(200)

    def log_message(self, *_):
        pass


def end(*_):
    over.set()


over = threading.Event()
for number in signal.SIGTERM, signal.SIGINT, signal.SIGHUP:
    signal.signal(number, end)
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
profile = tempfile.mkdtemp(prefix="receiver-")
# The frame is the window manager's: without one the page fills the window.
os.mkdir(os.path.join(profile, "Default"))
with open(os.path.join(profile, "Default", "Preferences"), "w") as preferences:
    json.dump({"browser": {"custom_chrome_frame": False}}, preferences)
libc = ctypes.CDLL(None)
browser = subprocess.Popen(
    ["chromium", "--no-sandbox", "--disable-gpu", "--test-type", "--no-first-run", "--no-default-browser-check",
     "--disable-background-networking", "--disable-component-update", "--disable-sync",
     "--disable-extensions", "--disable-breakpad", "--disable-translate", "--password-store=basic",
     "--disable-features=Translate,MediaRouter", "--force-device-scale-factor=1", "--ozone-platform=x11",
     f"--user-data-dir={profile}", f"--window-position={X},{Y}", f"--window-size={W},{H}",
     f"--app=http://127.0.0.1:{server.server_port}/?rest={REST}"],
    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    start_new_session=True,  # so that all its processes can be ended as one group
    preexec_fn=lambda: libc.prctl(1, signal.SIGTERM))  # PR_SET_PDEATHSIG: even if this is killed
until_abandoned(end)
threading.Thread(target=lambda: (browser.wait(), end()), daemon=True).start()
over.wait()
for number in signal.SIGTERM, signal.SIGKILL:
    try:
        os.killpg(browser.pid, number)
        browser.wait(5)
    except (ProcessLookupError, subprocess.TimeoutExpired):
        pass
shutil.rmtree(profile, ignore_errors=True)
os._exit(0)
