#!/usr/bin/python3
# Form for tests: two GTK 3 windows, each with the fields "a" and "b", the button
# "submit" and a canvas. Ctrl+L selects field "a". Usage: form_gtk.py [X Y W H]
import os
import sys

os.environ["GDK_BACKEND"] = "x11"
os.environ["NO_AT_BRIDGE"] = "1"
import gi

gi.require_version("Gtk", "3.0")
gi.require_version("Gdk", "3.0")
gi.require_version("GdkX11", "3.0")
from gi.repository import Gdk, GdkX11, GLib, Gtk
from form import Rest, Screen, commands, place
from receiver import say

X, Y, W, H = place(sys.argv[1:])
M, T = Gdk.EventMask, Gdk.EventType


class Form:
    painted = False

    def __init__(self, number, x):
        self.number = number
        self.window = window = Gtk.Window(title=f"form {number}")
        # Only the first window takes the focus when it appears.
        window.set_focus_on_map(number == 1)
        window.set_default_size(W, H)
        window.move(x, Y)
        self.fields = {}
        for name in "a", "b":
            field = self.fields[name] = Gtk.Entry(width_chars=8, hexpand=True)
            field.connect("changed", lambda f, name=name: say("field", window=number, field=name, text=f.get_text()))
            field.connect("focus-in-event", lambda *_, name=name: say("focus", window=number, field=name))
        self.submit = Gtk.Button(label="submit")
        self.submit.connect("clicked", lambda _: say(
            "submit", window=number, **{name: f.get_text() for name, f in self.fields.items()}))
        self.canvas = Gtk.EventBox(name="canvas", vexpand=True)
        self.canvas.add_events(M.BUTTON_PRESS_MASK | M.BUTTON_RELEASE_MASK | M.BUTTON_MOTION_MASK)
        self.canvas.connect("button-press-event", self.on_press)
        self.canvas.connect("button-release-event", lambda _, e: self.mouse("release", e, button=e.button))
        self.canvas.connect("motion-notify-event", lambda _, e: self.mouse("motion", e, buttons=True))
        self.canvas.connect("realize", lambda c: c.get_window().set_event_compression(False))
        grid = Gtk.Grid(row_spacing=8, column_spacing=8, margin=8, column_homogeneous=True)
        grid.attach(self.fields["a"], 0, 0, 1, 1)
        grid.attach(self.fields["b"], 1, 0, 1, 1)
        grid.attach(self.submit, 0, 1, 2, 1)
        grid.attach(self.canvas, 0, 2, 2, 1)
        window.add(grid)
        keys = Gtk.AccelGroup()
        keys.connect(Gdk.KEY_l, Gdk.ModifierType.CONTROL_MASK, Gtk.AccelFlags.VISIBLE, self.on_accelerator)
        window.add_accel_group(keys)
        window.connect("destroy", lambda _: Gtk.main_quit())
        self.fields["a"].grab_focus()
        window.realize()
        self.clock = window.get_frame_clock()
        self.paint = self.clock.connect("after-paint", self.on_paint)
        window.show_all()

    def on_paint(self, _):
        self.clock.disconnect(self.paint)
        self.painted = True

    def mouse(self, event, e, **fields):
        say(event, window=self.number, x=int(e.x_root), y=int(e.y_root), **fields)

    def on_press(self, _, e):
        # GTK sends a second press as a press and as a double press.
        if e.type == T.BUTTON_PRESS:
            self.mouse("press", e, button=e.button)

    def on_accelerator(self, *_):
        self.fields["a"].grab_focus()
        self.fields["a"].select_region(0, -1)
        say("accelerator", window=self.number)
        return True

    def layout(self):
        _, left, top = self.window.get_window().get_origin()

        def area(part):
            # A button or an entry has no window: its allocation is relative to the toplevel.
            x, y = part.translate_coordinates(self.window, 0, 0)
            return [left + x, top + y, part.get_allocated_width(), part.get_allocated_height()]

        def centre(part):
            x, y, w, h = area(part)
            return [x + w // 2, y + h // 2]

        return dict(window=self.number, **{name: centre(f) for name, f in self.fields.items()},
                    submit=centre(self.submit), canvas=area(self.canvas))


def check():
    layout = None
    if all(f.painted for f in forms):
        if forms[0].window.has_toplevel_focus():
            layout = [f.layout() for f in forms]
        elif not rest.reached("unfocused"):
            return True
        else:
            screen.activate(forms[0].window.get_window().get_xid())
    if rest.reached(layout):
        say("ready", windows=layout)
        return False
    return True


def clear():
    for form in forms:
        for field in form.fields.values():
            field.set_text("")
    say("cleared")


style = Gtk.CssProvider()
style.load_from_data(b"#canvas { background: #cde }")
Gtk.StyleContext.add_provider_for_screen(Gdk.Screen.get_default(), style, 600)
screen, rest = Screen(), Rest()
forms = [Form(1, X), Form(2, X + W + 40)]
commands(lambda: GLib.idle_add(clear))
GLib.timeout_add(50, check)
Gtk.main()
