#!/usr/bin/python3
"""Tests the image as it is shipped: under runc in several shapes, under gVisor, and the
Debian package under systemd as PID 1. Pictures and logs land in target/image/test.

    test.py [short] [NAME…]     NAME: only tests whose name contains it

Wants localhost/deskd:dev (`make image`) and target/debian/*.deb (`make deb`); needs root.
"""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import traceback

ROOT = pathlib.Path(__file__).resolve().parents[1]
OUT = ROOT / "target/image/test"
IMAGE = "localhost/deskd:dev"
SHORT = "short" in sys.argv[1:]
ONLY = [word for word in sys.argv[1:] if word != "short"]
CHROMIUM = ["-u", "desktop", "-e", "XAUTHORITY=/run/deskd/desktop-X0/Xauthority", "-e", "HOME=/home/desktop"]

TESTS = []


def test(function):
    TESTS.append(function)
    return function


def run(*words, check=True, timeout=180, **more):
    """Runs a command; its standard output."""
    done = subprocess.run(
        [str(word) for word in words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        timeout=timeout, **more,
    )
    if check and done.returncode != 0:
        said = (done.stderr + done.stdout).decode(errors="replace").strip()
        raise AssertionError(f"{' '.join(map(str, words))}: exit {done.returncode}: {said[-2000:]}")
    return done.stdout if check else done


def until(what, seconds, probe):
    """Asks until there is an answer."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = probe()
        if answer:
            return answer
        time.sleep(0.1)
    raise AssertionError(f"{what}: not within {seconds} s")


class Box:
    """A container of the image, gone at the end."""

    def __init__(self, *options, image=IMAGE, command=(), runtime=("--runtime", "runc"), network="none"):
        self.name = f"deskd-test-{os.getpid()}-{time.monotonic_ns()}"
        self.began = time.time()
        run(
            "podman", *runtime, "run", "-d", "--no-healthcheck", "--name", self.name,
            f"--network={network}", *options, image, *command,
        )

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind:
            (OUT / "failed.log").write_text(self.log())
            print(f"  log of the container: {OUT / 'failed.log'}")
        run("podman", "rm", "-f", "-t", "2", self.name, check=False)

    def log(self):
        done = run("podman", "logs", self.name, check=False)
        return (done.stdout + done.stderr).decode(errors="replace")

    def exec(self, *words, options=(), **more):
        return run("podman", "exec", *options, self.name, *words, **more)

    def deskd(self, *words, **more):
        return self.exec("deskd", *words, **more)

    def json(self, *words):
        return json.loads(self.deskd(*words, "--json"))

    def ready(self, seconds=90):
        # Until the container's daemon answers at all.
        def answers():
            done = self.deskd("ready", "--timeout", f"{seconds}s", check=False, timeout=seconds + 30)
            if done.returncode == 5 or b"state improper" in done.stderr:
                return None
            return done
        done = until("an answer", 20, answers)
        assert done.returncode == 0, (done.stdout + done.stderr).decode()
        return time.time()

    def picture(self, name):
        path = OUT / f"{name}.png"
        path.write_bytes(self.deskd("screenshot", "-o", "-", options=()))
        return path

    def daemon(self):
        """The daemon's process in the container."""
        listed = self.exec("sh", "-c", "grep -lz -- --supervised /proc/[0-9]*/cmdline; true").decode()
        pids = [int(re.search(r"\d+", line)[0]) for line in listed.split()]
        own = [pid for pid in pids if self.exec("cat", f"/proc/{pid}/comm", check=False).stdout == b"deskd\n"]
        return own[0] if own else None


def pixels(path):
    from PIL import Image

    return Image.open(path).convert("RGB")


def differing(one, other, box):
    """The share of pixels in a box that differ by more than 24 levels."""
    from PIL import ImageChops

    parts = [picture.crop(box) for picture in (one, other)]
    channels = ImageChops.difference(*parts).split()
    worst = ImageChops.lighter(ImageChops.lighter(*channels[:2]), channels[2])
    counts = worst.histogram()
    return sum(counts[25:]) / sum(counts)


# Regions of the default desktop: the panel without its clock, the dock, the icons, and
# wallpaper between.
REGIONS = {
    "panel": (0, 0, 960, 27),
    "dock": (487, 751, 793, 800),
    "icons": (0, 30, 130, 240),
    "wallpaper": (400, 300, 900, 600),
}


def is_whole(early, final):
    """Which regions of an early frame are not as they are at last."""
    return [name for name, box in REGIONS.items() if differing(early, final, box) > 0.02]


@test
def layer_of_deskd_is_small():
    """≤ 15 MiB"""
    history = json.loads(run("podman", "image", "history", "--format", "json", IMAGE))
    layer = max(
        entry["size"] for entry in history
        if "COPY" in entry["CreatedBy"] and "multi:" not in entry["CreatedBy"]
    )
    binary = (ROOT / "target/image/deskd").stat().st_size
    assert binary <= layer <= binary + 8192, (layer, binary)
    assert layer <= 15 << 20, f"{layer / (1 << 20):.2f} MiB"
    return f"{layer / (1 << 20):.2f} MiB"


@test
def runc_boots_to_ready_soon_after_its_paint():
    """READY 2 s after the panel's first picture, which XFCE still mends; SIGTERM ends it with 0."""
    late = []
    for boot in range(1 if SHORT else 5):
        with Box() as box:
            seen = []

            def watch():
                words = ["podman", "exec", box.name, "deskd", "watch", "--unproved", "--json"]
                words += ["--no-cursor", "--fps", "20", "--format", "jpeg", "--for", "30s"]
                child = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
                box.watcher = child
                for line in child.stdout:
                    # Screens only: a card stands for none.
                    if b"FAILURE_CARD" not in line:
                        seen.append(time.time())

            until("a daemon", 20, lambda: box.deskd("info", check=False).returncode == 0)
            watcher = threading.Thread(target=watch)
            watcher.start()
            ready = box.ready()
            painted = max(moment for moment in seen if moment < ready)
            box.watcher.terminate()
            watcher.join()
            late.append((ready - box.began, ready - painted))
            if boot == 0:
                box.picture("runc")
                info = box.json("info")
                assert info["captureMode"] == "CAPTURE_MODE_SHM_FD", info
                assert info["isolation"] == "ISOLATION_USER", info
                began = time.monotonic()
                run("podman", "stop", "-t", "20", box.name)
                took = time.monotonic() - began
                code = run("podman", "inspect", "--format", "{{.State.ExitCode}}", box.name).decode().strip()
                assert code == "0", f"SIGTERM: exit {code}: {box.log()[-500:]}"
                assert took < 15, f"SIGTERM: {took:.1f} s"
    worst = max(delay for _, delay in late)
    # The figure is 2 s and 0.6 s; of the latter a test's own bound is three times that.
    assert worst <= 2 + 1.8, late
    starts = ", ".join(f"{start:.1f} (paint + {delay:.2f})" for start, delay in late)
    return f"READY after {starts} s; stopped in {took:.1f} s with 0"


@test
def runc_with_a_read_only_root():
    tmpfs = ["--tmpfs", "/home/desktop"]
    with Box("--read-only", *tmpfs) as box:
        box.ready()
        box.picture("read-only")
        done = box.exec("touch", "/usr/x", check=False)
        assert done.returncode != 0
        box.deskd("click", "640", "400")


@test
def the_pod_is_what_kubernetes_takes():
    """By the schemas of its API, which refuse unknown fields, too."""
    library = OUT / "python"
    # The program that has pip need not be the one that runs this.
    run(
        "python3", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--upgrade",
        "--target", library, "kubernetes-validate==1.37.0",
    )
    where = {**os.environ, "PYTHONPATH": str(library)}

    def validate(path):
        words = ["python3", "-m", "kubernetes_validate", "--strict", path]
        return run(*words, check=False, env=where)

    manifest = ROOT / "image/kubernetes.yaml"
    good = validate(manifest)
    said = (good.stdout + good.stderr).decode()
    assert good.returncode == 0 and said.count("passed") == 2, said
    wrong = OUT / "wrong.yaml"
    wrong.write_text(manifest.read_text().replace("readinessProbe", "readynessProbe"))
    assert validate(wrong).returncode != 0, "a wrong field passes"
    return said.splitlines()[0].rsplit("/", 1)[-1]


@test
def runc_as_kubernetes_starts_it():
    """image/kubernetes.yaml's security context: few capabilities, read-only, a secret."""
    folder = OUT / "secret"
    folder.mkdir(exist_ok=True)
    token = folder / "token"
    token.write_text("0123456789abcdef0123456789abcdef")
    os.chown(token, 0, 990)
    token.chmod(0o440)
    text = (ROOT / "image/kubernetes.yaml").read_text()
    added = re.search(r"add: \[(.*)\]", text)[1].replace('"', "").split(", ")
    options = ["--read-only", "--cap-drop=all", *(f"--cap-add={name}" for name in added)]
    options += ["--security-opt", "no-new-privileges", "-v", f"{folder}:/run/secrets/deskd:ro"]
    for mount in ("/run/deskd:mode=2775", "/home/desktop:mode=0777", "/tmp:mode=1777"):
        options += ["--tmpfs", mount]
    options += ["-e", "DESKD_TOKEN_FILE=/run/secrets/deskd/token", "-e", "DESKD_METRICS=0.0.0.0:9464"]
    options += ["-e", "DESKD_LISTEN=unix:/run/deskd/deskd.sock,0.0.0.0:50051"]
    with Box(*options) as box:
        box.ready()
        assert box.json("info")["isolation"] == "ISOLATION_USER"
        box.deskd("click", "640", "400")
        stolen = box.exec("cat", "/run/secrets/deskd/token", options=["-u", "desktop"], check=False)
        assert stolen.returncode != 0
        read = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9464/metrics').read().decode())"
        metrics = box.exec("python3", "-c", read).decode()
        assert 'deskd_component_up{component="session"} 1' in metrics, metrics
        ready = float(re.search(r"deskd_ready_seconds\S* ([\d.]+)", metrics)[1])
        return f"deskd_ready_seconds {ready:.2f}"


@test
def runc_as_an_ordinary_user():
    with Box("--user", "desktop", "-e", "XDG_RUNTIME_DIR=/tmp") as box:
        box.ready()
        box.picture("ordinary-user")
        info = box.json("info")
        assert info["isolation"] == "ISOLATION_NONE", info
        box.deskd("type", "hello", check=False)


@test
def chromium_with_64_mib_of_shared_memory():
    page = "data:text/html,<body style='margin:0;background:rgb(30,144,255)'><h1>deskd</h1>"
    with Box("--shm-size", "64m") as box:
        box.ready()
        box.exec("chromium", "--new-window", "--start-maximized", page, options=["-d", *CHROMIUM])

        def is_blue():
            raw = box.deskd("screenshot", "--format", "raw", "--region", "640,500,2,2", "-o", "-")
            return raw == bytes([255, 144, 30, 255]) * 4
        until("the page", 60, is_blue)
        box.picture("chromium")


@test
def init_reaps_restarts_and_is_upgraded():
    """0 zombies after 1,000 launches; the daemon killed, and replaced by another file."""
    with Box() as box:
        box.ready()
        box.exec("sh", "-c", "for i in $(seq 1000); do (sleep 0.01 &); done")
        time.sleep(1)
        zombies = box.exec("sh", "-c", "grep -l '^State:.Z' /proc/[0-9]*/status | wc -l")
        assert zombies.strip() == b"0", zombies
        before = box.json("info")

        def another(instance):
            done = box.deskd("info", "--json", check=False)
            info = json.loads(done.stdout) if done.returncode == 0 else {}
            return info if info.get("connected") and info["instanceId"] != instance else None

        took = []
        for how in ("KILL", "TERM"):
            if how == "TERM":
                # As a package manager does: beside, then over.
                run("podman", "cp", ROOT / "target/image/deskd", f"{box.name}:/usr/bin/deskd.new")
                box.exec("mv", "/usr/bin/deskd.new", "/usr/bin/deskd")
            began = time.monotonic()
            box.exec("kill", f"-{how}", box.daemon())
            after = until("the next daemon", 10, lambda: another(before["instanceId"]))
            took.append(time.monotonic() - began)
            assert after["serverGeneration"] == before["serverGeneration"]
            frame = box.deskd("screenshot", "-o", "/tmp/x.png", check=False)
            assert frame.returncode == 0, frame.stderr
            before = after
        # From outside: in the box nobody may look into the daemon.
        listed = run("podman", "top", box.name, "hpid", "args").decode().splitlines()
        outside = next(line.split()[0] for line in listed if "--supervised" in line)
        program = os.readlink(f"/proc/{outside}/exe")
        assert "deleted" not in program, program
        assert max(took) < 15, took
        run("podman", "restart", "-t", "10", box.name)
        box.ready()
        return f"killed, serves after {took[0]:.1f} s; upgraded, after {took[1]:.1f} s"


@test
def healthcheck_is_the_paint():
    with Box("--entrypoint", "sleep", command=["infinity"]) as box:
        words = json.loads(run("podman", "image", "inspect", IMAGE))[0]["Healthcheck"]["Test"]
        assert words[:3] == ["CMD", "deskd", "ready"], words
        # Without a daemon it fails, and says why.
        assert box.exec(*words[1:], check=False).returncode == 5
    with Box() as box:
        box.ready()
        box.exec(*words[1:])


@test
def workers_reach_it_through_exec_and_by_tcp():
    libraries = ROOT / "target/examples/python"
    first = ROOT / "examples/python/first_frame.py"
    environment = {**os.environ, "PYTHONPATH": str(libraries), "PYTHONDONTWRITEBYTECODE": "1"}
    folder = OUT / "worker"
    folder.mkdir(exist_ok=True)
    token = folder / "token"
    token.write_text("0123456789abcdef0123456789abcdef")
    token.chmod(0o644)
    listen = "unix:/run/deskd/deskd.sock,127.0.0.1:50951"
    options = ["-v", f"{token}:/run/token:ro", "-e", "DESKD_TOKEN_FILE=/run/token", "-e", f"DESKD_LISTEN={listen}"]
    with Box(*options, network="host") as box:
        box.ready()
        said = [run("python3", first, "127.0.0.1:50951", cwd=folder, env={**environment, "DESKD_TOKEN_FILE": str(token)})]
        command = ["python3", ROOT / "examples/python/bridge.py", "127.0.0.1:0"]
        command += ["podman", "exec", "-i", box.name, "deskd", "bridge"]
        bridge = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, env=environment)
        try:
            port = bridge.stdout.readline().decode().strip().rsplit(":", 1)[1]
            said.append(run("python3", first, f"127.0.0.1:{port}", cwd=folder, env=environment))
        finally:
            bridge.terminate()
            bridge.wait()
    return "; ".join(line.decode().strip() for line in said)


