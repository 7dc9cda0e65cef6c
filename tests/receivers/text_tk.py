#!/usr/bin/python3
# Receiver of text for tests: a Tk text field. Usage: text_tk.py [X Y W H]
import queue
import sys
import tkinter
from receiver import place, say
from text_receiver import REST, Screen, commands

X, Y, W, H = place(sys.argv[1:])
resting = None
orders = queue.Queue()  # of the thread that reads stdin


def on_text(_):
    global resting
    if not text.edit_modified():
        return  # the call that the next line causes
    text.edit_modified(False)
    if resting:
        window.after_cancel(resting)
    resting = window.after(REST, tell)


def tell():
    global resting
    resting = None
    say("text", text=text.get("1.0", "end-1c"))  # Tk itself adds a last newline


def obey():
    global resting
    while not orders.empty():
        orders.get()
        text.delete("1.0", "end")
        window.update()  # so that on_text() has been called
        if resting:
            window.after_cancel(resting)
            resting = None
        say("cleared")
    window.after(10, obey)


def ready():
    if window.focus_displayof() is not text:
        screen.focus(screen.window(window.winfo_id()))
        text.focus_force()
        window.after(20, ready)
        return
    say("ready", x=window.winfo_rootx(), y=window.winfo_rooty(), w=window.winfo_width(), h=window.winfo_height())


screen = Screen()
window = tkinter.Tk()
window.title("receiver")
window.geometry(f"{W}x{H}+{X}+{Y}")
text = tkinter.Text(window, width=1, height=1)
text.pack(fill="both", expand=True)
text.bind("<<Modified>>", on_text)
text.focus_set()
commands(lambda: orders.put(True))
window.wait_visibility()
window.update()
# Also when Tk has the focus only because the pointer is in the window.
screen.focus(screen.window(window.winfo_id()))
ready()
obey()
window.mainloop()
