#!/usr/bin/python3
# Receiver of text for tests: a GTK 4 text view. Usage: text_gtk4.py [X Y W H]
import os
import sys
import time

os.environ["GDK_BACKEND"] = "x11"
os.environ.setdefault("GSK_RENDERER", "cairo")
os.environ["GTK_A11Y"] = "none"
import gi

gi.require_version("Gtk", "4.0")
gi.require_version("GdkX11", "4.0")
from gi.repository import GdkX11, GLib, Gtk
from receiver import place, say
from text_receiver import REST, Screen, commands

X, Y, W, H = place(sys.argv[1:])
changed = None


def on_text(_):
    global changed
    changed = time.monotonic()


def tell_at_rest():
    global changed
    if changed and time.monotonic() - changed > REST / 1000:
        changed = None
        say("text", text=buffer.get_text(*buffer.get_bounds(), True))
    return True


def clear():
    global changed
    buffer.set_text("")
    changed = None
    say("cleared")


def on_paint(clock):
    clock.disconnect(painted)
    screen.put(xwindow, X, Y, W, H)
    screen.focus(xwindow)
    GLib.idle_add(ready)


def ready():
    if not window.is_active() or not text.has_focus():
        GLib.timeout_add(5, ready)
        return
    say("ready", **screen.at_rest(xwindow))


screen = Screen()
window = Gtk.Window(title="receiver", decorated=False, default_width=W, default_height=H)
text = Gtk.TextView()
buffer = text.get_buffer()
buffer.connect("changed", on_text)
window.set_child(Gtk.ScrolledWindow(child=text))
text.grab_focus()
window.realize()
xwindow = screen.window(window.get_surface().get_xid())
painted = window.get_frame_clock().connect("after-paint", on_paint)
loop = GLib.MainLoop()
window.connect("close-request", lambda _: loop.quit())
# When nothing else is to be done: a timer for each character takes longer than GTK does.
GLib.timeout_add(5, tell_at_rest, priority=GLib.PRIORITY_LOW)
commands(lambda: GLib.idle_add(clear))
window.present()
loop.run()