VIEWER_PROBE = r"""
import base64, os, socket, urllib.request
page = urllib.request.urlopen("http://127.0.0.1:6080/vnc.html", timeout=10).read()
assert b"noVNC" in page
s = socket.create_connection(("127.0.0.1", 6080), 10)
key = base64.b64encode(os.urandom(16)).decode()
s.sendall(("GET /websockify HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
  f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: binary\r\n\r\n").encode())
data = b""
while b"RFB" not in data:
    more = s.recv(4096)
    assert more, data
    data += more
assert b" 101 " in data.split(b"\r\n")[0], data
banner = data[data.index(b"RFB"):][:12]
v = socket.create_connection(("127.0.0.1", 5900), 10)
assert v.recv(12) == banner
v.sendall(banner)
count = v.recv(1)[0]
kinds = list(v.recv(count))
assert kinds and 1 not in kinds, f"somebody without the password is let in: {kinds}"
print(len(page), banner.decode().strip(), kinds)
"""


@test
def viewer_page_socket_and_banner():
    """noVNC's page, its WebSocket, RFB's banner; nobody without the password (R53)."""
    image = "localhost/deskd:viewer"
    run(ROOT / "image/build.sh", image, env={**os.environ, "VIEWER": "1"}, timeout=600)
    with Box("-e", "DESKD_VNC=true", image=image) as box:
        box.ready()
        box.picture("viewer")

        def probe():
            done = box.exec("python3", "-c", VIEWER_PROBE, check=False)
            return done.stdout.decode().strip() if done.returncode == 0 else None
        return until("the viewer", 20, probe)


