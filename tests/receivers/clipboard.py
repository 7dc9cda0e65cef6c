#!/usr/bin/python3
# Another program with a clipboard, for tests: does what it is told by lines of
# JSON and answers each with one: {"do": "own"|"read", "primary": bool, …}.
# "own" puts text and so many bytes of image/x-test there; "read" tells what
# is there.
import json
import os
import select
import sys

os.environ["QT_QPA_PLATFORM"] = "xcb"
from PyQt5.QtCore import QMimeData, QSocketNotifier
from PyQt5.QtGui import QClipboard
from PyQt5.QtWidgets import QApplication
from receiver import say


def blob(size):
    return bytes(i * 7 % 251 for i in range(size))


def obey():
    while select.select([0], [], [], 0)[0]:
        line = sys.stdin.readline()
        if not line:
            os._exit(0)
        order = json.loads(line)
        mode = QClipboard.Selection if order.get("primary") else QClipboard.Clipboard
        if order["do"] == "own":
            content = QMimeData()
            content.setText(order["text"])
            if order.get("bytes"):
                content.setData("image/x-test", blob(order["bytes"]))
            clipboard.setMimeData(content, mode)
            app.processEvents()
            say("owned")
        else:
            content = clipboard.mimeData(mode)
            data = bytes(content.data("image/x-test"))
            same = data == blob(len(data))
            say("read", text=content.text(), bytes=len(data), same=same, formats=content.formats())


app = QApplication(sys.argv[:1])
clipboard = app.clipboard()
notifier = QSocketNotifier(0, QSocketNotifier.Read)
notifier.activated.connect(obey)
say("ready")
app.exec_()
