#!/usr/bin/python3
# For tests: a GTK 3 dialog with the button "Don't Save" and its mnemonic; it prints
# "closed" once its window has gone from the screen. Usage: mnemonic.py
import os

os.environ["GDK_BACKEND"] = "x11"
os.environ["NO_AT_BRIDGE"] = "1"
import gi

gi.require_version("Gtk", "3.0")
from gi.repository import GLib, Gtk
from receiver import say, until_abandoned


def ready():
    if dialog.has_toplevel_focus():
        say("ready")
    else:
        dialog.get_window().focus(0)
        GLib.timeout_add(20, ready)


def answered(*_):
    dialog.hide()
    GLib.idle_add(say, "closed")


until_abandoned()
dialog = Gtk.MessageDialog(text="Save changes?")
dialog.add_buttons("_Cancel", 1, "_Don't Save", 2, "_Save", 3)
dialog.connect("response", answered)
dialog.show_all()
GLib.timeout_add(300, ready)
Gtk.main()