SEED = r"""
set -e
Xvfb :0 -ac -screen 0 1280x800x24 -dpi 96 -nolisten tcp -nolisten unix &
for i in $(seq 100); do setxkbmap -display :0 us 2>/dev/null && break; sleep 0.1; done
deskd seed-home
dbus-launch --exit-with-session startxfce4 &
x11vnc -display :0 -forever -shared -wait 50 -nopw -noxdamage -rfbport 5900 -bg -quiet
websockify --web /usr/share/novnc 6080 127.0.0.1:5900 &
wait
"""


@test
def seed_image_with_its_own_desktop():
    """An image that brings its desktop up the older way: attaches, proves, acts."""
    image = "localhost/deskd:viewer"
    variables = ["DESKTOP_W=1280", "DESKTOP_H=800", "DESKTOP_DPI=96", "STREAM_PORT=6080", "HOME=/root", "DISPLAY=:0"]
    options = [word for variable in variables for word in ("-e", variable)]
    with Box(*options, "--entrypoint", "sh", image=image, command=["-c", SEED]) as box:
        until("the X server", 20, lambda: b"Xvfb" in box.exec("sh", "-c", "cat /proc/[0-9]*/comm; true"))
        box.exec("deskd", "serve", "--profile", "xfce", options=["-d"])
        until("the daemon", 20, lambda: box.deskd("info", check=False).returncode == 0)
        lines = box.deskd("up", "--timeout", "90s", timeout=120).decode().strip().splitlines()
        assert lines[-1] == "OPENGENI_DESKTOP_UP port=6080 geometry=1280x800 dpi=96", lines
        info = box.json("info")
        assert info["displaySocket"] == "DISPLAY_SOCKET_ABSTRACT", info
        box.deskd("click", "640", "400")
        early = pixels(box.picture("seed"))
        time.sleep(5)
        missing = is_whole(early, pixels(box.picture("seed-later")))
        assert not missing, missing
        return lines[-1]


