from deskd.v1 import window_pb2 as _window_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class WindowOperation(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    WINDOW_OPERATION_UNSPECIFIED: _ClassVar[WindowOperation]
    WINDOW_OPERATION_ACTIVATE: _ClassVar[WindowOperation]
    WINDOW_OPERATION_CLOSE: _ClassVar[WindowOperation]
    WINDOW_OPERATION_MINIMIZE: _ClassVar[WindowOperation]
    WINDOW_OPERATION_MAXIMIZE: _ClassVar[WindowOperation]
    WINDOW_OPERATION_FULLSCREEN: _ClassVar[WindowOperation]
    WINDOW_OPERATION_RESTORE: _ClassVar[WindowOperation]

class WindowOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    WINDOW_OUTCOME_UNSPECIFIED: _ClassVar[WindowOutcome]
    WINDOW_OUTCOME_DONE: _ClassVar[WindowOutcome]
    WINDOW_OUTCOME_ALREADY: _ClassVar[WindowOutcome]
    WINDOW_OUTCOME_ADJUSTED: _ClassVar[WindowOutcome]
    WINDOW_OUTCOME_NOT_DONE: _ClassVar[WindowOutcome]
    WINDOW_OUTCOME_UNSUPPORTED: _ClassVar[WindowOutcome]
WINDOW_OPERATION_UNSPECIFIED: WindowOperation
WINDOW_OPERATION_ACTIVATE: WindowOperation
WINDOW_OPERATION_CLOSE: WindowOperation
WINDOW_OPERATION_MINIMIZE: WindowOperation
WINDOW_OPERATION_MAXIMIZE: WindowOperation
WINDOW_OPERATION_FULLSCREEN: WindowOperation
WINDOW_OPERATION_RESTORE: WindowOperation
WINDOW_OUTCOME_UNSPECIFIED: WindowOutcome
WINDOW_OUTCOME_DONE: WindowOutcome
WINDOW_OUTCOME_ALREADY: WindowOutcome
WINDOW_OUTCOME_ADJUSTED: WindowOutcome
WINDOW_OUTCOME_NOT_DONE: WindowOutcome
WINDOW_OUTCOME_UNSUPPORTED: WindowOutcome

class ListWindowsRequest(_message.Message):
    __slots__ = ("match",)
    MATCH_FIELD_NUMBER: _ClassVar[int]
    match: _window_pb2.WindowMatch
    def __init__(self, match: _Optional[_Union[_window_pb2.WindowMatch, _Mapping]] = ...) -> None: ...

class ListWindowsResponse(_message.Message):
    __slots__ = ("windows", "total", "window_manager", "workspace", "server_generation")
    WINDOWS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    WINDOW_MANAGER_FIELD_NUMBER: _ClassVar[int]
    WORKSPACE_FIELD_NUMBER: _ClassVar[int]
    SERVER_GENERATION_FIELD_NUMBER: _ClassVar[int]
    windows: _containers.RepeatedCompositeFieldContainer[_window_pb2.Window]
    total: int
    window_manager: str
    workspace: int
    server_generation: str
    def __init__(self, windows: _Optional[_Iterable[_Union[_window_pb2.Window, _Mapping]]] = ..., total: _Optional[int] = ..., window_manager: _Optional[str] = ..., workspace: _Optional[int] = ..., server_generation: _Optional[str] = ...) -> None: ...

class WindowPlacement(_message.Message):
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

class ChangeWindowRequest(_message.Message):
    __slots__ = ("window", "operation", "place", "timeout")
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    PLACE_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    window: _window_pb2.WindowTarget
    operation: WindowOperation
    place: WindowPlacement
    timeout: _duration_pb2.Duration
    def __init__(self, window: _Optional[_Union[_window_pb2.WindowTarget, _Mapping]] = ..., operation: _Optional[_Union[WindowOperation, str]] = ..., place: _Optional[_Union[WindowPlacement, _Mapping]] = ..., timeout: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class ChangeWindowResponse(_message.Message):
    __slots__ = ("outcome", "window", "message", "appeared")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    APPEARED_FIELD_NUMBER: _ClassVar[int]
    outcome: WindowOutcome
    window: _window_pb2.Window
    message: str
    appeared: _containers.RepeatedCompositeFieldContainer[_window_pb2.Window]
    def __init__(self, outcome: _Optional[_Union[WindowOutcome, str]] = ..., window: _Optional[_Union[_window_pb2.Window, _Mapping]] = ..., message: _Optional[str] = ..., appeared: _Optional[_Iterable[_Union[_window_pb2.Window, _Mapping]]] = ...) -> None: ...
