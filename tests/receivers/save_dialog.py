#!/usr/bin/python3
# For tests: a window with a button that opens the toolkit's dialog for saving. Prints where the
# button is, and the path that was chosen. Usage: save_dialog.py gtk|qt|tk FOLDER
import os
import sys

from receiver import say, until_abandoned

toolkit, folder = sys.argv[1:]
os.chdir(folder)
until_abandoned()


def gtk():
    os.environ["GDK_BACKEND"] = "x11"
    os.environ["NO_AT_BRIDGE"] = "1"
    import gi

    gi.require_version("Gtk", "3.0")
    from gi.repository import GLib, Gtk

    def save(_):
        dialog = Gtk.FileChooserDialog(title="Save As", action=Gtk.FileChooserAction.SAVE)
        dialog.set_transient_for(window)
        dialog.add_buttons("Cancel", Gtk.ResponseType.CANCEL, "Save", Gtk.ResponseType.ACCEPT)
        dialog.set_default_response(Gtk.ResponseType.ACCEPT)
        dialog.set_current_folder(folder)
        answer = dialog.run()
        say("saved", path=dialog.get_filename() if answer == Gtk.ResponseType.ACCEPT else None)
        dialog.destroy()

    def ready():
        _, x, y = button.get_window().get_origin()
        place = button.get_allocation()
        say("ready", x=x + place.x + place.width // 2, y=y + place.y + place.height // 2)

    window = Gtk.Window(title="Editor", default_width=300, default_height=100)
    button = Gtk.Button(label="Save")
    button.connect("clicked", save)
    window.add(button)
    window.show_all()
    GLib.timeout_add(500, ready)
    Gtk.main()


def qt():
    from PyQt5.QtCore import QPoint, QTimer
    from PyQt5.QtWidgets import QApplication, QFileDialog, QPushButton

    def save():
        options = QFileDialog.Option.DontUseNativeDialog
        path, _ = QFileDialog.getSaveFileName(button, "Save As", folder, options=options)
        say("saved", path=path or None)

    def ready():
        centre = button.mapToGlobal(QPoint(button.width() // 2, button.height() // 2))
        say("ready", x=centre.x(), y=centre.y())

    program = QApplication(["save_dialog"])
    button = QPushButton("Save")
    button.setWindowTitle("Editor")
    button.resize(300, 100)
    button.clicked.connect(save)
    button.show()
    QTimer.singleShot(500, ready)
    program.exec_()


def tk():
    import tkinter
    import tkinter.filedialog

    def save():
        path = tkinter.filedialog.asksaveasfilename(title="Save As", initialdir=folder)
        say("saved", path=path or None)

    def ready():
        x = button.winfo_rootx() + button.winfo_width() // 2
        say("ready", x=x, y=button.winfo_rooty() + button.winfo_height() // 2)

    window = tkinter.Tk()
    window.title("Editor")
    button = tkinter.Button(window, text="Save", width=30, height=4, command=save)
    button.pack()
    window.after(500, ready)
    window.mainloop()


{"gtk": gtk, "qt": qt, "tk": tk}[toolkit]()
