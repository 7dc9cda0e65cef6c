from deskd.v1 import control_pb2 as _control_pb2
from deskd.v1 import desktop_pb2 as _desktop_pb2
from deskd.v1 import frame_pb2 as _frame_pb2
from deskd.v1 import programs_pb2 as _programs_pb2
from deskd.v1 import reason_pb2 as _reason_pb2
from deskd.v1 import stack_pb2 as _stack_pb2
from deskd.v1 import windows_pb2 as _windows_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LogGapReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LOG_GAP_REASON_UNSPECIFIED: _ClassVar[LogGapReason]
    LOG_GAP_REASON_QUEUE_FULL: _ClassVar[LogGapReason]
    LOG_GAP_REASON_WRITE_FAILED: _ClassVar[LogGapReason]

class LogEndReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LOG_END_REASON_UNSPECIFIED: _ClassVar[LogEndReason]
    LOG_END_REASON_STOPPED: _ClassVar[LogEndReason]
    LOG_END_REASON_SHUTDOWN: _ClassVar[LogEndReason]
    LOG_END_REASON_SIZE: _ClassVar[LogEndReason]
    LOG_END_REASON_DURATION: _ClassVar[LogEndReason]
LOG_GAP_REASON_UNSPECIFIED: LogGapReason
LOG_GAP_REASON_QUEUE_FULL: LogGapReason
LOG_GAP_REASON_WRITE_FAILED: LogGapReason
LOG_END_REASON_UNSPECIFIED: LogEndReason
LOG_END_REASON_STOPPED: LogEndReason
LOG_END_REASON_SHUTDOWN: LogEndReason
LOG_END_REASON_SIZE: LogEndReason
LOG_END_REASON_DURATION: LogEndReason

class LogRecord(_message.Message):
    __slots__ = ("at", "start", "screen", "pointer_image", "frame", "step_began", "step_ended", "call", "control", "display", "stack", "gap", "end")
    AT_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    SCREEN_FIELD_NUMBER: _ClassVar[int]
    POINTER_IMAGE_FIELD_NUMBER: _ClassVar[int]
    FRAME_FIELD_NUMBER: _ClassVar[int]
    STEP_BEGAN_FIELD_NUMBER: _ClassVar[int]
    STEP_ENDED_FIELD_NUMBER: _ClassVar[int]
    CALL_FIELD_NUMBER: _ClassVar[int]
    CONTROL_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_FIELD_NUMBER: _ClassVar[int]
    STACK_FIELD_NUMBER: _ClassVar[int]
    GAP_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    at: _duration_pb2.Duration
    start: LogStart
    screen: LogScreen
    pointer_image: LogPointerImage
    frame: LogFrame
    step_began: LogStepBegan
    step_ended: LogStepEnded
    call: LogCall
    control: _control_pb2.ControlState
    display: LogDisplay
    stack: _stack_pb2.StageEvent
    gap: LogGap
    end: LogEnd
    def __init__(self, at: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., start: _Optional[_Union[LogStart, _Mapping]] = ..., screen: _Optional[_Union[LogScreen, _Mapping]] = ..., pointer_image: _Optional[_Union[LogPointerImage, _Mapping]] = ..., frame: _Optional[_Union[LogFrame, _Mapping]] = ..., step_began: _Optional[_Union[LogStepBegan, _Mapping]] = ..., step_ended: _Optional[_Union[LogStepEnded, _Mapping]] = ..., call: _Optional[_Union[LogCall, _Mapping]] = ..., control: _Optional[_Union[_control_pb2.ControlState, _Mapping]] = ..., display: _Optional[_Union[LogDisplay, _Mapping]] = ..., stack: _Optional[_Union[_stack_pb2.StageEvent, _Mapping]] = ..., gap: _Optional[_Union[LogGap, _Mapping]] = ..., end: _Optional[_Union[LogEnd, _Mapping]] = ...) -> None: ...

class LogStart(_message.Message):
    __slots__ = ("version", "instance_id", "display", "began_at", "name", "typed_text")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_FIELD_NUMBER: _ClassVar[int]
    BEGAN_AT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    TYPED_TEXT_FIELD_NUMBER: _ClassVar[int]
    version: str
    instance_id: str
    display: str
    began_at: _timestamp_pb2.Timestamp
    name: str
    typed_text: bool
    def __init__(self, version: _Optional[str] = ..., instance_id: _Optional[str] = ..., display: _Optional[str] = ..., began_at: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., name: _Optional[str] = ..., typed_text: bool = ...) -> None: ...

