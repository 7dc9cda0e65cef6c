#!/usr/bin/python3
# For tests: a GTK 3 field that reads its clipboard 4 s after the first Shift+Insert, and
# works until then. It prints "pasted" with its text when it has done all pastes.
# Usage: slow_paste.py
import os
import threading
import time

os.environ["GDK_BACKEND"] = "x11"
os.environ["NO_AT_BRIDGE"] = "1"
import gi

gi.require_version("Gdk", "3.0")
gi.require_version("Gtk", "3.0")
from gi.repository import Gdk, GLib, Gtk
from receiver import say, until_abandoned

chords = 0


def ready():
    if window.has_toplevel_focus():
        say("ready")
    else:
        window.get_window().focus(0)
        GLib.timeout_add(20, ready)


def work():
    until = time.monotonic() + 4
    while time.monotonic() < until:
        pass
    GLib.idle_add(paste)


def paste():
    clipboard = Gtk.Clipboard.get(Gdk.SELECTION_CLIPBOARD)
    for _ in range(chords):
        field.set_text(field.get_text() + (clipboard.wait_for_text() or ""))
    say("pasted", chords=chords, text=field.get_text())


def pressed(_, event):
    global chords
    if event.keyval != Gdk.KEY_Insert:
        return False
    chords += 1
    if chords == 1:
        threading.Thread(target=work, daemon=True).start()
    return True


until_abandoned()
window = Gtk.Window()
field = Gtk.Entry()
field.connect("key-press-event", pressed)
window.add(field)
window.show_all()
GLib.timeout_add(300, ready)
Gtk.main()
