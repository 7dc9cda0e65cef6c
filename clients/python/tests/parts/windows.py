"""A window that reports what it receives."""

from __future__ import annotations

import json
import pathlib
import subprocess
import tempfile
import threading
import time
from typing import Any

from .processes import end, until
from .servers import XServer

RECEIVERS = pathlib.Path(__file__).resolve().parents[4] / "tests" / "receivers"


class Window:
    """A GTK window that reports what it receives: text in its upper half, clicks in the lower.

    Attributes:
        events: What it has reported, oldest first.
        origin: The place of its upper left corner on the screen.
        size: Its width and height.
    """

    def __init__(
        self, server: XServer, x: int = 100, y: int = 60, w: int = 800, h: int = 600
    ) -> None:
        self.events: list[dict[str, Any]] = []
        place = [str(each) for each in (x, y, w, h)]
        self._home = tempfile.TemporaryDirectory()
        settings = pathlib.Path(self._home.name) / "gtk-3.0" / "settings.ini"
        settings.parent.mkdir()
        # A caret that blinks would change the pictures that tests compare.
        settings.write_text("[Settings]\ngtk-cursor-blink=0\n")
        own = {"XDG_CONFIG_HOME": self._home.name, "PYTHONDONTWRITEBYTECODE": "1"}
        self.process = subprocess.Popen(
            [str(RECEIVERS / "gtk.py"), *place],
            env={**server.environment(), **own},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        ready = until(lambda: self.find("ready"), "the window is shown")[0]
        self.origin = ready["x"], ready["y"]
        self.size = ready["w"], ready["h"]

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.events.append(json.loads(line))

    def find(self, *kinds: str) -> list[dict[str, Any]]:
        """Returns the events of some kinds."""
        return [each for each in list(self.events) if each["event"] in kinds]

    def until(self, kind: str, count: int = 1) -> list[dict[str, Any]]:
        """Waits for a number of events of a kind. Returns all of them."""
        return until(
            lambda: found if len(found := self.find(kind)) >= count else None,
            f"{count} times {kind}",
        )

    @property
    def text(self) -> str:
        """The text in the window."""
        texts = self.find("text")
        return texts[-1]["text"] if texts else ""

    def until_text(self, expected: str) -> None:
        """Waits until the window has exactly this text."""
        end = time.monotonic() + 10
        while self.text != expected and time.monotonic() < end:
            time.sleep(0.01)
        if self.text != expected:
            print(*self.events, sep="\n")
        assert self.text == expected

    def in_text(self, x: int = 200, y: int = 100) -> tuple[int, int]:
        """A point of the text, on the screen."""
        return self.origin[0] + x, self.origin[1] + y

    def in_area(self, x: int = 200, y: int = 100) -> tuple[int, int]:
        """A point of the lower half, which reports clicks, on the screen."""
        return self.origin[0] + x, self.origin[1] + self.size[1] // 2 + y

    def clear(self, server: XServer) -> None:
        """Empties the text with another program, and forgets all events."""
        if self.text:
            server.run("xdotool", "key", "ctrl+a", "BackSpace")
            self.until_text("")
        # The events of this program's own keys arrive before those of any later input.
        self.events.clear()

    def end(self) -> None:
        """Ends the program."""
        end(self.process)
        self._reader.join()
        self._home.cleanup()
