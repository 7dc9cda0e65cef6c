# Generated from clipboard_async.py by tools/sync.py.
"""The clipboard of a desktop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .calls import CLIPBOARD, requires
from .clipboard import Pieces, format_of, selection_of
from .v1 import clipboard_pb2 as pb

if TYPE_CHECKING:
    from .desktop_sync import Desktop

__all__ = ["Clipboard"]

_NEEDED = requires({"clipboard"})


class Clipboard:
    """The clipboard of a desktop: `desktop.clipboard`.

        desktop.clipboard.write("hello")
        print(desktop.clipboard.text())

    A format is a name that `formats` returns, such as `text/html` or `image/png`; without one, the
    content is text. `selection` is `clipboard`, which programs copy to, or `primary`, which the
    middle button pastes. A call raises `StaleTarget` with the reason FORMAT_NOT_OFFERED if the
    clipboard is empty or lacks the format. No error shows the content.
    """

    def __init__(self, desktop: Desktop) -> None:
        self._desktop = desktop

    def formats(
        self, *, selection: str = "clipboard", timeout: float | None = None
    ) -> list[str]:
        """Returns the names of the formats in which the content can be read."""
        request = pb.ListFormatsRequest(selection=selection_of(selection))
        reply = self._desktop._call(
            CLIPBOARD + "ListFormats", request, pb.ListFormatsResponse, timeout, _NEEDED
        )
        return list(reply.formats)

    def read(
        self, format: str = "", *, selection: str = "clipboard", timeout: float | None = None
    ) -> bytes:
        """Returns the content in one format; without one, text in UTF-8."""
        chosen = selection_of(selection)
        request = pb.ReadClipboardRequest(selection=chosen, format=format_of(format))
        pieces = self._desktop._receive(
            CLIPBOARD + "ReadClipboard", request, pb.ReadClipboardResponse, timeout, _NEEDED
        )
        return b"".join(each.data for each in pieces)

    def text(self, *, selection: str = "clipboard", timeout: float | None = None) -> str:
        """Returns the content as text. Bytes that are not UTF-8 are replaced."""
        return (self.read(selection=selection, timeout=timeout)).decode("utf-8", "replace")

    def write(
        self,
        content: str | bytes,
        format: str = "",
        *,
        selection: str = "clipboard",
        timeout: float | None = None,
    ) -> None:
        """Replaces the content; without a format, by text. It is at most 16 MiB."""
        self.write_formats({format_of(format): content}, selection=selection, timeout=timeout)

    def write_formats(
        self,
        contents: Mapping[str, str | bytes],
        *,
        selection: str = "clipboard",
        timeout: float | None = None,
    ) -> None:
        """Replaces the content by the same content in several formats, at most 8:
        `{"": "hello", "text/html": "<b>hello</b>"}`. The name of text is empty."""
        # The same content can be written again.
        self._desktop._send(
            CLIPBOARD + "WriteClipboard",
            Pieces(contents, selection),
            pb.WriteClipboardRequest,
            pb.WriteClipboardResponse,
            timeout,
            _NEEDED,
        )