# gVisor's close_range refuses the largest number, so that GLib starts no child.
CLOSE_RANGE = """
#define _GNU_SOURCE
#include <unistd.h>
#include <sys/syscall.h>
int close_range(unsigned a, unsigned b, int f) { return syscall(SYS_close_range, a, b > 0x7fffffff ? 0x7fffffff : b, f); }
"""


def runsc():
    """The runtime's options for podman; fetched as a Debian package."""
    found = OUT / "runsc"
    if not found.exists():
        folder = OUT / "runsc-package"
        folder.mkdir(exist_ok=True)
        sources = OUT / "trixie"
        sources.mkdir(exist_ok=True)
        text = (ROOT / "target/image/debian.sources").read_text()
        (sources / "debian.sources").write_text(text)
        (sources / "lists").mkdir(exist_ok=True)
        apt = ["-o", f"Dir::Etc::SourceList=/dev/null", "-o", f"Dir::Etc::SourceParts={sources}"]
        apt += ["-o", f"Dir::State::Lists={sources / 'lists'}", "-o", f"Dir::Cache={sources}"]
        run("apt-get", *apt, "update", timeout=300)
        run("apt-get", *apt, "download", "runsc", cwd=folder, timeout=300)
        run("dpkg-deb", "-x", next(folder.glob("runsc_*.deb")), folder)
        shutil.copy(next(folder.glob("usr/bin/runsc")), found)
    flags = ("platform=systrap", "ignore-cgroups", "network=none")
    return ["--runtime", str(found), *(f"--runtime-flag={flag}" for flag in flags)]


