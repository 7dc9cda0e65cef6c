# Shared by the receivers of text (text_*.py). Each of them shows one place for
# text, prints "ready" when that place has the focus, and prints the whole text
# once it has not changed for RECEIVER_REST milliseconds. The line "clear" on
# stdin empties the text. The program ends when stdin is closed.
import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import tty
import Xlib.display
import Xlib.error
import Xlib.X
from Xlib.protocol.event import ClientMessage
from receiver import say

REST = int(os.environ.get("RECEIVER_REST") or 40)
libc = ctypes.CDLL(None)


def commands(clear, end=lambda: os._exit(0)):
    """Calls clear() for each line "clear" on stdin, and end() at the end of stdin.

    It also calls end() when the parent process has died. Both calls are made on
    a thread of their own.
    """
    parent = os.getppid()

    def watch():
        rest = b""
        while os.getppid() == parent:
            if select.select([0], [], [], 0.5)[0]:
                got = os.read(0, 4096)
                if not got:
                    break
                *lines, rest = (rest + got).split(b"\n")
                for line in lines:
                    if line.strip() == b"clear":
                        clear()
        end()

    threading.Thread(target=watch, daemon=True).start()


class Program:
    """A program in a session of its own, with a temporary folder for its files."""

    signals = signal.SIGTERM, signal.SIGKILL

    def __init__(self, command, folder=None, **options):
        self.folder = folder or tempfile.mkdtemp(prefix="receiver-")
        self.process = subprocess.Popen(
            command, start_new_session=True, **options,
            preexec_fn=self.follow)

    @staticmethod
    def follow(parent=os.getpid()):
        """Makes the program end with this process. It runs in the program's process."""
        libc.prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:
            os._exit(1)

    def stop(self):
        """Ends all processes of the program."""
        for number in self.signals:
            try:
                os.killpg(self.process.pid, number)
                self.process.wait(3)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                pass

    def end(self, *_):
        """Ends the program and this process."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
        os._exit(0)

    def end_with_this(self):
        """Ends the program on a signal to this process, and this process with the program."""
        for number in signal.SIGTERM, signal.SIGINT, signal.SIGHUP:
            signal.signal(number, self.end)
        threading.Thread(target=lambda: (self.process.wait(), self.end()), daemon=True).start()


class Screen:
    """A connection to the X server, for what a program does not do itself."""

    def __init__(self):
        self.display = Xlib.display.Display()
        self.display.set_error_handler(lambda *_: None)
        self.root = self.display.screen().root
        self.pid = self.display.intern_atom("_NET_WM_PID")

    def visible(self, belongs):
        """Returns the visible windows for which belongs(window) is true, parents first."""
        found, left = [], [self.root]
        while left:
            window = left.pop(0)
            try:
                if window != self.root and belongs(window) \
                        and window.get_attributes().map_state == Xlib.X.IsViewable:
                    found.append(window)
                left += window.query_tree().children
            except Xlib.error.XError:
                pass  # the window has been closed
        return found

    def of_session(self, session):
        """Returns the visible windows of the processes in the given session."""
        def belongs(window):
            pid = window.get_full_property(self.pid, Xlib.X.AnyPropertyType)
            try:
                return pid and os.getsid(pid.value[0]) == session
            except ProcessLookupError:
                return False
        return self.visible(belongs)

    def wait(self, search, seconds=120):
        """Calls search() until it returns something."""
        until = time.monotonic() + seconds
        while not (found := search()):
            if time.monotonic() > until:
                sys.exit("the program shows no window")
            time.sleep(0.02)
        return found

    def window(self, number):
        return self.display.create_resource_object("window", number)

    def put(self, window, x, y, w, h):
        """Moves and resizes a window that a window manager may have maximized."""
        state, wide, high = (self.display.intern_atom(f"_NET_WM_STATE{name}")
                             for name in ("", "_MAXIMIZED_HORZ", "_MAXIMIZED_VERT"))
        self.root.send_event(
            ClientMessage(window=window, client_type=state, data=(32, [0, wide, high, 2, 0])),
            Xlib.X.SubstructureNotifyMask | Xlib.X.SubstructureRedirectMask)
        self.at_rest(window)
        window.configure(x=x, y=y, width=w, height=h)
        self.display.sync()

    def focus(self, window):
        """Gives a window the focus. Without a window manager no other program does."""
        window.set_input_focus(Xlib.X.RevertToParent, Xlib.X.CurrentTime)
        self.display.sync()

    def place(self, window):
        """Returns the place of a window on the screen."""
        size = window.get_geometry()
        at = self.root.translate_coords(window, 0, 0)
        return dict(x=at.x, y=at.y, w=size.width, h=size.height)

    def at_rest(self, window, seconds=0.15):
        """Waits until the place of a window has not changed for a time, then returns it."""
        place, since = self.place(window), time.monotonic()
        while time.monotonic() - since < seconds:
            time.sleep(0.02)
            if (now := self.place(window)) != place:
                place, since = now, time.monotonic()
        return place


def inside(fifo):
    """Copies the bytes that the terminal sends to this process into a FIFO."""
    tty.setraw(0)
    # The terminal answers this query when it is at work. The answer is not copied.
    os.write(1, b"\x1b[c")
    answer = b""
    while not answer.endswith(b"c"):
        answer += os.read(0, 1)
    to = os.open(fifo, os.O_WRONLY)
    while got := os.read(0, 4096):
        os.write(to, got)


def bytes_of(fifo, ready, end):
    """Prints the bytes that inside() copies into the FIFO, as text."""
    state = threading.Lock()
    text, changed = b"", False

    def clear():
        nonlocal text, changed
        with state:
            text, changed = b"", False
            say("cleared")

    source = os.open(fifo, os.O_RDONLY)
    ready()
    commands(clear, end)
    while True:
        quiet = not select.select([source], [], [], REST / 1000 if changed else None)[0]
        got = b"" if quiet else os.read(source, 65536)
        with state:
            if quiet and changed:
                say("text", text=text.decode("utf-8", "replace"))
            elif not quiet and not got:
                return
            text, changed = text + got, not quiet
