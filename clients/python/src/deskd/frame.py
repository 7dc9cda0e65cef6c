"""Frames: images of the screen, and failure cards in their place."""

from __future__ import annotations

import base64
import pathlib
import struct
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .errors import CaptureFailed
from .v1 import frame_pb2 as pb

if TYPE_CHECKING:
    import PIL.Image

__all__ = ["Failure", "Frame", "Rect"]

_FORMATS = {
    pb.IMAGE_FORMAT_PNG: "png",
    pb.IMAGE_FORMAT_JPEG: "jpeg",
    pb.IMAGE_FORMAT_WEBP: "webp",
    pb.IMAGE_FORMAT_RAW_BGRX: "raw",
}


@dataclass(frozen=True)
class Rect:
    """A rectangle in pixels: columns x … x+width-1, rows y … y+height-1."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Failure:
    """Why a capture or an action failed.

    Attributes:
        reason: Name of the cause, as in `deskd.v1.Reason`.
        stage: Name of the stage, as in `deskd.v1.FailureStage`.
        message: One sentence for people and logs.
        retryable: Whether the same call may succeed later although the caller changes nothing.
    """

    reason: str
    stage: str
    message: str
    retryable: bool


@dataclass(frozen=True)
class Frame:
    """One image of the screen, or a failure card.

    A failure card is an image too: hand it to the model, which reads what is wrong. `is_card` and
    `failure` say so to the program.

    Attributes:
        image: The encoded image. Empty only if `is_unchanged` is true.
        format: `png`, `jpeg`, `webp`, or `raw` (rows of blue, green, red, 255, `stride` bytes apart).
        width: Width of the image in pixels.
        height: Height of the image in pixels.
        region: The part of the screen that the image shows, in screen pixels. None on a card.
        screen: Width and height of the screen in pixels. (0, 0) if not known.
        frame_id: Id of the frame, for `space=` and `if_changed_since=`.
        is_card: Whether the image is a failure card.
        is_unchanged: Whether the picture equals the frame that `if_changed_since` named.
        failure: Why there is a card. None on a frame.
        pointer: Position of the pointer in screen pixels, if known.
        changed: In a `watch` stream with `regions=True`: what changed since the last frame, in
            pixels of the image. Otherwise empty.
        message: The protobuf message with everything else, without the image.
    """

    image: bytes = field(repr=False)
    format: str
    width: int
    height: int
    region: Rect | None
    screen: tuple[int, int]
    frame_id: str
    is_card: bool = False
    is_unchanged: bool = False
    failure: Failure | None = None
    pointer: tuple[int, int] | None = None
    stride: int = 0
    changed: tuple[Rect, ...] = ()
    message: Any = field(default=None, repr=False, compare=False)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the image in pixels."""
        return self.width, self.height

    @property
    def media_type(self) -> str:
        """The MIME type of the image, for example `image/png`."""
        return "application/octet-stream" if self.format == "raw" else f"image/{self.format}"

    def check(self) -> Frame:
        """Returns the frame itself, or raises `CaptureFailed` if it is a card."""
        if self.failure is not None and self.is_card:
            raise CaptureFailed(self.failure.message, reason=self.failure.reason)
        return self

    def base64(self) -> str:
        """The image in base64, as the models' APIs take it."""
        return base64.b64encode(self.image).decode("ascii")

    def data_url(self) -> str:
        """The image as a `data:` URL."""
        return f"data:{self.media_type};base64,{self.base64()}"

    def save(self, path: str | pathlib.Path) -> None:
        """Writes the image to a file. Raw pixels are written as PNG."""
        data = self.to_png() if self.format == "raw" else self.image
        pathlib.Path(path).write_bytes(data)

    def to_png(self) -> bytes:
        """The image as PNG. Works for `png` and `raw` frames without further packages."""
        if self.format == "png":
            return self.image
        if self.format != "raw":
            from io import BytesIO

            out = BytesIO()
            self.to_pil().save(out, "PNG")
            return out.getvalue()
        rows = bytearray()
        for y in range(self.height):
            row = memoryview(self.image)[y * self.stride : y * self.stride + 4 * self.width]
            rgb = bytearray(3 * self.width)
            rgb[0::3], rgb[1::3], rgb[2::3] = row[2::4], row[1::4], row[0::4]
            rows += b"\0" + rgb
        head = struct.pack(">IIBBBBB", self.width, self.height, 8, 2, 0, 0, 0)
        parts = ((b"IHDR", head), (b"IDAT", zlib.compress(bytes(rows), 1)), (b"IEND", b""))
        return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in parts)

    def to_pil(self) -> PIL.Image.Image:
        """The image as a Pillow image (RGB). Requires the package `pillow`."""
        try:
            import PIL.Image
        except ImportError as error:
            raise ImportError("Frame.to_pil requires Pillow: pip install 'deskd[pillow]'") from error
        if self.format == "raw":
            size, raw = (self.width, self.height), ("raw", "BGRX", self.stride)
            return PIL.Image.frombuffer("RGB", size, self.image, *raw)
        from io import BytesIO

        return PIL.Image.open(BytesIO(self.image)).convert("RGB")


def _chunk(kind: bytes, data: bytes) -> bytes:
    crc = zlib.crc32(data, zlib.crc32(kind))
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)


def rect(region: Any) -> Rect:
    """Converts a protobuf `Region`."""
    return Rect(region.x, region.y, region.width, region.height)


def failure(message: Any) -> Failure:
    """Converts a protobuf `Failure`."""
    from .v1 import reason_pb2

    return Failure(
        reason=reason_pb2.Reason.Name(message.reason).removeprefix("REASON_")
        if message.reason in reason_pb2.Reason.values()
        else str(message.reason),
        stage=pb.FailureStage.Name(message.stage).removeprefix("FAILURE_STAGE_")
        if message.stage in pb.FailureStage.values()
        else str(message.stage),
        message=message.message,
        retryable=message.retryable,
    )


def frame(message: Any) -> Frame:
    """Converts a protobuf `Frame`."""
    image = bytes(message.image)
    message.ClearField("image")
    pointer = message.cursor.position if message.HasField("cursor") else None
    return Frame(
        image=image,
        format=_FORMATS.get(message.format, "png"),
        width=message.width,
        height=message.height,
        stride=message.stride,
        region=rect(message.region) if message.HasField("region") else None,
        screen=(message.screen_width, message.screen_height),
        frame_id=message.frame_id,
        is_card=message.kind == pb.FRAME_KIND_FAILURE_CARD,
        is_unchanged=message.kind == pb.FRAME_KIND_UNCHANGED,
        failure=failure(message.failure) if message.HasField("failure") else None,
        pointer=(pointer.x, pointer.y) if pointer is not None else None,
        message=message,
    )
