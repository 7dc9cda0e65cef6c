#!/usr/bin/python3
# For tests: starts an input method on a D-Bus session bus of its own, and prints
# "ready" with the environment that programs need to use it. The input method
# passes on the keys of the layout. Usage: input_method.py ibus|fcitx5
import os
import signal
import subprocess
import sys
import tempfile
import time
from receiver import say
from text_receiver import Program, commands

METHOD = sys.argv[1]
folder = tempfile.mkdtemp(prefix="receiver-")
bus = "unix:path=" + os.path.join(folder, "bus")
env = {**os.environ, "XDG_CONFIG_HOME": os.path.join(folder, "config"), "XDG_CACHE_HOME": os.path.join(folder, "cache"),
       "XDG_DATA_HOME": os.path.join(folder, "data"), "XDG_RUNTIME_DIR": folder,
       "DBUS_SESSION_BUS_ADDRESS": bus, "GSETTINGS_BACKEND": "memory"}
quiet = dict(stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
OF = {"ibus": "ibus", "fcitx5": "fcitx"}
COMMANDS = {"ibus": ["ibus-daemon", "--xim", "--panel=disable", "--emoji-extension=disable"],
            "fcitx5": ["fcitx5", "--disable=wayland,notifications,kimpanel"]}


def answer(*command):
    """Returns what a command prints, or nothing if it fails."""
    done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return done.stdout.decode().strip() if done.returncode == 0 else ""


def wait(condition):
    until = time.monotonic() + 30
    while not (found := condition()):
        if time.monotonic() > until:
            sys.exit(f"{METHOD} does not answer")
        time.sleep(0.05)
    return found


daemon = Program(["dbus-daemon", "--session", "--nofork", "--nopidfile", f"--address={bus}"], folder, env=env, **quiet)
wait(lambda: os.path.exists(os.path.join(folder, "bus")))
method = Program(COMMANDS[METHOD], folder, env=env, **quiet)


def end(*_):
    method.stop()
    daemon.end()


for number in signal.SIGTERM, signal.SIGINT, signal.SIGHUP:
    signal.signal(number, end)
commands(lambda: None, end)
programs = {"DBUS_SESSION_BUS_ADDRESS": bus, "GTK_IM_MODULE": OF[METHOD], "QT_IM_MODULE": OF[METHOD],
            "XMODIFIERS": f"@im={OF[METHOD]}", "GLFW_IM_MODULE": "ibus",  # of kitty: fcitx5 also answers as IBus
            "XDG_RUNTIME_DIR": folder, "XDG_CONFIG_HOME": env["XDG_CONFIG_HOME"]}  # where Qt looks for the address of IBus
if METHOD == "ibus":
    # Programs find the address in a file. IBUS_ADDRESS is not set, since kitty takes it for the name of that file.
    wait(lambda: answer("ibus", "address").startswith("unix:"))
    wait(lambda: answer("ibus", "engine", "xkb:us::eng") or answer("ibus", "engine") == "xkb:us::eng")
else:
    wait(lambda: answer("fcitx5-remote") in ("0", "1", "2"))
say("ready", environment=programs)
method.process.wait()
end()
