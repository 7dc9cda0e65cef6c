"""Pictures: format, size, part, and the ways to keep them."""

from __future__ import annotations

import io
import pathlib
from typing import Any

import pytest
from parts import XServer
from PIL import Image

from deskd import ANTHROPIC, CaptureFailed, Fit, InvalidRequest, Picture, Rect, StaleTarget

FORMATS = {"png": "PNG", "jpeg": "JPEG", "webp": "WEBP"}


def pixels(image: Image.Image) -> bytes:
    return image.convert("RGB").tobytes()


async def test_png_is_what_another_program_sees(desktop: Any, server: XServer) -> None:
    frame = await desktop.screenshot(cursor=False)
    assert (frame.format, frame.media_type, frame.size) == ("png", "image/png", (1280, 800))
    assert frame.region == Rect(0, 0, 1280, 800) and frame.screen == (1280, 800)
    assert not frame.is_card and frame.failure is None and frame.check() is frame
    assert pixels(frame.to_pil()) == pixels(server.picture())


async def test_the_pointer_is_in_the_picture(desktop: Any, server: XServer) -> None:
    server.run("xdotool", "mousemove", "1100", "700")
    frame = await desktop.screenshot()
    assert frame.pointer == (1100, 700)
    without = await desktop.screenshot(cursor=False)
    around = (1090, 690, 1130, 730)
    assert pixels(frame.to_pil().crop(around)) != pixels(without.to_pil().crop(around))
    assert pixels(frame.to_pil().crop((0, 0, 1000, 600))) == pixels(
        without.to_pil().crop((0, 0, 1000, 600))
    )


@pytest.mark.parametrize("format", FORMATS)
async def test_formats(desktop: Any, server: XServer, format: str) -> None:
    frame = await desktop.screenshot(format=format, cursor=False)
    opened = Image.open(io.BytesIO(frame.image))
    assert (opened.format, opened.size) == (FORMATS[format], (1280, 800))
    assert (frame.format, frame.media_type) == (format, f"image/{format}")
    truth, made = server.picture(), frame.to_pil()
    if format == "jpeg":
        # A flat part of the window; JPEG changes the other pixels.
        near = zip(truth.getpixel((500, 200)), made.getpixel((500, 200)), strict=True)
        assert all(abs(one - other) <= 3 for one, other in near)
    else:
        assert pixels(made) == pixels(truth)


async def test_jpg_is_jpeg_and_quality_counts(desktop: Any) -> None:
    good = await desktop.screenshot(format="jpg", quality=95)
    poor = await desktop.screenshot(format="jpeg", quality=10)
    assert good.format == poor.format == "jpeg" and len(poor.image) < len(good.image) / 2
    with pytest.raises(InvalidRequest) as refused:
        await desktop.screenshot(format="png", quality=50)
    assert refused.value.reason == "INVALID_FIELD"


async def test_raw_pixels(desktop: Any, server: XServer) -> None:
    frame = await desktop.screenshot(format="raw", cursor=False)
    assert frame.stride >= 4 * 1280 and len(frame.image) == 800 * frame.stride
    truth = pixels(server.picture())
    assert pixels(frame.to_pil()) == truth
    assert pixels(Image.open(io.BytesIO(frame.to_png()))) == truth


async def test_raw_pixels_of_a_part_with_an_odd_width(desktop: Any, server: XServer) -> None:
    frame = await desktop.screenshot(format="raw", region=(301, 203, 333, 77), cursor=False)
    truth = pixels(server.picture().crop((301, 203, 634, 280)))
    assert pixels(frame.to_pil()) == truth
    assert pixels(Image.open(io.BytesIO(frame.to_png()))) == truth


@pytest.mark.parametrize("format", ["png", "jpeg", "webp", "raw"])
async def test_save_and_to_png(desktop: Any, tmp_path: pathlib.Path, format: str) -> None:
    frame = await desktop.screenshot(format=format, region=(60, 40, 200, 100))
    frame.save(tmp_path / "picture")
    frame.save(str(tmp_path / "named"))
    saved = Image.open(tmp_path / "picture")
    assert saved.format == ("PNG" if format == "raw" else FORMATS[format])
    assert pixels(saved) == pixels(frame.to_pil())
    assert (tmp_path / "named").read_bytes() == (tmp_path / "picture").read_bytes()
    converted = Image.open(io.BytesIO(frame.to_png()))
    assert converted.format == "PNG" and pixels(converted) == pixels(frame.to_pil())


async def test_base64_and_data_url(desktop: Any) -> None:
    frame = await desktop.screenshot(region=(0, 0, 64, 48))
    import base64

    assert base64.b64decode(frame.base64()) == frame.image
    assert frame.data_url() == f"data:image/png;base64,{frame.base64()}"


