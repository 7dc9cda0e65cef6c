"""Options of pictures: the size of an image, its format, and the part of the screen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Union

from .frame import Frame, Rect
from .v1 import capture_pb2, frame_pb2
from .values import flag, invalid, pixel, text, whole

__all__ = ["ANTHROPIC", "ANTHROPIC_OLDER", "OPENAI", "Fit", "Picture", "Space"]

_FORMATS = {
    "png": frame_pb2.IMAGE_FORMAT_PNG,
    "jpeg": frame_pb2.IMAGE_FORMAT_JPEG,
    "jpg": frame_pb2.IMAGE_FORMAT_JPEG,
    "webp": frame_pb2.IMAGE_FORMAT_WEBP,
    "raw": frame_pb2.IMAGE_FORMAT_RAW_BGRX,
}


@dataclass(frozen=True)
class Fit:
    """Limits from which the daemon computes the size of an image; the shape is kept.

    Attributes:
        max_side: Maximum length of the longer side, in pixels.
        max_pixels: Maximum number of pixels.
        tile: Side of a square tile in pixels; with `max_tiles`.
        max_tiles: Maximum number of tiles that cover the image.
        multiple_of: Number of pixels of which both sides are multiples.
        may_enlarge: Whether the image may be larger than the region that it shows.
    """

    max_side: int | None = None
    max_pixels: int | None = None
    tile: int | None = None
    max_tiles: int | None = None
    multiple_of: int | None = None
    may_enlarge: bool = False

    def message(self) -> Any:
        """Returns the protobuf `Fit`.

        Raises:
            InvalidRequest: If a limit has a wrong value.
        """
        made = capture_pb2.Fit(
            max_side=whole(self.max_side, "max_side"),
            max_pixels=whole(self.max_pixels, "max_pixels"),
            multiple_of=whole(self.multiple_of, "multiple_of"),
            may_enlarge=flag(self.may_enlarge, "may_enlarge"),
        )
        if self.tile is not None or self.max_tiles is not None:
            made.tiles.size = whole(self.tile, "tile") or 0
            made.tiles.max_count = whole(self.max_tiles, "max_tiles") or 0
        return made


ANTHROPIC = Fit(max_side=2576, tile=28, max_tiles=4784)
"""What Anthropic's current models accept. With more than 20 images in a request, use
`Fit(max_side=2000, tile=28, max_tiles=4784)`."""
ANTHROPIC_OLDER = Fit(max_side=1568, max_pixels=1_150_000)
"""What Anthropic's models before the computer toolset accept without scaling."""
OPENAI = Fit(max_pixels=10_240_000, tile=32, max_tiles=30_000)
"""What OpenAI's `computer` tool accepts with the detail `original`."""

Space = Union[Frame, str, tuple[int, int], None]
"""A coordinate space: a frame or its id, the size of an image of the whole screen, or None for
pixels of the screen."""


def space(of: Space) -> Any:
    """Returns the protobuf `CoordinateSpace`, or None for the screen."""
    if of is None:
        return None
    if isinstance(of, Frame):
        return frame_pb2.CoordinateSpace(frame_id=of.frame_id)
    if isinstance(of, str):
        return frame_pb2.CoordinateSpace(frame_id=text(of, "space"))
    if not isinstance(of, Iterable):
        raise invalid(f"space is {of!r}; give a frame, its id, (width, height) or None")
    return frame_pb2.CoordinateSpace(size=size(of))


def size(of: Any) -> Any:
    """Returns the protobuf `Size` of a pair (width, height)."""
    try:
        width, height = of
    except (TypeError, ValueError):
        raise invalid(f"size is {of!r}; give (width, height)") from None
    width, height = pixel(width, "width"), pixel(height, "height")
    if width < 1 or height < 1:
        raise invalid(f"size is {width}x{height}; each side has at least 1 pixel")
    return frame_pb2.Size(width=width, height=height)


@dataclass(frozen=True)
class Picture:
    """The picture to take. Every field has the daemon's default if it is not given.

    Attributes:
        size: Width and height of the image; the region is stretched to it.
        fit: Limits of the image's size; its shape is kept. Not together with `size`.
        region: The part to show, in pixels of `space`: (x, y, width, height) or a `Rect`.
        format: `png` (default), `jpeg`, `webp` or `raw`.
        quality: 1 to 100, for `jpeg`.
        cursor: Whether the pointer is drawn. Default: True.
        max_bytes: Maximum size of the image in bytes. A larger one becomes a failure card.
        space: The coordinate space of `region`.
    """

    size: tuple[int, int] | None = None
    fit: Fit | None = None
    region: tuple[int, int, int, int] | Rect | None = None
    format: str | None = None
    quality: int | None = None
    cursor: bool | None = None
    max_bytes: int | None = None
    space: Space = None

    def message(self) -> Any:
        """Returns the protobuf `CaptureOptions`.

        Raises:
            InvalidRequest: If fields contradict each other or have wrong values.
        """
        made = capture_pb2.CaptureOptions(
            quality=whole(self.quality, "quality"),
            include_cursor=flag(self.cursor, "cursor") if self.cursor is not None else None,
            max_image_bytes=whole(self.max_bytes, "max_bytes"),
            coordinate_space=space(self.space),
        )
        if self.format is not None:
            if not isinstance(self.format, str) or self.format not in _FORMATS:
                raise invalid(f"format is {self.format!r}; choose png, jpeg, webp or raw")
            made.format = _FORMATS[self.format]
        if self.size is not None and self.fit is not None:
            raise invalid("size and fit exclude each other; give one of them")
        if self.size is not None:
            made.size.CopyFrom(size(self.size))
        if self.fit is not None and not isinstance(self.fit, Fit):
            raise invalid(f"fit is {self.fit!r}; give a Fit")
        if self.fit is not None:
            made.fit.CopyFrom(self.fit.message())
        if self.region is not None:
            made.region.CopyFrom(region(self.region))
        return made


def picture_of(value: Any) -> Picture:
    """Returns a `Picture` itself.

    Raises:
        InvalidRequest: For any other value.
    """
    if not isinstance(value, Picture):
        raise invalid(f"picture is {value!r}; give a Picture")
    return value


def region(of: Any) -> Any:
    """Returns the protobuf `Region` of (x, y, width, height) or a `Rect`."""
    if isinstance(of, Rect):
        of = (of.x, of.y, of.width, of.height)
    try:
        x, y, width, height = of
    except (TypeError, ValueError):
        raise invalid(f"region is {of!r}; give (x, y, width, height)") from None
    x, y = pixel(x, "x"), pixel(y, "y")
    width, height = pixel(width, "width"), pixel(height, "height")
    if width < 1 or height < 1:
        raise invalid(f"region {x},{y} {width}x{height} is empty; give at least 1x1 pixels")
    return frame_pb2.Region(x=x, y=y, width=width, height=height)
