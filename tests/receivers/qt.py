#!/usr/bin/python3
# Receiver for tests: a Qt 5 window that prints what input it received.
# Upper half a text field, lower half an area: a drag starts in its left part
# and is dropped in its right part. Usage: qt.py [X Y W H]
import ctypes
import os
import sys

os.environ["QT_QPA_PLATFORM"] = "xcb"
from PyQt5.QtCore import QEvent, QMimeData, QPoint, Qt, QTimer
from PyQt5.QtGui import QDrag
from PyQt5.QtWidgets import QApplication, QPlainTextEdit, QWidget
from receiver import REST, place, say, until_abandoned

X, Y, W, H = place(sys.argv[1:])
STATES = [("shift", Qt.ShiftModifier), ("ctrl", Qt.ControlModifier),
          ("alt", Qt.AltModifier), ("super", Qt.MetaModifier)]
BUTTON = {Qt.LeftButton: 1, Qt.MiddleButton: 2, Qt.RightButton: 3,
          Qt.BackButton: 8, Qt.ForwardButton: 9}
xkb = ctypes.CDLL("libxkbcommon.so.0")


def state(e):
    return [name for name, bit in STATES if e.modifiers() & bit]


def where(e):
    at, root = window.mapFromGlobal(e.globalPos()), e.globalPos()
    return dict(x=at.x(), y=at.y(), root_x=root.x(), root_y=root.y(),
                state=state(e), time=e.timestamp())


def keysym_name(sym):
    name = ctypes.create_string_buffer(64)
    xkb.xkb_keysym_get_name(sym, name, 64)
    return name.value.decode()


class Area(QWidget):
    started = None
    pressed = 0  # presses that followed one another so far
    last = (0, None, QPoint())

    def mousePressEvent(self, e, double=False):
        # Qt knows the double press only; a triple one is a plain press soon
        # after a double one at the same place, as in Qt's own text fields.
        before, button, at = self.last
        near = (e.timestamp() - before < QApplication.doubleClickInterval() and button == e.button()
                and (e.pos() - at).manhattanLength() < QApplication.startDragDistance())
        self.pressed = 2 if double else 3 if self.pressed == 2 and near else 1
        self.last = (e.timestamp(), e.button(), e.pos())
        say("press", button=BUTTON.get(e.button(), 0), count=self.pressed, **where(e))
        left = e.button() == Qt.LeftButton and e.x() < self.width() // 2
        self.started = e.pos() if left else None

    def mouseDoubleClickEvent(self, e):
        self.mousePressEvent(e, double=True)

    def mouseReleaseEvent(self, e):
        self.started = None
        say("release", button=BUTTON.get(e.button(), 0), **where(e))

    def mouseMoveEvent(self, e):
        say("motion", **where(e))
        far = QApplication.startDragDistance()
        if self.started is not None and (e.pos() - self.started).manhattanLength() >= far:
            self.started = None
            drag, data = QDrag(self), QMimeData()
            data.setText("dragged")
            drag.setMimeData(data)
            say("drag-begin")
            drag.exec_(Qt.CopyAction)
            say("drag-end")

    def wheelEvent(self, e):
        root, turn = e.globalPos(), e.angleDelta()
        at = window.mapFromGlobal(root)
        say("scroll", dx=-turn.x() / 120, dy=-turn.y() / 120, x=at.x(), y=at.y(),
            root_x=root.x(), root_y=root.y(), state=state(e), time=e.timestamp())

    def dragEnterEvent(self, e):
        e.acceptProposedAction()

    def dragMoveEvent(self, e):
        e.setAccepted(e.pos().x() >= self.width() // 2)

    def dropEvent(self, e):
        e.acceptProposedAction()
        say("drop", text=e.mimeData().text())


class Text(QPlainTextEdit):
    def event(self, e):
        # A held key repeats its press; the releases between are Qt's own.
        if REST:
            return super().event(e)
        if e.type() == QEvent.KeyPress or e.type() == QEvent.KeyRelease and not e.isAutoRepeat():
            say("key-press" if e.type() == QEvent.KeyPress else "key-release",
                name=keysym_name(e.nativeVirtualKey()), keycode=e.nativeScanCode(),
                state=state(e), time=e.timestamp())
        return super().event(e)


def ready():
    if not (window.isActiveWindow() and text.hasFocus()):
        window.activateWindow()
        QTimer.singleShot(20, ready)
        return
    at = window.mapToGlobal(QPoint(0, 0))
    say("ready", x=at.x(), y=at.y(), w=window.width(), h=window.height())


def said():
    # toPlainText() makes a plain space of U+00A0.
    return text.document().toRawText().replace("\u2029", "\n")


class Window(QWidget):
    drawn = False

    def paintEvent(self, e):
        if not self.drawn:
            self.drawn = True
            QTimer.singleShot(0, ready)


app = QApplication(sys.argv[:1])
window = Window(flags=Qt.FramelessWindowHint)
window.setWindowTitle("receiver")
window.setGeometry(X, Y, W, H)
text, area = Text(window), Area(window)
text.setGeometry(0, 0, W, H // 2)
area.setGeometry(0, H // 2, W, H - H // 2)
area.setAcceptDrops(True)
resting = QTimer(singleShot=True, interval=REST)
resting.timeout.connect(lambda: say("text", text=said()))
text.textChanged.connect(resting.start if REST else lambda: say("text", text=said()))
text.setFocus()
until_abandoned()
window.show()
app.exec_()
