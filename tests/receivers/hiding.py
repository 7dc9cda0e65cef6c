#!/usr/bin/python3
# For tests: programs that are hard to find or to end. Each writes its process id to FILE.
# Usage: hiding.py ghost|forks FILE
import ctypes
import os
import signal
import sys
import threading
import time

kind, file = sys.argv[1:]
signal.signal(signal.SIGTERM, signal.SIG_IGN)


def note():
    with open(file + ".new", "w") as new:
        new.write(str(os.getpid()))
    os.rename(file + ".new", file)


if kind == "ghost":
    # Its first thread ends: it looks like a zombie, and its second thread lives.
    note()
    threading.Thread(target=time.sleep, args=(600,)).start()
    ctypes.CDLL(None).pthread_exit(None)
end = time.monotonic() + 60
while time.monotonic() < end:
    # A chain: each starts the next and ends.
    if os.fork():
        os._exit(0)
    note()