@test
def gvisor_boots_without_an_early_ready():
    """Cold boots under runsc: 0 early READY; SHM; input; SIGTERM."""
    library = OUT / "close_range.so"
    (OUT / "close_range.c").write_text(CLOSE_RANGE)
    run("gcc", "-shared", "-fPIC", "-o", library, OUT / "close_range.c")
    (OUT / "ld.so.preload").write_text("/usr/lib/close_range.so\n")
    mounts = ["-v", f"{library}:/usr/lib/close_range.so:ro", "-v", f"{OUT / 'ld.so.preload'}:/etc/ld.so.preload:ro"]
    runtime = runsc()
    boots, modes = [], set()
    for boot in range(2 if SHORT else 10):
        with Box(*mounts, runtime=runtime) as box:
            ready = box.ready(180)
            early = pixels(box.picture(f"gvisor-{boot}"))
            info = box.json("info")
            modes.add(info["captureMode"])
            if boot == 0:
                box.deskd("click", "640", "400", "--deadline", "30s")
            time.sleep(8)
            missing = is_whole(early, pixels(box.picture("gvisor-later")))
            assert not missing, f"boot {boot}: READY without {missing}"
            boots.append(ready - box.began)
            began = time.monotonic()
            run("podman", *runtime, "stop", "-t", "30", box.name, check=False)
            stopped = time.monotonic() - began
    assert modes <= {"CAPTURE_MODE_SHM_FD", "CAPTURE_MODE_SHM_SYSV"}, modes
    times = ", ".join(f"{seconds:.1f}" for seconds in boots)
    return f"{len(boots)} boots, none early: READY after {times} s; {'/'.join(modes)}; stopped in {stopped:.1f} s"