class LogScreen(_message.Message):
    __slots__ = ("number", "capture_time", "key", "size", "parts", "pointer", "pointer_image")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    CAPTURE_TIME_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    POINTER_FIELD_NUMBER: _ClassVar[int]
    POINTER_IMAGE_FIELD_NUMBER: _ClassVar[int]
    number: int
    capture_time: _timestamp_pb2.Timestamp
    key: bool
    size: _frame_pb2.Size
    parts: _containers.RepeatedCompositeFieldContainer[_desktop_pb2.ChangedRegion]
    pointer: _frame_pb2.Point
    pointer_image: int
    def __init__(self, number: _Optional[int] = ..., capture_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., key: bool = ..., size: _Optional[_Union[_frame_pb2.Size, _Mapping]] = ..., parts: _Optional[_Iterable[_Union[_desktop_pb2.ChangedRegion, _Mapping]]] = ..., pointer: _Optional[_Union[_frame_pb2.Point, _Mapping]] = ..., pointer_image: _Optional[int] = ...) -> None: ...

class LogPointerImage(_message.Message):
    __slots__ = ("number", "size", "hotspot", "pixels")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    HOTSPOT_FIELD_NUMBER: _ClassVar[int]
    PIXELS_FIELD_NUMBER: _ClassVar[int]
    number: int
    size: _frame_pb2.Size
    hotspot: _frame_pb2.Point
    pixels: bytes
    def __init__(self, number: _Optional[int] = ..., size: _Optional[_Union[_frame_pb2.Size, _Mapping]] = ..., hotspot: _Optional[_Union[_frame_pb2.Point, _Mapping]] = ..., pixels: _Optional[bytes] = ...) -> None: ...

class LogFrame(_message.Message):
    __slots__ = ("frame_id", "kind", "screen", "region", "size", "format", "quality", "pointer", "failure", "image", "compact")
    FRAME_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    SCREEN_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    QUALITY_FIELD_NUMBER: _ClassVar[int]
    POINTER_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    COMPACT_FIELD_NUMBER: _ClassVar[int]
    frame_id: str
    kind: _frame_pb2.FrameKind
    screen: int
    region: _frame_pb2.Region
    size: _frame_pb2.Size
    format: _frame_pb2.ImageFormat
    quality: int
    pointer: bool
    failure: _frame_pb2.Failure
    image: bytes
    compact: bool
    def __init__(self, frame_id: _Optional[str] = ..., kind: _Optional[_Union[_frame_pb2.FrameKind, str]] = ..., screen: _Optional[int] = ..., region: _Optional[_Union[_frame_pb2.Region, _Mapping]] = ..., size: _Optional[_Union[_frame_pb2.Size, _Mapping]] = ..., format: _Optional[_Union[_frame_pb2.ImageFormat, str]] = ..., quality: _Optional[int] = ..., pointer: bool = ..., failure: _Optional[_Union[_frame_pb2.Failure, _Mapping]] = ..., image: _Optional[bytes] = ..., compact: bool = ...) -> None: ...

class LogStepBegan(_message.Message):
    __slots__ = ("step", "request", "redactions", "in_viewer", "omitted_bytes")
    STEP_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    REDACTIONS_FIELD_NUMBER: _ClassVar[int]
    IN_VIEWER_FIELD_NUMBER: _ClassVar[int]
    OMITTED_BYTES_FIELD_NUMBER: _ClassVar[int]
    step: int
    request: _desktop_pb2.ActRequest
    redactions: _containers.RepeatedCompositeFieldContainer[LogRedaction]
    in_viewer: bool
    omitted_bytes: int
    def __init__(self, step: _Optional[int] = ..., request: _Optional[_Union[_desktop_pb2.ActRequest, _Mapping]] = ..., redactions: _Optional[_Iterable[_Union[LogRedaction, _Mapping]]] = ..., in_viewer: bool = ..., omitted_bytes: _Optional[int] = ...) -> None: ...

