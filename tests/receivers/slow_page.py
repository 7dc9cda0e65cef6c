#!/usr/bin/python3
# For tests: a page in Chromium with two buttons. "once" asks the server, which answers
# after 700 ms; "twice" asks twice for 250 ms each. Once the page has shown the answer,
# the button's name is printed. Usage: slow_page.py
import http.server
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from receiver import say, until_abandoned

PAGE = b"""<!DOCTYPE html><meta charset=utf-8><title>slow</title><body style="margin:0">
<button id=once style="position:absolute;left:20px;top:20px;width:200px;height:50px">once</button>
<button id=twice style="position:absolute;left:20px;top:120px;width:200px;height:50px">twice</button>
<div id=out style="position:absolute;left:300px;top:20px;width:300px;height:300px;background:#ddd"></div>
<script>
const shown = name => { out.textContent += name; out.style.background = "#8c8";
  requestAnimationFrame(() => requestAnimationFrame(() => fetch("/shown/" + name, {method: "POST"}))); };
once.onclick = () => fetch("/700").then(() => shown("once"));
twice.onclick = () => fetch("/250").then(() => fetch("/250")).then(() => shown("twice"));
const place = e => { const r = e.getBoundingClientRect(), edge = (outerWidth - innerWidth) / 2;
  return [screenX + edge + r.x + r.width / 2, screenY + outerHeight - innerHeight - edge + r.y + r.height / 2].map(Math.round); };
setTimeout(() => fetch("/ready", {method: "POST", body: JSON.stringify({once: place(once), twice: place(twice)})}), 1500);
</script>"""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, body=b""):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path[1:].isdigit():
            time.sleep(int(self.path[1:]) / 1000)
        self.answer(PAGE if self.path == "/" else b"answer")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        if self.path == "/ready":
            say("ready", **json.loads(body))
        else:
            say(self.path.rsplit("/", 1)[1])
        self.answer()

    def log_message(self, *_):
        pass


def end():
    for number in signal.SIGTERM, signal.SIGKILL:
        try:
            os.killpg(browser.pid, number)
            browser.wait(5)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            pass
    shutil.rmtree(profile, ignore_errors=True)
    os._exit(0)


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
profile = tempfile.mkdtemp(prefix="receiver-")
browser = subprocess.Popen(
    ["chromium", "--no-sandbox", "--disable-gpu", "--test-type", "--no-first-run", "--no-default-browser-check",
     "--disable-background-networking", "--disable-component-update", "--disable-sync", "--password-store=basic",
     "--force-device-scale-factor=1", "--ozone-platform=x11", f"--user-data-dir={profile}",
     "--window-position=60,60", "--window-size=800,600", f"--app=http://127.0.0.1:{server.server_port}/"],
    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
until_abandoned(end)
browser.wait()
end()
