#!/usr/bin/python3
# Receiver for tests: a GTK 3 window that prints what input it received.
# Upper half a text view, lower half an area: a drag starts in its left part
# and is dropped in its right part. Usage: gtk.py [X Y W H]
import os
import sys
import time

os.environ["GDK_BACKEND"] = "x11"
os.environ["NO_AT_BRIDGE"] = "1"
import gi

gi.require_version("Gtk", "3.0")
gi.require_version("Gdk", "3.0")
from gi.repository import Gdk, GLib, Gtk
from receiver import REST, place, say, until_abandoned

X, Y, W, H = place(sys.argv[1:])
changed = None
M, T, D = Gdk.ModifierType, Gdk.EventType, Gdk.ScrollDirection
STATES = [("shift", M.SHIFT_MASK), ("lock", M.LOCK_MASK), ("ctrl", M.CONTROL_MASK),
          ("alt", M.MOD1_MASK), ("num", M.MOD2_MASK), ("mod3", M.MOD3_MASK),
          ("super", M.MOD4_MASK), ("mod5", M.MOD5_MASK)]
COUNT = {T.BUTTON_PRESS: 1, T.DOUBLE_BUTTON_PRESS: 2, T.TRIPLE_BUTTON_PRESS: 3}
NOTCH = {D.UP: (0, -1), D.DOWN: (0, 1), D.LEFT: (-1, 0), D.RIGHT: (1, 0)}


def state(e):
    return [name for name, bit in STATES if e.state & bit]


def where(e):
    _, x, y = window.get_window().get_origin()
    return dict(x=e.x_root - x, y=e.y_root - y, root_x=e.x_root, root_y=e.y_root,
                state=state(e), time=e.time)


def on_press(_, e):
    # The second press comes twice, as a press and as a double press, which
    # is next in the queue by then: one line for each press, with its count.
    after = Gdk.Event.peek()
    if e.type == T.BUTTON_PRESS and after and COUNT.get(after.type, 0) > 1:
        return
    say("press", button=e.button, count=COUNT[e.type], **where(e))


def on_scroll(_, e):
    dx, dy = (e.delta_x, e.delta_y) if e.direction == D.SMOOTH else NOTCH[e.direction]
    say("scroll", dx=dx, dy=dy, **where(e))


def on_key(_, e):
    say("key-press" if e.type == T.KEY_PRESS else "key-release",
        name=Gdk.keyval_name(e.keyval), keycode=e.hardware_keycode, state=state(e), time=e.time)


def on_text(buffer):
    global changed
    if REST:
        changed = time.monotonic()  # no timer for each character: that takes longer than GTK does
    else:
        tell(buffer)


def tell(buffer):
    say("text", text=buffer.get_text(*buffer.get_bounds(), True))


def tell_at_rest(buffer):
    global changed
    if changed and time.monotonic() - changed > REST / 1000:
        changed = None
        tell(buffer)
    return True


def on_paint(clock):
    clock.disconnect(painted)
    window.get_window().focus(Gdk.CURRENT_TIME)  # without a window manager nothing else does
    GLib.idle_add(ready)


def ready():
    if not window.has_toplevel_focus():
        GLib.timeout_add(5, ready)
        return
    _, x, y = window.get_window().get_origin()
    say("ready", x=x, y=y, w=window.get_allocated_width(), h=window.get_allocated_height())


window = Gtk.Window(title="receiver", decorated=False)
window.set_default_size(W, H)
window.move(X, Y)
text = Gtk.TextView(accepts_tab=True)
text.get_buffer().connect("changed", on_text)
scrolled = Gtk.ScrolledWindow()
scrolled.add(text)
source, target = Gtk.DrawingArea(), Gtk.DrawingArea()
mask = Gdk.EventMask
for part in source, target:
    part.add_events(mask.BUTTON_PRESS_MASK | mask.BUTTON_RELEASE_MASK | mask.BUTTON_MOTION_MASK
                    | mask.SCROLL_MASK | mask.SMOOTH_SCROLL_MASK)
    part.connect("button-press-event", on_press)
    part.connect("button-release-event", lambda _, e: say("release", button=e.button, **where(e)))
    part.connect("motion-notify-event", lambda _, e: say("motion", **where(e)))
    part.connect("scroll-event", on_scroll)
kind = [Gtk.TargetEntry.new("UTF8_STRING", 0, 0)]
source.drag_source_set(M.BUTTON1_MASK, kind, Gdk.DragAction.COPY)
source.connect("drag-begin", lambda *_: say("drag-begin"))
source.connect("drag-data-get", lambda w, c, data, *_: data.set_text("dragged", -1))
source.connect("drag-end", lambda *_: say("drag-end"))
target.drag_dest_set(Gtk.DestDefaults.ALL, kind, Gdk.DragAction.COPY)
target.connect("drag-data-received", lambda w, c, x, y, data, *_: say("drop", text=data.get_text()))
lower = Gtk.Box(homogeneous=True)
lower.pack_start(source, True, True, 0)
lower.pack_start(target, True, True, 0)
both = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, homogeneous=True)
both.pack_start(scrolled, True, True, 0)
both.pack_start(lower, True, True, 0)
window.add(both)
if REST:
    # When nothing else is to be done.
    GLib.timeout_add(5, tell_at_rest, text.get_buffer(), priority=GLib.PRIORITY_LOW)
else:
    window.connect("key-press-event", on_key)
    window.connect("key-release-event", on_key)
window.connect("destroy", lambda _: Gtk.main_quit())
until_abandoned()
text.grab_focus()
window.realize()
painted = window.get_frame_clock().connect("after-paint", on_paint)
window.show_all()
Gtk.main()