@test
def units_are_valid_and_hardened():
    """systemd-analyze verify is silent; security ≤ 2.0."""
    units = sorted((ROOT / "systemd").glob("*.service"))
    with Box("--entrypoint", "sleep", image=systemd_image(), command=["infinity"]) as box:
        names = [f"/usr/lib/systemd/system/{unit.name}" for unit in units]
        done = box.exec("systemd-analyze", "verify", "--man=no", *names, check=False)
        said = (done.stdout + done.stderr).decode()
        assert done.returncode == 0 and "deskd" not in said, said
        scores = []
        for unit in units:
            words = ["systemd-analyze", "security", "--offline=true", "--no-pager", f"/usr/lib/systemd/system/{unit.name}"]
            table = box.exec(*words, check=False).stdout.decode()
            (OUT / f"security-{unit.stem}.txt").write_text(table)
            score = re.search(r"Overall exposure level for \S+: ([\d.]+)", table)
            scores.append((unit.name, float(score[1])))
        assert dict(scores)["deskd.service"] <= 2.0, scores
    return ", ".join(f"{name} {score}" for name, score in scores)


def systemd_image():
    """The image with systemd and the Debian package, in place of the binary."""
    tag = "localhost/deskd:systemd"
    package = max((ROOT / "target/debian").glob("deskd_*.deb"), key=lambda path: path.stat().st_mtime)
    context = OUT / "systemd"
    context.mkdir(exist_ok=True)
    shutil.copy(package, context / "deskd.deb")
    (context / "check.service").write_text(
        "[Unit]\nAfter=dbus.service systemd-journald.service\n"
        "SuccessAction=poweroff-force\nFailureAction=poweroff-force\n"
        "[Service]\nType=oneshot\nExecStart=/out/check.sh\nTimeoutStartSec=240\n"
        "[Install]\nWantedBy=multi-user.target\n"
    )
    (context / "Dockerfile").write_text(
        f"FROM {IMAGE}\n"
        "COPY deskd.deb /opt/deskd.deb\n"
        "RUN rm -f /usr/bin/deskd && userdel deskd; userdel desktop; rm -rf /home/desktop\n"
        "RUN apt-get update && apt-get install -y --no-install-recommends systemd systemd-sysv "
        "&& apt-get install -y --no-install-recommends /opt/deskd.deb && rm -rf /var/lib/apt/lists/*\n"
        "COPY check.service /etc/systemd/system/\n"
        "RUN systemctl enable check.service\n"
    )
    mount = []
    sources = ROOT / "target/image/debian.sources"
    done = run("podman", "run", "--rm", "--network=none", "--entrypoint", "test", IMAGE, "-s",
               "/etc/apt/sources.list.d/debian.sources", check=False)
    if done.returncode != 0:
        mount = ["-v", f"{sources}:/etc/apt/sources.list.d/debian.sources:ro"]
    run("buildah", "build", "--format", "docker", "--isolation", "chroot", "--pull=never", "--layers",
        *mount, "-t", tag, context, timeout=600)
    return tag