async def test_region(desktop: Any, server: XServer) -> None:
    for region in ((1000, 10, 200, 30), Rect(1000, 10, 200, 30)):
        frame = await desktop.screenshot(region=region, cursor=False)
        assert frame.region == Rect(1000, 10, 200, 30)
        assert pixels(frame.to_pil()) == pixels(server.picture().crop((1000, 10, 1200, 40)))
    with pytest.raises(InvalidRequest) as refused:
        await desktop.screenshot(region=(1200, 0, 200, 100))
    assert refused.value.reason == "OUT_OF_SCREEN"


async def test_size_and_fit(desktop: Any) -> None:
    async def size(fit: Fit, width: int = 320, height: int = 200) -> tuple[int, int]:
        return (await desktop.screenshot(fit=fit, region=(0, 0, width, height))).size

    assert (await desktop.screenshot(size=(64, 64))).size == (64, 64)
    assert (await desktop.screenshot(fit=ANTHROPIC)).size == (1280, 800)
    assert await size(Fit(max_side=250)) == (250, 156)
    assert await size(Fit(max_side=250, multiple_of=28)) == (224, 140)
    assert await size(Fit(max_pixels=16_000)) == (160, 100)
    assert await size(Fit(max_side=400)) == (320, 200)
    assert await size(Fit(max_side=400, may_enlarge=True), 100, 50) == (400, 200)
    width, height = await size(Fit(tile=28, max_tiles=30))
    assert -(-width // 28) * -(-height // 28) <= 30 and width >= 168


async def test_region_in_the_space_of_a_picture(desktop: Any, server: XServer) -> None:
    small = await desktop.screenshot(size=(640, 400))
    for space in (small, small.frame_id, (640, 400)):
        part = await desktop.screenshot(region=(500, 5, 100, 15), space=space, cursor=False)
        assert part.region == Rect(1000, 10, 200, 30)
    assert pixels(part.to_pil()) == pixels(server.picture().crop((1000, 10, 1200, 40)))


async def test_picture_as_one_argument(desktop: Any) -> None:
    frame = await desktop.screenshot(picture=Picture(size=(320, 200), format="jpeg"))
    assert (frame.size, frame.format) == ((320, 200), "jpeg")


async def test_if_changed_since(desktop: Any, server: XServer) -> None:
    first = await desktop.screenshot(cursor=False)
    same = await desktop.screenshot(cursor=False, if_changed_since=first)
    assert same.is_unchanged and same.image == b"" and same.frame_id == first.frame_id
    assert same.size == first.size and not same.is_card
    server.paint("#805020")
    other = await desktop.screenshot(cursor=False, if_changed_since=first.frame_id)
    assert not other.is_unchanged and pixels(other.to_pil()) == pixels(server.picture())
    server.paint()


async def test_too_large_is_a_card(desktop: Any) -> None:
    frame = await desktop.screenshot(max_bytes=100)
    assert frame.is_card and frame.failure is not None and frame.region is None
    assert (frame.failure.reason, frame.failure.stage) == ("TOO_LARGE", "ENCODE")
    assert frame.to_pil().size == frame.size
    with pytest.raises(CaptureFailed) as failed:
        frame.check()
    assert failed.value.reason == "TOO_LARGE"
    with pytest.raises(StaleTarget) as refused:
        await desktop.screenshot(region=(0, 0, 10, 10), space=frame)
    assert refused.value.reason == "FRAME_IS_CARD"


@pytest.mark.parametrize(
    "options",
    [
        {"size": (0, 10)},
        {"size": (10.5, 10)},
        {"size": 7},
        {"size": (64, 64), "fit": Fit(max_side=64)},
        {"format": "gif"},
        {"region": (0, 0, 0, 5)},
        {"region": (1, 2, 3)},
        {"fit": Fit()},
        {"timeout": 0},
        {"timeout": -1},
        {"timeout": "soon"},
    ],
)
async def test_wrong_options(desktop: Any, options: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await desktop.screenshot(**options)
    assert refused.value.reason == "INVALID_FIELD"


async def test_default_size_and_picture(connect: Any, daemon: Any, window: Any) -> None:
    sized = connect(daemon.address, size=(640, 400))
    assert (await sized.screenshot()).size == (640, 400)
    assert (await sized.screenshot(format="jpeg")).size == (1280, 800)
    chosen = connect(daemon.address, picture=Picture(fit=Fit(max_side=500), format="webp"))
    frame = await chosen.screenshot()
    assert (frame.size, frame.format) == ((500, 313), "webp")
    with pytest.raises(InvalidRequest):
        connect(daemon.address, size=(640, 400), picture=Picture())
