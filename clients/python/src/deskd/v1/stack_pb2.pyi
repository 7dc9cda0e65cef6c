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

class Component(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    COMPONENT_UNSPECIFIED: _ClassVar[Component]
    COMPONENT_XVFB: _ClassVar[Component]
    COMPONENT_KEYMAP: _ClassVar[Component]
    COMPONENT_DBUS: _ClassVar[Component]
    COMPONENT_SESSION: _ClassVar[Component]
    COMPONENT_X11VNC: _ClassVar[Component]
    COMPONENT_WEBSOCKIFY: _ClassVar[Component]
    COMPONENT_PAINT: _ClassVar[Component]
    COMPONENT_LOCK: _ClassVar[Component]
    COMPONENT_SESSION_HELPER: _ClassVar[Component]

class StageStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STAGE_STATUS_UNSPECIFIED: _ClassVar[StageStatus]
    STAGE_STATUS_STARTED: _ClassVar[StageStatus]
    STAGE_STATUS_WAITING: _ClassVar[StageStatus]
    STAGE_STATUS_COMPLETED: _ClassVar[StageStatus]
    STAGE_STATUS_FAILED: _ClassVar[StageStatus]

class Classification(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CLASSIFICATION_UNSPECIFIED: _ClassVar[Classification]
    CLASSIFICATION_COLD: _ClassVar[Classification]
    CLASSIFICATION_ALREADY_READY: _ClassVar[Classification]
    CLASSIFICATION_CONTENTION: _ClassVar[Classification]

class UpResult(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    UP_RESULT_UNSPECIFIED: _ClassVar[UpResult]
    UP_RESULT_UP: _ClassVar[UpResult]
    UP_RESULT_NO_X_SERVER: _ClassVar[UpResult]
    UP_RESULT_VNC_FAILED: _ClassVar[UpResult]
    UP_RESULT_VIEWER_FAILED: _ClassVar[UpResult]
    UP_RESULT_NOT_PAINTED: _ClassVar[UpResult]
    UP_RESULT_LOCKED: _ClassVar[UpResult]
    UP_RESULT_TIMED_OUT: _ClassVar[UpResult]
COMPONENT_UNSPECIFIED: Component
COMPONENT_XVFB: Component
COMPONENT_KEYMAP: Component
COMPONENT_DBUS: Component
COMPONENT_SESSION: Component
COMPONENT_X11VNC: Component
COMPONENT_WEBSOCKIFY: Component
COMPONENT_PAINT: Component
COMPONENT_LOCK: Component
COMPONENT_SESSION_HELPER: Component
STAGE_STATUS_UNSPECIFIED: StageStatus
STAGE_STATUS_STARTED: StageStatus
STAGE_STATUS_WAITING: StageStatus
STAGE_STATUS_COMPLETED: StageStatus
STAGE_STATUS_FAILED: StageStatus
CLASSIFICATION_UNSPECIFIED: Classification
CLASSIFICATION_COLD: Classification
CLASSIFICATION_ALREADY_READY: Classification
CLASSIFICATION_CONTENTION: Classification
UP_RESULT_UNSPECIFIED: UpResult
UP_RESULT_UP: UpResult
UP_RESULT_NO_X_SERVER: UpResult
UP_RESULT_VNC_FAILED: UpResult
UP_RESULT_VIEWER_FAILED: UpResult
UP_RESULT_NOT_PAINTED: UpResult
UP_RESULT_LOCKED: UpResult
UP_RESULT_TIMED_OUT: UpResult

class StageEvent(_message.Message):
    __slots__ = ("component", "status", "elapsed", "time", "classification", "reason", "message", "sequence")
    COMPONENT_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    ELAPSED_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    CLASSIFICATION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    component: Component
    status: StageStatus
    elapsed: _duration_pb2.Duration
    time: _timestamp_pb2.Timestamp
    classification: Classification
    reason: _reason_pb2.Reason
    message: str
    sequence: int
    def __init__(self, component: _Optional[_Union[Component, str]] = ..., status: _Optional[_Union[StageStatus, str]] = ..., elapsed: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., classification: _Optional[_Union[Classification, str]] = ..., reason: _Optional[_Union[_reason_pb2.Reason, str]] = ..., message: _Optional[str] = ..., sequence: _Optional[int] = ...) -> None: ...

class UpRequest(_message.Message):
    __slots__ = ("geometry", "no_wait")
    GEOMETRY_FIELD_NUMBER: _ClassVar[int]
    NO_WAIT_FIELD_NUMBER: _ClassVar[int]
    geometry: _frame_pb2.Size
    no_wait: bool
    def __init__(self, geometry: _Optional[_Union[_frame_pb2.Size, _Mapping]] = ..., no_wait: bool = ...) -> None: ...

class UpResponse(_message.Message):
    __slots__ = ("result", "classification", "stages", "paint", "viewer_port")
    RESULT_FIELD_NUMBER: _ClassVar[int]
    CLASSIFICATION_FIELD_NUMBER: _ClassVar[int]
    STAGES_FIELD_NUMBER: _ClassVar[int]
    PAINT_FIELD_NUMBER: _ClassVar[int]
    VIEWER_PORT_FIELD_NUMBER: _ClassVar[int]
    result: UpResult
    classification: Classification
    stages: _containers.RepeatedCompositeFieldContainer[StageEvent]
    paint: _frame_pb2.PaintEvidence
    viewer_port: int
    def __init__(self, result: _Optional[_Union[UpResult, str]] = ..., classification: _Optional[_Union[Classification, str]] = ..., stages: _Optional[_Iterable[_Union[StageEvent, _Mapping]]] = ..., paint: _Optional[_Union[_frame_pb2.PaintEvidence, _Mapping]] = ..., viewer_port: _Optional[int] = ...) -> None: ...

class DownRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DownResponse(_message.Message):
    __slots__ = ("ended", "daemon_ends")
    ENDED_FIELD_NUMBER: _ClassVar[int]
    DAEMON_ENDS_FIELD_NUMBER: _ClassVar[int]
    ended: _containers.RepeatedScalarFieldContainer[Component]
    daemon_ends: bool
    def __init__(self, ended: _Optional[_Iterable[_Union[Component, str]]] = ..., daemon_ends: bool = ...) -> None: ...

class StatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ComponentStatus(_message.Message):
    __slots__ = ("component", "enabled", "up", "pid", "since", "restarts", "last_stderr", "reason", "no_new_privs")
    COMPONENT_FIELD_NUMBER: _ClassVar[int]
    ENABLED_FIELD_NUMBER: _ClassVar[int]
    UP_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    RESTARTS_FIELD_NUMBER: _ClassVar[int]
    LAST_STDERR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    NO_NEW_PRIVS_FIELD_NUMBER: _ClassVar[int]
    component: Component
    enabled: bool
    up: bool
    pid: int
    since: _timestamp_pb2.Timestamp
    restarts: int
    last_stderr: str
    reason: _reason_pb2.Reason
    no_new_privs: bool
    def __init__(self, component: _Optional[_Union[Component, str]] = ..., enabled: bool = ..., up: bool = ..., pid: _Optional[int] = ..., since: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., restarts: _Optional[int] = ..., last_stderr: _Optional[str] = ..., reason: _Optional[_Union[_reason_pb2.Reason, str]] = ..., no_new_privs: bool = ...) -> None: ...

class StatusResponse(_message.Message):
    __slots__ = ("managed", "components")
    MANAGED_FIELD_NUMBER: _ClassVar[int]
    COMPONENTS_FIELD_NUMBER: _ClassVar[int]
    managed: bool
    components: _containers.RepeatedCompositeFieldContainer[ComponentStatus]
    def __init__(self, managed: bool = ..., components: _Optional[_Iterable[_Union[ComponentStatus, _Mapping]]] = ...) -> None: ...

class SetGeometryRequest(_message.Message):
    __slots__ = ("geometry", "dpi")
    GEOMETRY_FIELD_NUMBER: _ClassVar[int]
    DPI_FIELD_NUMBER: _ClassVar[int]
    geometry: _frame_pb2.Size
    dpi: int
    def __init__(self, geometry: _Optional[_Union[_frame_pb2.Size, _Mapping]] = ..., dpi: _Optional[int] = ...) -> None: ...

class SetGeometryResponse(_message.Message):
    __slots__ = ("geometry", "geometry_epoch", "server_generation")
    GEOMETRY_FIELD_NUMBER: _ClassVar[int]
    GEOMETRY_EPOCH_FIELD_NUMBER: _ClassVar[int]
    SERVER_GENERATION_FIELD_NUMBER: _ClassVar[int]
    geometry: _frame_pb2.Size
    geometry_epoch: int
    server_generation: str
    def __init__(self, geometry: _Optional[_Union[_frame_pb2.Size, _Mapping]] = ..., geometry_epoch: _Optional[int] = ..., server_generation: _Optional[str] = ...) -> None: ...

class EventsRequest(_message.Message):
    __slots__ = ("after_sequence", "instance_id")
    AFTER_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    after_sequence: int
    instance_id: str
    def __init__(self, after_sequence: _Optional[int] = ..., instance_id: _Optional[str] = ...) -> None: ...

class EventsResponse(_message.Message):
    __slots__ = ("event",)
    EVENT_FIELD_NUMBER: _ClassVar[int]
    event: StageEvent
    def __init__(self, event: _Optional[_Union[StageEvent, _Mapping]] = ...) -> None: ...
