#!/usr/bin/python3
# For tests: shows GTK 3's file chooser again and again, and prints the path that was
# chosen. Usage: chooser.py
import os

os.environ["GDK_BACKEND"] = "x11"
os.environ["NO_AT_BRIDGE"] = "1"
import gi

gi.require_version("Gtk", "3.0")
from gi.repository import GLib, Gtk
from receiver import say, until_abandoned


def ready(dialog):
    if dialog.is_active():
        # The list of files is read in the background.
        GLib.timeout_add(1200, say, "ready")
    else:
        dialog.get_window().focus(0)
        GLib.timeout_add(20, ready, dialog)


until_abandoned()
while True:
    dialog = Gtk.FileChooserDialog(title="chooser", action=Gtk.FileChooserAction.OPEN)
    dialog.add_buttons("Cancel", Gtk.ResponseType.CANCEL, "Open", Gtk.ResponseType.ACCEPT)
    dialog.set_default_response(Gtk.ResponseType.ACCEPT)
    dialog.connect("map", lambda it: GLib.timeout_add(50, ready, it) and None)
    answer = dialog.run()
    say("chosen", path=dialog.get_filename() if answer == Gtk.ResponseType.ACCEPT else None)
    dialog.destroy()
    while Gtk.events_pending():
        Gtk.main_iteration()