CHECKS = r"""#!/bin/bash
# Run by systemd as a oneshot; each line is a finding.
exec > /out/systemd.txt 2>&1
set -x
export DESKD_SERVER=unix:/run/deskd/deskd.sock
fact() { systemctl show -P "$2" "$1"; }
systemctl start deskd-desktop.target
# Tries a command until it does; its last exit code.
within_10_s() { for i in $(seq 100); do "$@"; local code=$?; [ $code = 0 ] && return; sleep 0.1; done; return $code; }

deskd ready --timeout 90s || { journalctl -u 'deskd*' --no-pager | tail -60; exit 1; }
deskd screenshot -o /out/systemd.png
deskd info --json > /out/info.json
echo "STATUS $(fact deskd StatusText)"
echo "TYPE $(fact deskd Type) WATCHDOG $(fact deskd WatchdogUSec)"

# Programs start as the desktop's user, in its session.
id=$(deskd run -- sh -c 'id -un; test -n "$DBUS_SESSION_BUS_ADDRESS" && echo bus' | cut -d' ' -f1); sleep 1
echo "PROGRAM $(deskd programs --output "$id" | tr '\n' ' ')"
deskd run --wait-window --timeout 60s -- xterm; echo "PROGRAM_WINDOW $?"
runuser -u desktop -- deskd run -- true; echo "PROGRAM stolen $?"

# Killed: it is back, on the same proved display.
before=$(fact deskd MainPID); kill -9 "$before"
within_10_s deskd screenshot -o /tmp/a.png; code=$?
echo "KILLED before $before after $(fact deskd MainPID) screenshot $code"

# A hung X server restarts nobody.
restarts=$(fact deskd NRestarts)
kill -STOP "$(fact deskd-xvfb MainPID)"; sleep 20
echo "HUNG_X restarts $restarts $(fact deskd NRestarts)"
kill -CONT "$(fact deskd-xvfb MainPID)"; sleep 1

# A hung daemon does.
kill -STOP "$(fact deskd MainPID)"
for i in $(seq 60); do [ "$(fact deskd NRestarts)" != "$restarts" ] && break; sleep 0.5; done
echo "WATCHDOG restarts $restarts $(fact deskd NRestarts)"
journalctl -u deskd --no-pager | grep -c "Watchdog timeout" | sed 's/^/WATCHDOG_LOG /'
within_10_s deskd screenshot -o /tmp/a.png; echo "AFTER_WATCHDOG $?"

# The X server killed: the session goes with it, and all comes back.
old=$(deskd info --json | grep -o '"serverGeneration":"[0-9a-f]*"')
kill -9 "$(fact deskd-xvfb MainPID)"; sleep 1
deskd ready --timeout 60s; echo "X_KILLED ready $?"
new=$(deskd info --json | grep -o '"serverGeneration":"[0-9a-f]*"')
[ "$old" != "$new" ] && echo "X_KILLED another generation"

# TCP with a token from a credential.
mkdir -p /etc/systemd/system/deskd.service.d
cp /usr/share/doc/deskd/tcp.conf /etc/systemd/system/deskd.service.d/
install -m 0600 /dev/null /etc/deskd/token; echo 0123456789abcdef0123456789abcdef > /etc/deskd/token
systemctl daemon-reload; systemctl restart deskd; echo "TCP restart $?"
deskd screenshot --server 127.0.0.1:50051 --token-file /etc/deskd/token -o /tmp/a.png; echo "TCP with $?"
deskd screenshot --server 127.0.0.1:50051 -o /tmp/a.png; echo "TCP without $?"
runuser -u desktop -- cat /run/credentials/deskd.service/token; echo "TCP stolen $?"
runuser -u desktop -- deskd info; echo "UNIX stolen $?"
grep -E '^(Cap(Eff|Bnd)|NoNewPrivs|Seccomp|Uid)' "/proc/$(fact deskd MainPID)/status"

# A package's upgrade: the desktop goes on.
xvfb=$(fact deskd-xvfb MainPID)
dpkg -i /opt/deskd.deb; echo "UPGRADE dpkg $?"
deskd screenshot -o /tmp/a.png; echo "UPGRADE screenshot $?"
[ "$xvfb" = "$(fact deskd-xvfb MainPID)" ] && echo "UPGRADE same desktop"

began=$(date +%s%N); systemctl stop deskd-desktop.target deskd deskd-session deskd-xvfb
echo "STOP $(( ($(date +%s%N) - began) / 1000000 )) ms $(fact deskd Result) $(pgrep -u desktop | wc -l)"
"""


