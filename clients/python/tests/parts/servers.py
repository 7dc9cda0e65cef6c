"""X servers."""

from __future__ import annotations

import os
import pathlib
import struct
import subprocess

from PIL import Image

from .processes import end, until


def free_display() -> str:
    """Returns the name of a display that no X server uses, for a daemon that starts one."""
    sockets = pathlib.Path("/tmp/.X11-unix")
    number = 10_000
    while (sockets / f"X{number}").exists() or pathlib.Path(f"/tmp/.X{number}-lock").exists():
        number += 1
    return f":{number}"


class XServer:
    """An Xvfb on a display that is free.

    Attributes:
        display: The name of the display, for example `:5`.
    """

    def __init__(self, *options: str) -> None:
        self._options = options
        self._clipboards: list[subprocess.Popen[str]] = []
        self.display = ""
        self._start()

    def _start(self) -> None:
        reading, writing = os.pipe()
        command = ["Xvfb", *([self.display] if self.display else []), "-displayfd", str(writing)]
        command += ["-screen", "0", "1280x800x24", "-nolisten", "tcp", "-noreset", *self._options]
        self.process = subprocess.Popen(
            command,
            pass_fds=[writing],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(writing)
        with os.fdopen(reading) as numbers:
            number = numbers.readline().strip()
        assert number, "Xvfb did not start; is it installed?"
        self.display = f":{number}"
        self.paint()

    def kill(self) -> None:
        """Kills it, and with it the connections of all programs."""
        self.process.kill()
        self.process.wait()

    def restart(self) -> None:
        """Kills it, and starts another one on the same display."""
        self.kill()
        self._start()

    def environment(self) -> dict[str, str]:
        """Returns the environment of programs on this display."""
        return {**os.environ, "DISPLAY": self.display, "LC_ALL": "C.UTF-8"}

    def run(self, *command: str, text: str | None = None) -> str:
        """Runs a program on this display until it ends. Returns its output."""
        done = subprocess.run(
            command,
            env=self.environment(),
            input=text,
            check=True,
            text=True,
            stdout=subprocess.PIPE,
            timeout=20,
        )
        return done.stdout

    def paint(self, colour: str = "#204060") -> None:
        """Gives the root window a pattern in a colour."""
        self.run("xsetroot", "-mod", "16", "16", "-fg", colour, "-bg", "#102030")

    def picture(self) -> Image.Image:
        """Returns the screen, as another program reads it."""
        command = ["xwd", "-root", "-silent"]
        dump = subprocess.run(
            command, env=self.environment(), check=True, stdout=subprocess.PIPE, timeout=20
        ).stdout
        words = struct.unpack(">25I", dump[:100])
        head, width, height, bits, row, colours = (words[at] for at in (0, 4, 5, 11, 12, 19))
        # xwd packs the pixels if windows have several visuals.
        order = {24: "BGR", 32: "BGRX"}[bits]
        start = head + 12 * colours
        return Image.frombuffer("RGB", (width, height), dump[start:], "raw", order, row)

    def pointer(self) -> tuple[int, int]:
        """Returns the position of the pointer, as another program reads it."""
        words = dict(each.split(":") for each in self.run("xdotool", "getmouselocation").split())
        return int(words["x"]), int(words["y"])

    def copy(self, text: str) -> None:
        """Puts a text on the clipboard, with a program that keeps it."""
        self._clipboards.append(
            subprocess.Popen(
                ["xclip", "-quiet", "-selection", "clipboard"],
                env=self.environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        )
        stdin = self._clipboards[-1].stdin
        assert stdin is not None
        stdin.write(text)
        stdin.close()
        until(lambda: self.clipboard() == text, "the clipboard has the text")

    def clipboard(self) -> str:
        """Returns the text on the clipboard; empty if there is none."""
        done = subprocess.run(
            ["xclip", "-selection", "clipboard", "-out"],
            env=self.environment(),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=20,
        )
        return done.stdout

    def end(self) -> None:
        """Ends the X server."""
        for each in self._clipboards:
            end(each)
        end(self.process)
