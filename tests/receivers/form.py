# Shared by the form programs: their arguments, their commands on stdin, and the
# few X requests that set and query their windows.
import ctypes
import os
import select
import threading
import time


def place(args):
    """Returns X Y W H from the arguments, 20 40 460 420 without them."""
    return [int(a) for a in args[:4]] if len(args) >= 4 else [20, 40, 460, 420]


def commands(clear, end=lambda: os._exit(0)):
    """Starts a thread that calls clear() for each line "clear" on stdin.

    The thread calls end() once stdin is closed or the parent process has died.
    """
    parent = os.getppid()

    def read():
        rest = b""
        while os.getppid() == parent:
            if not select.select([0], [], [], 0.5)[0]:
                continue
            got = os.read(0, 4096)
            if not got:
                break
            *lines, rest = (rest + got).split(b"\n")
            for line in lines:
                if line.strip() == b"clear":
                    clear()
        end()

    threading.Thread(target=read, daemon=True).start()


class Rest:
    """Detects that a layout did not change for 300 ms."""
    last, since = None, 0

    def reached(self, layout):
        if layout is None or layout != self.last:
            self.last, self.since = layout, time.monotonic()
        return layout is not None and time.monotonic() - self.since >= 0.3


class ClientMessage(ctypes.Structure):
    _fields_ = [("type", ctypes.c_int), ("serial", ctypes.c_ulong), ("send_event", ctypes.c_int),
                ("display", ctypes.c_void_p), ("window", ctypes.c_ulong), ("message", ctypes.c_ulong),
                ("format", ctypes.c_int), ("data", ctypes.c_long * 5), ("pad", ctypes.c_long * 24)]


class Screen:
    """A connection of its own to the X server. X errors are ignored."""

    def __init__(self):
        self.x = x = ctypes.CDLL("libX11.so.6")
        x.XOpenDisplay.restype = ctypes.c_void_p
        x.XInternAtom.restype = x.XDefaultRootWindow.restype = ctypes.c_ulong
        x.XSetErrorHandler.restype = ctypes.c_void_p
        self.display = ctypes.c_void_p(x.XOpenDisplay(None))
        self.root = x.XDefaultRootWindow(self.display)
        self.ignore = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)(lambda *_: 0)

    def __enter__(self):
        # Toolkits install an error handler of their own, which is restored afterwards.
        self.handler = self.x.XSetErrorHandler(self.ignore)
        return self.x

    def __exit__(self, *_):
        self.x.XSync(self.display, 0)
        self.x.XSetErrorHandler(ctypes.c_void_p(self.handler))

    def property(self, window, name):
        """Returns the items of a property of up to 1 KiB: numbers or, for a text, bytes."""
        kind, size, count, left = (ctypes.c_ulong() for _ in range(4))
        data = ctypes.c_void_p()
        with self as x:
            x.XGetWindowProperty(self.display, ctypes.c_ulong(window),
                                 ctypes.c_ulong(x.XInternAtom(self.display, name, 0)),
                                 ctypes.c_long(0), ctypes.c_long(256), 0, ctypes.c_ulong(0),
                                 ctypes.byref(kind), ctypes.byref(size), ctypes.byref(count),
                                 ctypes.byref(left), ctypes.byref(data))
        if not data:
            return b""
        if size.value == 8:
            return ctypes.string_at(data, count.value)
        return list(ctypes.cast(data, ctypes.POINTER(ctypes.c_ulong))[:count.value])

    def managed(self):
        """Whether a window manager runs: the window it named has the same property."""
        named = self.property(self.root, b"_NET_SUPPORTING_WM_CHECK")
        return bool(named) and bool(self.property(named[0], b"_NET_SUPPORTING_WM_CHECK"))

    def activate(self, window):
        """Gives the focus to the window, through the window manager if there is one."""
        managed = self.managed()
        with self as x:
            if managed:
                atom = x.XInternAtom(self.display, b"_NET_ACTIVE_WINDOW", 0)
                # Source 2: window managers do not apply focus stealing prevention to it.
                e = ClientMessage(type=33, window=window, message=atom, format=32)
                e.data[0] = 2
                x.XSendEvent(self.display, ctypes.c_ulong(self.root), 0, ctypes.c_long(3 << 19), ctypes.byref(e))
            else:
                x.XSetInputFocus(self.display, ctypes.c_ulong(window), 1, ctypes.c_ulong(0))

    def tree(self, window):
        """Returns the parent of the window and its children."""
        root, parent, count = ctypes.c_ulong(), ctypes.c_ulong(), ctypes.c_uint()
        children = ctypes.POINTER(ctypes.c_ulong)()
        with self as x:
            x.XQueryTree(self.display, ctypes.c_ulong(window), ctypes.byref(root), ctypes.byref(parent),
                         ctypes.byref(children), ctypes.byref(count))
        return parent.value, [children[i] for i in range(count.value)]

    def family(self, window):
        """Returns the window and its ancestors without the root window."""
        found = set()
        while window > 1 and window != self.root:
            found.add(window)
            window = self.tree(window)[0]
        return found

    def focused(self, window):
        """Whether the focus is on the window, on a descendant or on its frame."""
        focus, revert = ctypes.c_ulong(), ctypes.c_int()
        with self as x:
            x.XGetInputFocus(self.display, ctypes.byref(focus), ctypes.byref(revert))
        return bool(self.family(focus.value) & self.family(window))

    def titled(self, text):
        """Returns the innermost window whose title begins with the text, or None.

        A window manager may give the same title to the frame around it.
        """
        queue, found = [self.root], None
        while queue:
            window = queue.pop(0)
            if self.property(window, b"WM_NAME")[:len(text)] == text.encode():
                found = window
            queue += self.tree(window)[1]
        return found

    def move(self, window, x, y, w, h):
        with self as lib:
            lib.XMoveResizeWindow(self.display, ctypes.c_ulong(window), x, y, w, h)

    def geometry(self, window):
        """Returns x, y, w, h of the window's inside in root pixels."""
        other, x, y, w, h, skip = ctypes.c_ulong(), *(ctypes.c_int() for _ in range(5))
        with self as lib:
            lib.XGetGeometry(self.display, ctypes.c_ulong(window), ctypes.byref(other), ctypes.byref(x),
                             ctypes.byref(y), ctypes.byref(w), ctypes.byref(h), ctypes.byref(skip),
                             ctypes.byref(skip))
            lib.XTranslateCoordinates(self.display, ctypes.c_ulong(window), ctypes.c_ulong(self.root), 0, 0,
                                      ctypes.byref(x), ctypes.byref(y), ctypes.byref(other))
        return x.value, y.value, w.value, h.value