class LogRedaction(_message.Message):
    __slots__ = ("action", "characters")
    ACTION_FIELD_NUMBER: _ClassVar[int]
    CHARACTERS_FIELD_NUMBER: _ClassVar[int]
    action: int
    characters: int
    def __init__(self, action: _Optional[int] = ..., characters: _Optional[int] = ...) -> None: ...

class LogStepEnded(_message.Message):
    __slots__ = ("step", "response", "refused", "took", "screen")
    STEP_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    TOOK_FIELD_NUMBER: _ClassVar[int]
    SCREEN_FIELD_NUMBER: _ClassVar[int]
    step: int
    response: _desktop_pb2.ActResponse
    refused: LogRefusal
    took: _duration_pb2.Duration
    screen: int
    def __init__(self, step: _Optional[int] = ..., response: _Optional[_Union[_desktop_pb2.ActResponse, _Mapping]] = ..., refused: _Optional[_Union[LogRefusal, _Mapping]] = ..., took: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., screen: _Optional[int] = ...) -> None: ...

class LogRefusal(_message.Message):
    __slots__ = ("code", "reason", "message")
    CODE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    code: int
    reason: _reason_pb2.Reason
    message: str
    def __init__(self, code: _Optional[int] = ..., reason: _Optional[_Union[_reason_pb2.Reason, str]] = ..., message: _Optional[str] = ...) -> None: ...

class LogCall(_message.Message):
    __slots__ = ("method", "change_window", "launch", "signal_program", "up", "set_geometry", "clipboard_bytes", "refused", "took")
    METHOD_FIELD_NUMBER: _ClassVar[int]
    CHANGE_WINDOW_FIELD_NUMBER: _ClassVar[int]
    LAUNCH_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_PROGRAM_FIELD_NUMBER: _ClassVar[int]
    UP_FIELD_NUMBER: _ClassVar[int]
    SET_GEOMETRY_FIELD_NUMBER: _ClassVar[int]
    CLIPBOARD_BYTES_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    TOOK_FIELD_NUMBER: _ClassVar[int]
    method: str
    change_window: _windows_pb2.ChangeWindowRequest
    launch: _programs_pb2.LaunchRequest
    signal_program: _programs_pb2.SignalProgramRequest
    up: _stack_pb2.UpRequest
    set_geometry: _stack_pb2.SetGeometryRequest
    clipboard_bytes: int
    refused: LogRefusal
    took: _duration_pb2.Duration
    def __init__(self, method: _Optional[str] = ..., change_window: _Optional[_Union[_windows_pb2.ChangeWindowRequest, _Mapping]] = ..., launch: _Optional[_Union[_programs_pb2.LaunchRequest, _Mapping]] = ..., signal_program: _Optional[_Union[_programs_pb2.SignalProgramRequest, _Mapping]] = ..., up: _Optional[_Union[_stack_pb2.UpRequest, _Mapping]] = ..., set_geometry: _Optional[_Union[_stack_pb2.SetGeometryRequest, _Mapping]] = ..., clipboard_bytes: _Optional[int] = ..., refused: _Optional[_Union[LogRefusal, _Mapping]] = ..., took: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class LogDisplay(_message.Message):
    __slots__ = ("connected", "server_generation", "geometry_epoch", "size", "failure")
    CONNECTED_FIELD_NUMBER: _ClassVar[int]
    SERVER_GENERATION_FIELD_NUMBER: _ClassVar[int]
    GEOMETRY_EPOCH_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    connected: bool
    server_generation: str
    geometry_epoch: int
    size: _frame_pb2.Size
    failure: _frame_pb2.Failure
    def __init__(self, connected: bool = ..., server_generation: _Optional[str] = ..., geometry_epoch: _Optional[int] = ..., size: _Optional[_Union[_frame_pb2.Size, _Mapping]] = ..., failure: _Optional[_Union[_frame_pb2.Failure, _Mapping]] = ...) -> None: ...

class LogGap(_message.Message):
    __slots__ = ("records", "reason", "message")
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    records: int
    reason: LogGapReason
    message: str
    def __init__(self, records: _Optional[int] = ..., reason: _Optional[_Union[LogGapReason, str]] = ..., message: _Optional[str] = ...) -> None: ...

class LogEnd(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: LogEndReason
    def __init__(self, reason: _Optional[_Union[LogEndReason, str]] = ...) -> None: ...
