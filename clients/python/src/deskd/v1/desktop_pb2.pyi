from deskd.v1 import action_pb2 as _action_pb2
from deskd.v1 import capture_pb2 as _capture_pb2
from deskd.v1 import condition_pb2 as _condition_pb2
from deskd.v1 import frame_pb2 as _frame_pb2
from deskd.v1 import reason_pb2 as _reason_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DisplaySocket(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DISPLAY_SOCKET_UNSPECIFIED: _ClassVar[DisplaySocket]
    DISPLAY_SOCKET_PATH: _ClassVar[DisplaySocket]
    DISPLAY_SOCKET_ABSTRACT: _ClassVar[DisplaySocket]

class Isolation(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ISOLATION_UNSPECIFIED: _ClassVar[Isolation]
    ISOLATION_NONE: _ClassVar[Isolation]
    ISOLATION_USER: _ClassVar[Isolation]

class Feature(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FEATURE_UNSPECIFIED: _ClassVar[Feature]
    FEATURE_SCREENSHOT: _ClassVar[Feature]
    FEATURE_CURSOR: _ClassVar[Feature]
    FEATURE_PAINT_GATE: _ClassVar[Feature]
    FEATURE_EXPECTED_WINDOWS: _ClassVar[Feature]
    FEATURE_WATCH: _ClassVar[Feature]
    FEATURE_WEBP: _ClassVar[Feature]
    FEATURE_SHARED_MEMORY: _ClassVar[Feature]
    FEATURE_ACT: _ClassVar[Feature]
    FEATURE_TYPE: _ClassVar[Feature]
    FEATURE_PASTE: _ClassVar[Feature]
    FEATURE_PACING: _ClassVar[Feature]
    FEATURE_MOVE_MODIFIERS: _ClassVar[Feature]
    FEATURE_STACK: _ClassVar[Feature]
    FEATURE_FIT: _ClassVar[Feature]
    FEATURE_SCREENSHOT_ACTION: _ClassVar[Feature]
    FEATURE_ON_FAILURE: _ClassVar[Feature]
    FEATURE_WINDOWS: _ClassVar[Feature]
    FEATURE_WAIT_FOR: _ClassVar[Feature]
    FEATURE_WINDOW_IMAGE: _ClassVar[Feature]
    FEATURE_CLIPBOARD: _ClassVar[Feature]
    FEATURE_PROGRAMS: _ClassVar[Feature]
    FEATURE_CONTROL: _ClassVar[Feature]
    FEATURE_RECORDER: _ClassVar[Feature]

class OnFailure(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ON_FAILURE_UNSPECIFIED: _ClassVar[OnFailure]
    ON_FAILURE_REFUSE_ALL: _ClassVar[OnFailure]
    ON_FAILURE_STOP_AT_FIRST: _ClassVar[OnFailure]

class ActOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ACT_OUTCOME_UNSPECIFIED: _ClassVar[ActOutcome]
    ACT_OUTCOME_DONE: _ClassVar[ActOutcome]
    ACT_OUTCOME_PARTIAL: _ClassVar[ActOutcome]
    ACT_OUTCOME_CANCELLED: _ClassVar[ActOutcome]
    ACT_OUTCOME_DEADLINE: _ClassVar[ActOutcome]
    ACT_OUTCOME_UNKNOWN: _ClassVar[ActOutcome]

class TextMethod(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TEXT_METHOD_UNSPECIFIED: _ClassVar[TextMethod]
    TEXT_METHOD_KEY: _ClassVar[TextMethod]
    TEXT_METHOD_BOUND_KEY: _ClassVar[TextMethod]
    TEXT_METHOD_SELECTION: _ClassVar[TextMethod]
    TEXT_METHOD_SEVERAL: _ClassVar[TextMethod]

class ActionStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ACTION_STATUS_UNSPECIFIED: _ClassVar[ActionStatus]
    ACTION_STATUS_DONE: _ClassVar[ActionStatus]
    ACTION_STATUS_FAILED: _ClassVar[ActionStatus]
    ACTION_STATUS_NOT_EXECUTED: _ClassVar[ActionStatus]
    ACTION_STATUS_UNKNOWN: _ClassVar[ActionStatus]

class SettleState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SETTLE_STATE_UNSPECIFIED: _ClassVar[SettleState]
    SETTLE_STATE_QUIET: _ClassVar[SettleState]
    SETTLE_STATE_NO_CHANGE: _ClassVar[SettleState]
    SETTLE_STATE_TIMEOUT: _ClassVar[SettleState]
    SETTLE_STATE_DEADLINE: _ClassVar[SettleState]
    SETTLE_STATE_SKIPPED: _ClassVar[SettleState]
DISPLAY_SOCKET_UNSPECIFIED: DisplaySocket
DISPLAY_SOCKET_PATH: DisplaySocket
DISPLAY_SOCKET_ABSTRACT: DisplaySocket
ISOLATION_UNSPECIFIED: Isolation
ISOLATION_NONE: Isolation
ISOLATION_USER: Isolation
FEATURE_UNSPECIFIED: Feature
FEATURE_SCREENSHOT: Feature
FEATURE_CURSOR: Feature
FEATURE_PAINT_GATE: Feature
FEATURE_EXPECTED_WINDOWS: Feature
FEATURE_WATCH: Feature
FEATURE_WEBP: Feature
FEATURE_SHARED_MEMORY: Feature
FEATURE_ACT: Feature
FEATURE_TYPE: Feature
FEATURE_PASTE: Feature
FEATURE_PACING: Feature
FEATURE_MOVE_MODIFIERS: Feature
FEATURE_STACK: Feature
FEATURE_FIT: Feature
FEATURE_SCREENSHOT_ACTION: Feature
FEATURE_ON_FAILURE: Feature
FEATURE_WINDOWS: Feature
FEATURE_WAIT_FOR: Feature
FEATURE_WINDOW_IMAGE: Feature
FEATURE_CLIPBOARD: Feature
FEATURE_PROGRAMS: Feature
FEATURE_CONTROL: Feature
FEATURE_RECORDER: Feature
ON_FAILURE_UNSPECIFIED: OnFailure
ON_FAILURE_REFUSE_ALL: OnFailure
ON_FAILURE_STOP_AT_FIRST: OnFailure
ACT_OUTCOME_UNSPECIFIED: ActOutcome
ACT_OUTCOME_DONE: ActOutcome
ACT_OUTCOME_PARTIAL: ActOutcome
ACT_OUTCOME_CANCELLED: ActOutcome
ACT_OUTCOME_DEADLINE: ActOutcome
ACT_OUTCOME_UNKNOWN: ActOutcome
TEXT_METHOD_UNSPECIFIED: TextMethod
TEXT_METHOD_KEY: TextMethod
TEXT_METHOD_BOUND_KEY: TextMethod
TEXT_METHOD_SELECTION: TextMethod
TEXT_METHOD_SEVERAL: TextMethod
ACTION_STATUS_UNSPECIFIED: ActionStatus
ACTION_STATUS_DONE: ActionStatus
ACTION_STATUS_FAILED: ActionStatus
ACTION_STATUS_NOT_EXECUTED: ActionStatus
ACTION_STATUS_UNKNOWN: ActionStatus
SETTLE_STATE_UNSPECIFIED: SettleState
SETTLE_STATE_QUIET: SettleState
SETTLE_STATE_NO_CHANGE: SettleState
SETTLE_STATE_TIMEOUT: SettleState
SETTLE_STATE_DEADLINE: SettleState
SETTLE_STATE_SKIPPED: SettleState

class GetInfoRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetInfoResponse(_message.Message):
    __slots__ = ("version", "instance_id", "boot_id", "display", "connected", "failure", "geometry", "server_generation", "geometry_epoch", "capture_mode", "capture_mode_reason", "isolation", "limits", "features", "display_socket", "no_new_privs", "xauthority")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    BOOT_ID_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_FIELD_NUMBER: _ClassVar[int]
    CONNECTED_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    GEOMETRY_FIELD_NUMBER: _ClassVar[int]
    SERVER_GENERATION_FIELD_NUMBER: _ClassVar[int]
    GEOMETRY_EPOCH_FIELD_NUMBER: _ClassVar[int]
    CAPTURE_MODE_FIELD_NUMBER: _ClassVar[int]
    CAPTURE_MODE_REASON_FIELD_NUMBER: _ClassVar[int]
    ISOLATION_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_SOCKET_FIELD_NUMBER: _ClassVar[int]
    NO_NEW_PRIVS_FIELD_NUMBER: _ClassVar[int]
    XAUTHORITY_FIELD_NUMBER: _ClassVar[int]
    version: str
    instance_id: str
    boot_id: str
    display: str
    connected: bool
    failure: _frame_pb2.Failure
    geometry: Geometry
    server_generation: str
    geometry_epoch: int
    capture_mode: _frame_pb2.CaptureMode
    capture_mode_reason: str
    isolation: Isolation
    limits: Limits
    features: _containers.RepeatedCompositeFieldContainer[FeatureStatus]
    display_socket: DisplaySocket
    no_new_privs: bool
    xauthority: str
    def __init__(self, version: _Optional[str] = ..., instance_id: _Optional[str] = ..., boot_id: _Optional[str] = ..., display: _Optional[str] = ..., connected: bool = ..., failure: _Optional[_Union[_frame_pb2.Failure, _Mapping]] = ..., geometry: _Optional[_Union[Geometry, _Mapping]] = ..., server_generation: _Optional[str] = ..., geometry_epoch: _Optional[int] = ..., capture_mode: _Optional[_Union[_frame_pb2.CaptureMode, str]] = ..., capture_mode_reason: _Optional[str] = ..., isolation: _Optional[_Union[Isolation, str]] = ..., limits: _Optional[_Union[Limits, _Mapping]] = ..., features: _Optional[_Iterable[_Union[FeatureStatus, _Mapping]]] = ..., display_socket: _Optional[_Union[DisplaySocket, str]] = ..., no_new_privs: bool = ..., xauthority: _Optional[str] = ...) -> None: ...

class Geometry(_message.Message):
    __slots__ = ("size", "dpi", "depth")
    SIZE_FIELD_NUMBER: _ClassVar[int]
    DPI_FIELD_NUMBER: _ClassVar[int]
    DEPTH_FIELD_NUMBER: _ClassVar[int]
    size: _frame_pb2.Size
    dpi: int
    depth: int
    def __init__(self, size: _Optional[_Union[_frame_pb2.Size, _Mapping]] = ..., dpi: _Optional[int] = ..., depth: _Optional[int] = ...) -> None: ...

class Limits(_message.Message):
    __slots__ = ("max_output_pixels", "default_max_image_bytes", "max_request_bytes", "max_connections", "max_streams", "frame_history", "max_text_bytes", "max_scroll_notches", "max_wait")
    MAX_OUTPUT_PIXELS_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_MAX_IMAGE_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_REQUEST_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_CONNECTIONS_FIELD_NUMBER: _ClassVar[int]
    MAX_STREAMS_FIELD_NUMBER: _ClassVar[int]
    FRAME_HISTORY_FIELD_NUMBER: _ClassVar[int]
    MAX_TEXT_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_SCROLL_NOTCHES_FIELD_NUMBER: _ClassVar[int]
    MAX_WAIT_FIELD_NUMBER: _ClassVar[int]
    max_output_pixels: int
    default_max_image_bytes: int
    max_request_bytes: int
    max_connections: int
    max_streams: int
    frame_history: int
    max_text_bytes: int
    max_scroll_notches: int
    max_wait: _duration_pb2.Duration
    def __init__(self, max_output_pixels: _Optional[int] = ..., default_max_image_bytes: _Optional[int] = ..., max_request_bytes: _Optional[int] = ..., max_connections: _Optional[int] = ..., max_streams: _Optional[int] = ..., frame_history: _Optional[int] = ..., max_text_bytes: _Optional[int] = ..., max_scroll_notches: _Optional[int] = ..., max_wait: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class FeatureStatus(_message.Message):
    __slots__ = ("feature", "available", "reason", "message")
    FEATURE_FIELD_NUMBER: _ClassVar[int]
    AVAILABLE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    feature: Feature
    available: bool
    reason: _reason_pb2.Reason
    message: str
    def __init__(self, feature: _Optional[_Union[Feature, str]] = ..., available: bool = ..., reason: _Optional[_Union[_reason_pb2.Reason, str]] = ..., message: _Optional[str] = ...) -> None: ...

class WaitReadyRequest(_message.Message):
    __slots__ = ("timeout", "profile", "allow_unsettled", "expected_windows")
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    ALLOW_UNSETTLED_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_WINDOWS_FIELD_NUMBER: _ClassVar[int]
    timeout: _duration_pb2.Duration
    profile: _frame_pb2.PaintProfile
    allow_unsettled: bool
    expected_windows: _containers.RepeatedCompositeFieldContainer[ExpectedWindow]
    def __init__(self, timeout: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., profile: _Optional[_Union[_frame_pb2.PaintProfile, str]] = ..., allow_unsettled: bool = ..., expected_windows: _Optional[_Iterable[_Union[ExpectedWindow, _Mapping]]] = ...) -> None: ...

class ExpectedWindow(_message.Message):
    __slots__ = ("title",)
    TITLE_FIELD_NUMBER: _ClassVar[int]
    CLASS_FIELD_NUMBER: _ClassVar[int]
    title: str
    def __init__(self, title: _Optional[str] = ..., **kwargs) -> None: ...

class WaitReadyResponse(_message.Message):
    __slots__ = ("evidence", "server_generation", "geometry_epoch")
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    SERVER_GENERATION_FIELD_NUMBER: _ClassVar[int]
    GEOMETRY_EPOCH_FIELD_NUMBER: _ClassVar[int]
    evidence: _frame_pb2.PaintEvidence
    server_generation: str
    geometry_epoch: int
    def __init__(self, evidence: _Optional[_Union[_frame_pb2.PaintEvidence, _Mapping]] = ..., server_generation: _Optional[str] = ..., geometry_epoch: _Optional[int] = ...) -> None: ...

class ScreenshotRequest(_message.Message):
    __slots__ = ("capture", "if_changed_since", "unproved")
    CAPTURE_FIELD_NUMBER: _ClassVar[int]
    IF_CHANGED_SINCE_FIELD_NUMBER: _ClassVar[int]
    UNPROVED_FIELD_NUMBER: _ClassVar[int]
    capture: _capture_pb2.CaptureOptions
    if_changed_since: str
    unproved: bool
    def __init__(self, capture: _Optional[_Union[_capture_pb2.CaptureOptions, _Mapping]] = ..., if_changed_since: _Optional[str] = ..., unproved: bool = ...) -> None: ...

class ScreenshotResponse(_message.Message):
    __slots__ = ("frame",)
    FRAME_FIELD_NUMBER: _ClassVar[int]
    frame: _frame_pb2.Frame
    def __init__(self, frame: _Optional[_Union[_frame_pb2.Frame, _Mapping]] = ...) -> None: ...

class Expect(_message.Message):
    __slots__ = ("server_generation", "geometry_epoch", "frame_id", "control_epoch")
    SERVER_GENERATION_FIELD_NUMBER: _ClassVar[int]
    GEOMETRY_EPOCH_FIELD_NUMBER: _ClassVar[int]
    FRAME_ID_FIELD_NUMBER: _ClassVar[int]
    CONTROL_EPOCH_FIELD_NUMBER: _ClassVar[int]
    server_generation: str
    geometry_epoch: int
    frame_id: str
    control_epoch: int
    def __init__(self, server_generation: _Optional[str] = ..., geometry_epoch: _Optional[int] = ..., frame_id: _Optional[str] = ..., control_epoch: _Optional[int] = ...) -> None: ...

class SettleOptions(_message.Message):
    __slots__ = ("skip", "timeout", "quiet")
    SKIP_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    QUIET_FIELD_NUMBER: _ClassVar[int]
    skip: bool
    timeout: _duration_pb2.Duration
    quiet: _duration_pb2.Duration
    def __init__(self, skip: bool = ..., timeout: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., quiet: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class ActRequest(_message.Message):
    __slots__ = ("operation_id", "instance_id", "actions", "coordinate_space", "expect", "settle", "capture", "unproved", "no_frame", "no_pacing", "on_failure")
    OPERATION_ID_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    ACTIONS_FIELD_NUMBER: _ClassVar[int]
    COORDINATE_SPACE_FIELD_NUMBER: _ClassVar[int]
    EXPECT_FIELD_NUMBER: _ClassVar[int]
    SETTLE_FIELD_NUMBER: _ClassVar[int]
    CAPTURE_FIELD_NUMBER: _ClassVar[int]
    UNPROVED_FIELD_NUMBER: _ClassVar[int]
    NO_FRAME_FIELD_NUMBER: _ClassVar[int]
    NO_PACING_FIELD_NUMBER: _ClassVar[int]
    ON_FAILURE_FIELD_NUMBER: _ClassVar[int]
    operation_id: str
    instance_id: str
    actions: _containers.RepeatedCompositeFieldContainer[_action_pb2.Action]
    coordinate_space: _frame_pb2.CoordinateSpace
    expect: Expect
    settle: SettleOptions
    capture: _capture_pb2.CaptureOptions
    unproved: bool
    no_frame: bool
    no_pacing: bool
    on_failure: OnFailure
    def __init__(self, operation_id: _Optional[str] = ..., instance_id: _Optional[str] = ..., actions: _Optional[_Iterable[_Union[_action_pb2.Action, _Mapping]]] = ..., coordinate_space: _Optional[_Union[_frame_pb2.CoordinateSpace, _Mapping]] = ..., expect: _Optional[_Union[Expect, _Mapping]] = ..., settle: _Optional[_Union[SettleOptions, _Mapping]] = ..., capture: _Optional[_Union[_capture_pb2.CaptureOptions, _Mapping]] = ..., unproved: bool = ..., no_frame: bool = ..., no_pacing: bool = ..., on_failure: _Optional[_Union[OnFailure, str]] = ...) -> None: ...

class TextRun(_message.Message):
    __slots__ = ("start", "characters", "method")
    START_FIELD_NUMBER: _ClassVar[int]
    CHARACTERS_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    start: int
    characters: int
    method: TextMethod
    def __init__(self, start: _Optional[int] = ..., characters: _Optional[int] = ..., method: _Optional[_Union[TextMethod, str]] = ...) -> None: ...

class ActionResult(_message.Message):
    __slots__ = ("status", "pointer", "characters", "runs", "failure", "elapsed", "clipboard_lost", "pacing", "unconfirmed", "frame", "settle", "wait_for")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    POINTER_FIELD_NUMBER: _ClassVar[int]
    CHARACTERS_FIELD_NUMBER: _ClassVar[int]
    RUNS_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    ELAPSED_FIELD_NUMBER: _ClassVar[int]
    CLIPBOARD_LOST_FIELD_NUMBER: _ClassVar[int]
    PACING_FIELD_NUMBER: _ClassVar[int]
    UNCONFIRMED_FIELD_NUMBER: _ClassVar[int]
    FRAME_FIELD_NUMBER: _ClassVar[int]
    SETTLE_FIELD_NUMBER: _ClassVar[int]
    WAIT_FOR_FIELD_NUMBER: _ClassVar[int]
    status: ActionStatus
    pointer: _frame_pb2.Point
    characters: int
    runs: _containers.RepeatedCompositeFieldContainer[TextRun]
    failure: _frame_pb2.Failure
    elapsed: _duration_pb2.Duration
    clipboard_lost: bool
    pacing: _duration_pb2.Duration
    unconfirmed: bool
    frame: _frame_pb2.Frame
    settle: SettleReport
    wait_for: _condition_pb2.WaitReport
    def __init__(self, status: _Optional[_Union[ActionStatus, str]] = ..., pointer: _Optional[_Union[_frame_pb2.Point, _Mapping]] = ..., characters: _Optional[int] = ..., runs: _Optional[_Iterable[_Union[TextRun, _Mapping]]] = ..., failure: _Optional[_Union[_frame_pb2.Failure, _Mapping]] = ..., elapsed: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., clipboard_lost: bool = ..., pacing: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., unconfirmed: bool = ..., frame: _Optional[_Union[_frame_pb2.Frame, _Mapping]] = ..., settle: _Optional[_Union[SettleReport, _Mapping]] = ..., wait_for: _Optional[_Union[_condition_pb2.WaitReport, _Mapping]] = ...) -> None: ...

class SettleReport(_message.Message):
    __slots__ = ("state", "waited", "changed", "excepted")
    STATE_FIELD_NUMBER: _ClassVar[int]
    WAITED_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    EXCEPTED_FIELD_NUMBER: _ClassVar[int]
    state: SettleState
    waited: _duration_pb2.Duration
    changed: _frame_pb2.Region
    excepted: _containers.RepeatedCompositeFieldContainer[_frame_pb2.Region]
    def __init__(self, state: _Optional[_Union[SettleState, str]] = ..., waited: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., changed: _Optional[_Union[_frame_pb2.Region, _Mapping]] = ..., excepted: _Optional[_Iterable[_Union[_frame_pb2.Region, _Mapping]]] = ...) -> None: ...

class ActResponse(_message.Message):
    __slots__ = ("outcome", "results", "settle", "frame", "replayed")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    SETTLE_FIELD_NUMBER: _ClassVar[int]
    FRAME_FIELD_NUMBER: _ClassVar[int]
    REPLAYED_FIELD_NUMBER: _ClassVar[int]
    outcome: ActOutcome
    results: _containers.RepeatedCompositeFieldContainer[ActionResult]
    settle: SettleReport
    frame: _frame_pb2.Frame
    replayed: bool
    def __init__(self, outcome: _Optional[_Union[ActOutcome, str]] = ..., results: _Optional[_Iterable[_Union[ActionResult, _Mapping]]] = ..., settle: _Optional[_Union[SettleReport, _Mapping]] = ..., frame: _Optional[_Union[_frame_pb2.Frame, _Mapping]] = ..., replayed: bool = ...) -> None: ...

class WaitForRequest(_message.Message):
    __slots__ = ("condition", "timeout", "coordinate_space")
    CONDITION_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    COORDINATE_SPACE_FIELD_NUMBER: _ClassVar[int]
    condition: _condition_pb2.Condition
    timeout: _duration_pb2.Duration
    coordinate_space: _frame_pb2.CoordinateSpace
    def __init__(self, condition: _Optional[_Union[_condition_pb2.Condition, _Mapping]] = ..., timeout: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., coordinate_space: _Optional[_Union[_frame_pb2.CoordinateSpace, _Mapping]] = ...) -> None: ...

class WaitForResponse(_message.Message):
    __slots__ = ("report",)
    REPORT_FIELD_NUMBER: _ClassVar[int]
    report: _condition_pb2.WaitReport
    def __init__(self, report: _Optional[_Union[_condition_pb2.WaitReport, _Mapping]] = ...) -> None: ...

class WatchRequest(_message.Message):
    __slots__ = ("capture", "max_fps", "changed_regions", "if_changed_since", "unproved")
    CAPTURE_FIELD_NUMBER: _ClassVar[int]
    MAX_FPS_FIELD_NUMBER: _ClassVar[int]
    CHANGED_REGIONS_FIELD_NUMBER: _ClassVar[int]
    IF_CHANGED_SINCE_FIELD_NUMBER: _ClassVar[int]
    UNPROVED_FIELD_NUMBER: _ClassVar[int]
    capture: _capture_pb2.CaptureOptions
    max_fps: int
    changed_regions: bool
    if_changed_since: str
    unproved: bool
    def __init__(self, capture: _Optional[_Union[_capture_pb2.CaptureOptions, _Mapping]] = ..., max_fps: _Optional[int] = ..., changed_regions: bool = ..., if_changed_since: _Optional[str] = ..., unproved: bool = ...) -> None: ...

class ChangedRegion(_message.Message):
    __slots__ = ("region", "image")
    REGION_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    region: _frame_pb2.Region
    image: bytes
    def __init__(self, region: _Optional[_Union[_frame_pb2.Region, _Mapping]] = ..., image: _Optional[bytes] = ...) -> None: ...

class WatchResponse(_message.Message):
    __slots__ = ("frame", "regions", "skipped")
    FRAME_FIELD_NUMBER: _ClassVar[int]
    REGIONS_FIELD_NUMBER: _ClassVar[int]
    SKIPPED_FIELD_NUMBER: _ClassVar[int]
    frame: _frame_pb2.Frame
    regions: RegionUpdate
    skipped: int
    def __init__(self, frame: _Optional[_Union[_frame_pb2.Frame, _Mapping]] = ..., regions: _Optional[_Union[RegionUpdate, _Mapping]] = ..., skipped: _Optional[int] = ...) -> None: ...

class RegionUpdate(_message.Message):
    __slots__ = ("frame", "changed")
    FRAME_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    frame: _frame_pb2.Frame
    changed: _containers.RepeatedCompositeFieldContainer[ChangedRegion]
    def __init__(self, frame: _Optional[_Union[_frame_pb2.Frame, _Mapping]] = ..., changed: _Optional[_Iterable[_Union[ChangedRegion, _Mapping]]] = ...) -> None: ...

class GetCursorRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetCursorResponse(_message.Message):
    __slots__ = ("cursor", "server_generation", "geometry_epoch")
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    SERVER_GENERATION_FIELD_NUMBER: _ClassVar[int]
    GEOMETRY_EPOCH_FIELD_NUMBER: _ClassVar[int]
    cursor: _frame_pb2.Cursor
    server_generation: str
    geometry_epoch: int
    def __init__(self, cursor: _Optional[_Union[_frame_pb2.Cursor, _Mapping]] = ..., server_generation: _Optional[str] = ..., geometry_epoch: _Optional[int] = ...) -> None: ...

class GetPressedRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Pressed(_message.Message):
    __slots__ = ("key", "button", "until")
    KEY_FIELD_NUMBER: _ClassVar[int]
    BUTTON_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    key: str
    button: _action_pb2.Button
    until: _timestamp_pb2.Timestamp
    def __init__(self, key: _Optional[str] = ..., button: _Optional[_Union[_action_pb2.Button, str]] = ..., until: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class GetPressedResponse(_message.Message):
    __slots__ = ("pressed",)
    PRESSED_FIELD_NUMBER: _ClassVar[int]
    pressed: _containers.RepeatedCompositeFieldContainer[Pressed]
    def __init__(self, pressed: _Optional[_Iterable[_Union[Pressed, _Mapping]]] = ...) -> None: ...

class ReleaseAllRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ReleaseAllResponse(_message.Message):
    __slots__ = ("released",)
    RELEASED_FIELD_NUMBER: _ClassVar[int]
    released: _containers.RepeatedCompositeFieldContainer[Pressed]
    def __init__(self, released: _Optional[_Iterable[_Union[Pressed, _Mapping]]] = ...) -> None: ...
