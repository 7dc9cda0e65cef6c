from deskd.v1 import frame_pb2 as _frame_pb2
from deskd.v1 import window_pb2 as _window_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CaptureOptions(_message.Message):
    __slots__ = ("format", "quality", "region", "size", "fit", "include_cursor", "max_image_bytes", "coordinate_space", "window")
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    QUALITY_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    FIT_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_CURSOR_FIELD_NUMBER: _ClassVar[int]
    MAX_IMAGE_BYTES_FIELD_NUMBER: _ClassVar[int]
    COORDINATE_SPACE_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    format: _frame_pb2.ImageFormat
    quality: int
    region: _frame_pb2.Region
    size: _frame_pb2.Size
    fit: Fit
    include_cursor: bool
    max_image_bytes: int
    coordinate_space: _frame_pb2.CoordinateSpace
    window: WindowImage
    def __init__(self, format: _Optional[_Union[_frame_pb2.ImageFormat, str]] = ..., quality: _Optional[int] = ..., region: _Optional[_Union[_frame_pb2.Region, _Mapping]] = ..., size: _Optional[_Union[_frame_pb2.Size, _Mapping]] = ..., fit: _Optional[_Union[Fit, _Mapping]] = ..., include_cursor: bool = ..., max_image_bytes: _Optional[int] = ..., coordinate_space: _Optional[_Union[_frame_pb2.CoordinateSpace, _Mapping]] = ..., window: _Optional[_Union[WindowImage, _Mapping]] = ...) -> None: ...

class WindowImage(_message.Message):
    __slots__ = ("window", "with_popups")
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    WITH_POPUPS_FIELD_NUMBER: _ClassVar[int]
    window: _window_pb2.WindowTarget
    with_popups: bool
    def __init__(self, window: _Optional[_Union[_window_pb2.WindowTarget, _Mapping]] = ..., with_popups: bool = ...) -> None: ...

class Fit(_message.Message):
    __slots__ = ("max_side", "max_pixels", "tiles", "multiple_of", "may_enlarge")
    MAX_SIDE_FIELD_NUMBER: _ClassVar[int]
    MAX_PIXELS_FIELD_NUMBER: _ClassVar[int]
    TILES_FIELD_NUMBER: _ClassVar[int]
    MULTIPLE_OF_FIELD_NUMBER: _ClassVar[int]
    MAY_ENLARGE_FIELD_NUMBER: _ClassVar[int]
    max_side: int
    max_pixels: int
    tiles: Tiles
    multiple_of: int
    may_enlarge: bool
    def __init__(self, max_side: _Optional[int] = ..., max_pixels: _Optional[int] = ..., tiles: _Optional[_Union[Tiles, _Mapping]] = ..., multiple_of: _Optional[int] = ..., may_enlarge: bool = ...) -> None: ...

class Tiles(_message.Message):
    __slots__ = ("size", "max_count")
    SIZE_FIELD_NUMBER: _ClassVar[int]
    MAX_COUNT_FIELD_NUMBER: _ClassVar[int]
    size: int
    max_count: int
    def __init__(self, size: _Optional[int] = ..., max_count: _Optional[int] = ...) -> None: ...
