#!/usr/bin/python3
# Receiver of text for tests: a GTK 3 window with a VTE terminal, and the bytes
# that a program in it receives. Usage: text_vte.py [X Y W H]
import os
import shutil
import sys
import tempfile
import threading
import time

os.environ["GDK_BACKEND"] = "x11"
os.environ["NO_AT_BRIDGE"] = "1"
import gi

gi.require_version("Gtk", "3.0")
gi.require_version("Gdk", "3.0")
gi.require_version("GdkX11", "3.0")
gi.require_version("Vte", "2.91")
from gi.repository import Gdk, GdkX11, GLib, Gtk, Vte
from receiver import place, say
from text_receiver import Screen, bytes_of, inside

if sys.argv[1:2] == ["--inside"]:
    inside(sys.argv[2])
    sys.exit()

X, Y, W, H = place(sys.argv[1:])
folder = tempfile.mkdtemp(prefix="receiver-")
fifo = os.path.join(folder, "bytes")
os.mkfifo(fifo)


def end(*_):
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)  # the program in the terminal ends when its terminal is closed


def ready():
    screen = Screen()
    window_of_x = screen.window(number)
    screen.focus(window_of_x)
    while not window.has_toplevel_focus():
        time.sleep(0.02)
    say("ready", **screen.at_rest(window_of_x))


window = Gtk.Window(title="receiver", decorated=False)
window.set_default_size(W, H)
window.move(X, Y)
terminal = Vte.Terminal()
terminal.set_size(4, 2)  # so that the window may be of any size
window.add(terminal)
window.connect("destroy", end)
window.show_all()
window.resize(W, H)
terminal.grab_focus()
number = window.get_window().get_xid()
terminal.spawn_async(
    Vte.PtyFlags.DEFAULT, None, [sys.executable, os.path.abspath(__file__), "--inside", fifo],
    None, GLib.SpawnFlags.DEFAULT, None, None, -1, None, None)
threading.Thread(target=lambda: (bytes_of(fifo, ready, end), end()), daemon=True).start()
Gtk.main()