@test
def systemd_as_first_process():
    """Notify, watchdog, restarts, credentials, upgrade."""
    tag = systemd_image()
    where = run("podman", "image", "mount", tag).decode().strip()
    out = OUT / "nspawn"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    (out / "check.sh").write_text(CHECKS)
    (out / "check.sh").chmod(0o755)
    try:
        run(
            "systemd-nspawn", "-q", "-D", where, "--volatile=overlay", "--register=no", "--keep-unit",
            "-b", "--private-network", f"--bind={out}:/out",
            stdin=subprocess.DEVNULL, timeout=300,
        )
    finally:
        run("podman", "image", "unmount", tag, check=False)
    text = (out / "systemd.txt").read_text()
    found = [line for line in text.splitlines() if re.match(r"[A-Z_]+ |Cap|Seccomp|NoNew|Uid", line)]
    facts = "\n".join(found)
    for wanted in (
        r"STATUS display :0, 1280x800, painted", r"TYPE notify WATCHDOG 15s",
        r"PROGRAM desktop bus", r"PROGRAM_WINDOW 0", r"PROGRAM stolen [1-9]",
        r"KILLED before (\d+) after (?!\1)\d+ screenshot 0", r"HUNG_X restarts (\d+) \1",
        r"WATCHDOG_LOG [1-9]", r"AFTER_WATCHDOG 0", r"X_KILLED ready 0", r"X_KILLED another generation",
        r"TCP restart 0", r"TCP with 0", r"TCP without 7", r"TCP stolen [1-9]", r"UNIX stolen [1-9]",
        r"CapEff:\s+0{16}", r"CapBnd:\s+0{16}", r"NoNewPrivs:\s+1", r"Seccomp:\s+2",
        r"UPGRADE dpkg 0", r"UPGRADE screenshot 0", r"UPGRADE same desktop", r"STOP \d+ ms success 0",
    ):
        assert re.search(wanted, facts), f"no {wanted!r} in\n{facts}\n… {text[-1500:]}"
    assert not re.search(r"WATCHDOG restarts (\d+) \1$", facts, re.M), facts
    shutil.copy(out / "systemd.png", OUT / "systemd.png")
    return re.search(r"STOP.*", facts)[0].lower()


def main():
    if os.geteuid() != 0:
        sys.exit("image-test needs root: podman, nspawn and runsc start other users' programs")
    OUT.mkdir(parents=True, exist_ok=True)
    # Some machines give less than podman asks for.
    conf = OUT / "containers.conf"
    conf.write_text('[containers]\ndefault_ulimits=["nofile=20000:20000","nproc=32768:32768"]\n')
    os.environ["CONTAINERS_CONF"] = str(conf)
    passed, failed = 0, 0
    for function in TESTS:
        name = function.__name__
        if ONLY and not any(word in name for word in ONLY):
            continue
        began = time.monotonic()
        try:
            fact = function()
            passed += 1
            print(f"ok   {name} ({time.monotonic() - began:.0f} s){': ' + fact if fact else ''}", flush=True)
        except Exception as error:  # noqa: BLE001 (the next test still runs)
            failed += 1
            print(f"FAIL {name} ({time.monotonic() - began:.0f} s): {error}", flush=True)
            if not isinstance(error, AssertionError):
                traceback.print_exc()
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    # An interrupt ends the containers, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    main()
