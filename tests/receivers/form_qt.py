#!/usr/bin/python3
# Form for tests: two Qt 5 windows, each with the fields "a" and "b", the button
# "submit" and a canvas. Ctrl+L selects field "a". Usage: form_qt.py [X Y W H]
import os
import sys

os.environ["QT_QPA_PLATFORM"] = "xcb"
from PyQt5.QtCore import QObject, QPoint, Qt, QTimer, pyqtSignal
from PyQt5.QtGui import QKeySequence
from PyQt5.QtWidgets import QApplication, QGridLayout, QLineEdit, QPushButton, QShortcut, QWidget
from form import Rest, Screen, commands, place
from receiver import say

X, Y, W, H = place(sys.argv[1:])
BUTTON = {Qt.LeftButton: 1, Qt.MiddleButton: 2, Qt.RightButton: 3,
          Qt.BackButton: 8, Qt.ForwardButton: 9}


class Field(QLineEdit):
    def __init__(self, number, name):
        super().__init__()
        self.number, self.name = number, name
        self.textChanged.connect(lambda text: say("field", window=number, field=name, text=text))

    def focusInEvent(self, e):
        super().focusInEvent(e)
        say("focus", window=self.number, field=self.name)


class Canvas(QWidget):
    def __init__(self, number):
        super().__init__()
        self.number = number
        self.setAttribute(Qt.WA_StyledBackground)
        self.setStyleSheet("background: #cde")

    def mouse(self, event, e, **fields):
        say(event, window=self.number, x=e.globalX(), y=e.globalY(), **fields)

    def mousePressEvent(self, e):
        self.mouse("press", e, button=BUTTON.get(e.button(), 0))

    # The second press of a double click comes as this event only.
    mouseDoubleClickEvent = mousePressEvent

    def mouseReleaseEvent(self, e):
        self.mouse("release", e, button=BUTTON.get(e.button(), 0))

    def mouseMoveEvent(self, e):
        self.mouse("motion", e, buttons=True)


class Form(QWidget):
    painted = False

    def __init__(self, number, x):
        super().__init__()
        self.number = number
        self.setWindowTitle(f"form {number}")
        # Only the first window takes the focus when it appears.
        self.setAttribute(Qt.WA_ShowWithoutActivating, number != 1)
        self.setGeometry(x, Y, W, H)
        self.fields = {name: Field(number, name) for name in ("a", "b")}
        self.submit = QPushButton("submit")
        self.submit.clicked.connect(lambda: say(
            "submit", window=number, **{name: f.text() for name, f in self.fields.items()}))
        self.canvas = Canvas(number)
        grid = QGridLayout(self)
        grid.addWidget(self.fields["a"], 0, 0)
        grid.addWidget(self.fields["b"], 0, 1)
        grid.addWidget(self.submit, 1, 0, 1, 2)
        grid.addWidget(self.canvas, 2, 0, 1, 2)
        grid.setRowStretch(2, 1)
        QShortcut(QKeySequence("Ctrl+L"), self).activated.connect(self.accelerator)
        self.fields["a"].setFocus()
        self.show()

    def paintEvent(self, e):
        self.painted = True

    def accelerator(self):
        self.fields["a"].setFocus(Qt.ShortcutFocusReason)
        self.fields["a"].selectAll()
        say("accelerator", window=self.number)

    def layout_on_screen(self):
        # The X server has the true place. Qt updates its own value on a later event.
        left, top, w, h = screen.geometry(int(self.winId()))
        if (w, h) != (self.width(), self.height()):
            return None

        def area(part):
            at = part.mapTo(self, QPoint(0, 0))
            return [left + at.x(), top + at.y(), part.width(), part.height()]

        def centre(part):
            x, y, w, h = area(part)
            return [x + w // 2, y + h // 2]

        return dict(window=self.number, **{name: centre(f) for name, f in self.fields.items()},
                    submit=centre(self.submit), canvas=area(self.canvas))


def check():
    layout = None
    if all(f.painted for f in forms):
        if forms[0].isActiveWindow() and forms[0].fields["a"].hasFocus():
            layout = [f.layout_on_screen() for f in forms]
            layout = None if None in layout else layout
        elif not rest.reached("unfocused"):
            return
        else:
            screen.activate(int(forms[0].winId()))
    if rest.reached(layout):
        timer.stop()
        say("ready", windows=layout)


def clear():
    for form in forms:
        for field in form.fields.values():
            field.clear()
    say("cleared")


class Commands(QObject):
    clear = pyqtSignal()


QApplication.setAttribute(Qt.AA_CompressHighFrequencyEvents, False)
app = QApplication(sys.argv[:1])
screen, rest = Screen(), Rest()
forms = [Form(1, X), Form(2, X + W + 40)]
received = Commands()
received.clear.connect(clear)
commands(received.clear.emit)
timer = QTimer(interval=50)
timer.timeout.connect(check)
timer.start()
app.exec_()
