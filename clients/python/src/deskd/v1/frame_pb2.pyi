from deskd.v1 import reason_pb2 as _reason_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ImageFormat(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    IMAGE_FORMAT_UNSPECIFIED: _ClassVar[ImageFormat]
    IMAGE_FORMAT_PNG: _ClassVar[ImageFormat]
    IMAGE_FORMAT_JPEG: _ClassVar[ImageFormat]
    IMAGE_FORMAT_WEBP: _ClassVar[ImageFormat]
    IMAGE_FORMAT_RAW_BGRX: _ClassVar[ImageFormat]

class FrameKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FRAME_KIND_UNSPECIFIED: _ClassVar[FrameKind]
    FRAME_KIND_SCREEN: _ClassVar[FrameKind]
    FRAME_KIND_UNCHANGED: _ClassVar[FrameKind]
    FRAME_KIND_FAILURE_CARD: _ClassVar[FrameKind]

class FailureStage(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FAILURE_STAGE_UNSPECIFIED: _ClassVar[FailureStage]
    FAILURE_STAGE_CONNECT: _ClassVar[FailureStage]
    FAILURE_STAGE_AUTH: _ClassVar[FailureStage]
    FAILURE_STAGE_DISPLAY: _ClassVar[FailureStage]
    FAILURE_STAGE_PAINT: _ClassVar[FailureStage]
    FAILURE_STAGE_CAPTURE: _ClassVar[FailureStage]
    FAILURE_STAGE_TIMEOUT: _ClassVar[FailureStage]
    FAILURE_STAGE_ENCODE: _ClassVar[FailureStage]
    FAILURE_STAGE_SHUTDOWN: _ClassVar[FailureStage]
    FAILURE_STAGE_INPUT: _ClassVar[FailureStage]

class CaptureMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CAPTURE_MODE_UNSPECIFIED: _ClassVar[CaptureMode]
    CAPTURE_MODE_SHM_FD: _ClassVar[CaptureMode]
    CAPTURE_MODE_SHM_SYSV: _ClassVar[CaptureMode]
    CAPTURE_MODE_GET_IMAGE: _ClassVar[CaptureMode]

class PaintProfile(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PAINT_PROFILE_UNSPECIFIED: _ClassVar[PaintProfile]
    PAINT_PROFILE_XFCE: _ClassVar[PaintProfile]
    PAINT_PROFILE_ANY: _ClassVar[PaintProfile]

class PaintVerdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PAINT_VERDICT_UNSPECIFIED: _ClassVar[PaintVerdict]
    PAINT_VERDICT_NO_DISPLAY: _ClassVar[PaintVerdict]
    PAINT_VERDICT_BLANK: _ClassVar[PaintVerdict]
    PAINT_VERDICT_PARTIAL: _ClassVar[PaintVerdict]
    PAINT_VERDICT_UNSETTLED: _ClassVar[PaintVerdict]
    PAINT_VERDICT_READY: _ClassVar[PaintVerdict]

class WindowRole(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    WINDOW_ROLE_UNSPECIFIED: _ClassVar[WindowRole]
    WINDOW_ROLE_WINDOW: _ClassVar[WindowRole]
    WINDOW_ROLE_DESKTOP: _ClassVar[WindowRole]
    WINDOW_ROLE_DOCK: _ClassVar[WindowRole]
    WINDOW_ROLE_WINDOW_MANAGER: _ClassVar[WindowRole]
IMAGE_FORMAT_UNSPECIFIED: ImageFormat
IMAGE_FORMAT_PNG: ImageFormat
IMAGE_FORMAT_JPEG: ImageFormat
IMAGE_FORMAT_WEBP: ImageFormat
IMAGE_FORMAT_RAW_BGRX: ImageFormat
FRAME_KIND_UNSPECIFIED: FrameKind
FRAME_KIND_SCREEN: FrameKind
FRAME_KIND_UNCHANGED: FrameKind
FRAME_KIND_FAILURE_CARD: FrameKind
FAILURE_STAGE_UNSPECIFIED: FailureStage
FAILURE_STAGE_CONNECT: FailureStage
FAILURE_STAGE_AUTH: FailureStage
FAILURE_STAGE_DISPLAY: FailureStage
FAILURE_STAGE_PAINT: FailureStage
FAILURE_STAGE_CAPTURE: FailureStage
FAILURE_STAGE_TIMEOUT: FailureStage
FAILURE_STAGE_ENCODE: FailureStage
FAILURE_STAGE_SHUTDOWN: FailureStage
FAILURE_STAGE_INPUT: FailureStage
CAPTURE_MODE_UNSPECIFIED: CaptureMode
CAPTURE_MODE_SHM_FD: CaptureMode
CAPTURE_MODE_SHM_SYSV: CaptureMode
CAPTURE_MODE_GET_IMAGE: CaptureMode
PAINT_PROFILE_UNSPECIFIED: PaintProfile
PAINT_PROFILE_XFCE: PaintProfile
PAINT_PROFILE_ANY: PaintProfile
PAINT_VERDICT_UNSPECIFIED: PaintVerdict
PAINT_VERDICT_NO_DISPLAY: PaintVerdict
PAINT_VERDICT_BLANK: PaintVerdict
PAINT_VERDICT_PARTIAL: PaintVerdict
PAINT_VERDICT_UNSETTLED: PaintVerdict
PAINT_VERDICT_READY: PaintVerdict
WINDOW_ROLE_UNSPECIFIED: WindowRole
WINDOW_ROLE_WINDOW: WindowRole
WINDOW_ROLE_DESKTOP: WindowRole
WINDOW_ROLE_DOCK: WindowRole
WINDOW_ROLE_WINDOW_MANAGER: WindowRole

class Size(_message.Message):
    __slots__ = ("width", "height")
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    width: int
    height: int
    def __init__(self, width: _Optional[int] = ..., height: _Optional[int] = ...) -> None: ...

class Point(_message.Message):
    __slots__ = ("x", "y")
    X_FIELD_NUMBER: _ClassVar[int]
    Y_FIELD_NUMBER: _ClassVar[int]
    x: int
    y: int
    def __init__(self, x: _Optional[int] = ..., y: _Optional[int] = ...) -> None: ...

class Region(_message.Message):
    __slots__ = ("x", "y", "width", "height")
    X_FIELD_NUMBER: _ClassVar[int]
    Y_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    x: int
    y: int
    width: int
    height: int
    def __init__(self, x: _Optional[int] = ..., y: _Optional[int] = ..., width: _Optional[int] = ..., height: _Optional[int] = ...) -> None: ...

class CoordinateSpace(_message.Message):
    __slots__ = ("frame_id", "size", "screen")
    FRAME_ID_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    SCREEN_FIELD_NUMBER: _ClassVar[int]
    frame_id: str
    size: Size
    screen: ScreenSpace
    def __init__(self, frame_id: _Optional[str] = ..., size: _Optional[_Union[Size, _Mapping]] = ..., screen: _Optional[_Union[ScreenSpace, _Mapping]] = ...) -> None: ...

class ScreenSpace(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Failure(_message.Message):
    __slots__ = ("stage", "reason", "message", "retryable")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    RETRYABLE_FIELD_NUMBER: _ClassVar[int]
    stage: FailureStage
    reason: _reason_pb2.Reason
    message: str
    retryable: bool
    def __init__(self, stage: _Optional[_Union[FailureStage, str]] = ..., reason: _Optional[_Union[_reason_pb2.Reason, str]] = ..., message: _Optional[str] = ..., retryable: bool = ...) -> None: ...

class Frame(_message.Message):
    __slots__ = ("image", "format", "width", "height", "stride", "region", "screen_width", "screen_height", "frame_id", "server_generation", "geometry_epoch", "control_epoch", "capture_time", "kind", "failure", "paint", "cursor", "timings", "capture_mode")
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    STRIDE_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    SCREEN_WIDTH_FIELD_NUMBER: _ClassVar[int]
    SCREEN_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    FRAME_ID_FIELD_NUMBER: _ClassVar[int]
    SERVER_GENERATION_FIELD_NUMBER: _ClassVar[int]
    GEOMETRY_EPOCH_FIELD_NUMBER: _ClassVar[int]
    CONTROL_EPOCH_FIELD_NUMBER: _ClassVar[int]
    CAPTURE_TIME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    PAINT_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_FIELD_NUMBER: _ClassVar[int]
    CAPTURE_MODE_FIELD_NUMBER: _ClassVar[int]
    image: bytes
    format: ImageFormat
    width: int
    height: int
    stride: int
    region: Region
    screen_width: int
    screen_height: int
    frame_id: str
    server_generation: str
    geometry_epoch: int
    control_epoch: int
    capture_time: _timestamp_pb2.Timestamp
    kind: FrameKind
    failure: Failure
    paint: PaintEvidence
    cursor: Cursor
    timings: FrameTimings
    capture_mode: CaptureMode
    def __init__(self, image: _Optional[bytes] = ..., format: _Optional[_Union[ImageFormat, str]] = ..., width: _Optional[int] = ..., height: _Optional[int] = ..., stride: _Optional[int] = ..., region: _Optional[_Union[Region, _Mapping]] = ..., screen_width: _Optional[int] = ..., screen_height: _Optional[int] = ..., frame_id: _Optional[str] = ..., server_generation: _Optional[str] = ..., geometry_epoch: _Optional[int] = ..., control_epoch: _Optional[int] = ..., capture_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., kind: _Optional[_Union[FrameKind, str]] = ..., failure: _Optional[_Union[Failure, _Mapping]] = ..., paint: _Optional[_Union[PaintEvidence, _Mapping]] = ..., cursor: _Optional[_Union[Cursor, _Mapping]] = ..., timings: _Optional[_Union[FrameTimings, _Mapping]] = ..., capture_mode: _Optional[_Union[CaptureMode, str]] = ...) -> None: ...

class FrameTimings(_message.Message):
    __slots__ = ("wait", "capture", "encode")
    WAIT_FIELD_NUMBER: _ClassVar[int]
    CAPTURE_FIELD_NUMBER: _ClassVar[int]
    ENCODE_FIELD_NUMBER: _ClassVar[int]
    wait: _duration_pb2.Duration
    capture: _duration_pb2.Duration
    encode: _duration_pb2.Duration
    def __init__(self, wait: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., capture: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., encode: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class Cursor(_message.Message):
    __slots__ = ("position", "visible", "size", "hotspot", "left_out")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    VISIBLE_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    HOTSPOT_FIELD_NUMBER: _ClassVar[int]
    LEFT_OUT_FIELD_NUMBER: _ClassVar[int]
    position: Point
    visible: bool
    size: Size
    hotspot: Point
    left_out: bool
    def __init__(self, position: _Optional[_Union[Point, _Mapping]] = ..., visible: bool = ..., size: _Optional[_Union[Size, _Mapping]] = ..., hotspot: _Optional[_Union[Point, _Mapping]] = ..., left_out: bool = ...) -> None: ...

class PaintProbe(_message.Message):
    __slots__ = ("elapsed", "bytes")
    ELAPSED_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    elapsed: _duration_pb2.Duration
    bytes: int
    def __init__(self, elapsed: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., bytes: _Optional[int] = ...) -> None: ...

class PaintWindow(_message.Message):
    __slots__ = ("role", "window", "region", "viewable", "drawn", "pongs")
    ROLE_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    VIEWABLE_FIELD_NUMBER: _ClassVar[int]
    DRAWN_FIELD_NUMBER: _ClassVar[int]
    PONGS_FIELD_NUMBER: _ClassVar[int]
    role: WindowRole
    window: int
    region: Region
    viewable: bool
    drawn: bool
    pongs: int
    def __init__(self, role: _Optional[_Union[WindowRole, str]] = ..., window: _Optional[int] = ..., region: _Optional[_Union[Region, _Mapping]] = ..., viewable: bool = ..., drawn: bool = ..., pongs: _Optional[int] = ...) -> None: ...

class PaintEvidence(_message.Message):
    __slots__ = ("verdict", "profile", "probes", "floor_bytes", "size_rule_settled", "windows", "quiet", "animated", "missing", "elapsed", "slowest_pong")
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    PROBES_FIELD_NUMBER: _ClassVar[int]
    FLOOR_BYTES_FIELD_NUMBER: _ClassVar[int]
    SIZE_RULE_SETTLED_FIELD_NUMBER: _ClassVar[int]
    WINDOWS_FIELD_NUMBER: _ClassVar[int]
    QUIET_FIELD_NUMBER: _ClassVar[int]
    ANIMATED_FIELD_NUMBER: _ClassVar[int]
    MISSING_FIELD_NUMBER: _ClassVar[int]
    ELAPSED_FIELD_NUMBER: _ClassVar[int]
    SLOWEST_PONG_FIELD_NUMBER: _ClassVar[int]
    verdict: PaintVerdict
    profile: PaintProfile
    probes: _containers.RepeatedCompositeFieldContainer[PaintProbe]
    floor_bytes: int
    size_rule_settled: bool
    windows: _containers.RepeatedCompositeFieldContainer[PaintWindow]
    quiet: _duration_pb2.Duration
    animated: _containers.RepeatedCompositeFieldContainer[Region]
    missing: _containers.RepeatedScalarFieldContainer[str]
    elapsed: _duration_pb2.Duration
    slowest_pong: _duration_pb2.Duration
    def __init__(self, verdict: _Optional[_Union[PaintVerdict, str]] = ..., profile: _Optional[_Union[PaintProfile, str]] = ..., probes: _Optional[_Iterable[_Union[PaintProbe, _Mapping]]] = ..., floor_bytes: _Optional[int] = ..., size_rule_settled: bool = ..., windows: _Optional[_Iterable[_Union[PaintWindow, _Mapping]]] = ..., quiet: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., animated: _Optional[_Iterable[_Union[Region, _Mapping]]] = ..., missing: _Optional[_Iterable[str]] = ..., elapsed: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., slowest_pong: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...
