"""The requests of the clipboard."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .v1 import clipboard_pb2 as pb
from .values import invalid, is_sendable

__all__ = ["Pieces", "format_of", "selection_of"]

PIECE = 200 * 1024
"""Maximum number of bytes of a piece."""
_SELECTIONS = {
    "clipboard": pb.CLIPBOARD_SELECTION_CLIPBOARD,
    "primary": pb.CLIPBOARD_SELECTION_PRIMARY,
}


def selection_of(name: Any) -> Any:
    """Returns the protobuf `ClipboardSelection`.

    Raises:
        InvalidRequest: If there is no such selection.
    """
    if not isinstance(name, str) or name not in _SELECTIONS:
        raise invalid(f"selection is {name!r}; choose clipboard or primary")
    return _SELECTIONS[name]


def format_of(name: Any) -> str:
    """Returns the name of a format.

    Raises:
        InvalidRequest: If it is no string. The error does not show the value, which may be content
            in the wrong place.
    """
    if not isinstance(name, str):
        raise invalid(f"format is of type {type(name).__name__}; give a string")
    if not is_sendable(name):
        raise invalid("format has a lone surrogate; give valid Unicode")
    return name


def content_of(content: Any) -> bytes:
    """Returns content as bytes; text in UTF-8.

    Raises:
        InvalidRequest: If it is neither text nor bytes. The error does not show the content.
    """
    if isinstance(content, (bytes, bytearray, memoryview)):
        return bytes(content)
    if not isinstance(content, str):
        raise invalid(f"the content is of type {type(content).__name__}; give a string or bytes")
    if not is_sendable(content):
        raise invalid("the content has a lone surrogate; give valid Unicode")
    return content.encode("utf-8")


class Pieces:
    """The messages that write content. They can be sent again."""

    def __init__(self, contents: Any, selection: Any) -> None:
        self._selection = selection_of(selection)
        if not isinstance(contents, Mapping):
            kind = type(contents).__name__
            raise invalid(f"the formats are of type {kind}; give a dictionary of contents")
        if not contents:
            raise invalid("no content is given; give at least one format")
        made = [(format_of(name), content_of(content)) for name, content in contents.items()]
        # Text without the name of a format must come first.
        self._contents = sorted(made, key=lambda each: each[0] != "")

    def __iter__(self) -> Iterator[Any]:
        for name, content in self._contents:
            for start in range(0, max(len(content), 1), PIECE):
                yield pb.WriteClipboardRequest(
                    selection=self._selection,
                    format=name if start == 0 else "",
                    data=content[start : start + PIECE],
                )
