#!/usr/bin/python3
# Receiver of text for tests: a Qt 6 text field. Usage: text_qt6.py [X Y W H]
import os
import sys

os.environ["QT_QPA_PLATFORM"] = "xcb"
from PyQt6.QtCore import QObject, QPoint, Qt, QTimer, pyqtSignal
from PyQt6.QtWidgets import QApplication, QPlainTextEdit
from receiver import place, say
from text_receiver import REST, Screen, commands


class Text(QPlainTextEdit):
    drawn = False

    def paintEvent(self, e):
        super().paintEvent(e)
        if not self.drawn:
            self.drawn = True
            screen.focus(screen.window(int(text.winId())))
            QTimer.singleShot(0, ready)


class Bridge(QObject):
    clear = pyqtSignal()


def ready():
    if not (text.isActiveWindow() and text.hasFocus()):
        QTimer.singleShot(20, ready)
        return
    at = text.mapToGlobal(QPoint(0, 0))
    say("ready", x=at.x(), y=at.y(), w=text.width(), h=text.height())


def tell():
    # toPlainText() replaces U+00A0 by a plain space. toRawText() does not.
    say("text", text=text.document().toRawText().replace("\u2029", "\n"))


def clear():
    text.clear()
    resting.stop()
    say("cleared")


app = QApplication(sys.argv[:1])
screen = Screen()
text = Text()
text.setWindowFlags(Qt.WindowType.FramelessWindowHint)
text.setWindowTitle("receiver")
text.setGeometry(*place(sys.argv[1:]))
resting = QTimer(singleShot=True, interval=REST)
resting.timeout.connect(tell)
text.textChanged.connect(resting.start)
text.setFocus()
bridge = Bridge()
bridge.clear.connect(clear)  # on the main thread
commands(bridge.clear.emit)
text.show()
app.exec()
