#!/usr/bin/python3
# For tests: shows 5,000 windows, and above them one whose properties lie: a title of a megabyte,
# another process, itself as the window that it belongs to, a class without an end.
from receiver import say, until_abandoned
from Xlib import X, Xatom, display

until_abandoned()
server = display.Display()
root = server.screen().root


def window(x, y):
    made = root.create_window(x, y, 20, 20, 0, X.CopyFromParent, override_redirect=True)
    made.map()
    return made


for number in range(5000):
    window(number % 600, number // 10 % 400)
liar = window(5, 5)
# The X server takes 64 KiB in one request, so the title grows.
for part in range(20):
    title = (b"liar" if part == 0 else b"") + "é".encode() * 25_000
    mode = X.PropModeAppend if part else X.PropModeReplace
    liar.change_property(Xatom.WM_NAME, Xatom.STRING, 8, title[:50_000], mode)
    name, text = (server.intern_atom(each) for each in ("_NET_WM_NAME", "UTF8_STRING"))
    liar.change_property(name, text, 8, title[:50_000], mode)
liar.change_property(server.intern_atom("_NET_WM_PID"), Xatom.CARDINAL, 32, [1])
liar.change_property(Xatom.WM_TRANSIENT_FOR, Xatom.WINDOW, 32, [root.id])
liar.change_property(Xatom.WM_CLASS, Xatom.STRING, 8, b"no end" * 1000)
liar.change_property(server.intern_atom("_GTK_FRAME_EXTENTS"), Xatom.CARDINAL, 32, [2**32 - 1] * 4)
liar.change_property(server.intern_atom("_NET_WM_STATE"), Xatom.ATOM, 32, list(range(1, 3000)))
server.sync()
say("ready")
while True:
    server.next_event()
