from deskd.v1 import window_pb2 as _window_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LaunchOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LAUNCH_OUTCOME_UNSPECIFIED: _ClassVar[LaunchOutcome]
    LAUNCH_OUTCOME_STARTED: _ClassVar[LaunchOutcome]
    LAUNCH_OUTCOME_WINDOW_PAINTED: _ClassVar[LaunchOutcome]
    LAUNCH_OUTCOME_WINDOW_BLANK: _ClassVar[LaunchOutcome]
    LAUNCH_OUTCOME_NO_WINDOW: _ClassVar[LaunchOutcome]
    LAUNCH_OUTCOME_ENDED: _ClassVar[LaunchOutcome]

class ProgramSignal(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PROGRAM_SIGNAL_UNSPECIFIED: _ClassVar[ProgramSignal]
    PROGRAM_SIGNAL_TERMINATE: _ClassVar[ProgramSignal]
    PROGRAM_SIGNAL_KILL: _ClassVar[ProgramSignal]
    PROGRAM_SIGNAL_INTERRUPT: _ClassVar[ProgramSignal]
    PROGRAM_SIGNAL_HANG_UP: _ClassVar[ProgramSignal]
LAUNCH_OUTCOME_UNSPECIFIED: LaunchOutcome
LAUNCH_OUTCOME_STARTED: LaunchOutcome
LAUNCH_OUTCOME_WINDOW_PAINTED: LaunchOutcome
LAUNCH_OUTCOME_WINDOW_BLANK: LaunchOutcome
LAUNCH_OUTCOME_NO_WINDOW: LaunchOutcome
LAUNCH_OUTCOME_ENDED: LaunchOutcome
PROGRAM_SIGNAL_UNSPECIFIED: ProgramSignal
PROGRAM_SIGNAL_TERMINATE: ProgramSignal
PROGRAM_SIGNAL_KILL: ProgramSignal
PROGRAM_SIGNAL_INTERRUPT: ProgramSignal
PROGRAM_SIGNAL_HANG_UP: ProgramSignal

class Arguments(_message.Message):
    __slots__ = ("words",)
    WORDS_FIELD_NUMBER: _ClassVar[int]
    words: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, words: _Optional[_Iterable[str]] = ...) -> None: ...

class DesktopEntry(_message.Message):
    __slots__ = ("entry", "uris")
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    URIS_FIELD_NUMBER: _ClassVar[int]
    entry: str
    uris: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, entry: _Optional[str] = ..., uris: _Optional[_Iterable[str]] = ...) -> None: ...

class LaunchRequest(_message.Message):
    __slots__ = ("arguments", "desktop_entry", "uri", "folder", "environment", "wait_window", "operation_id")
    class EnvironmentEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    DESKTOP_ENTRY_FIELD_NUMBER: _ClassVar[int]
    URI_FIELD_NUMBER: _ClassVar[int]
    FOLDER_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    WAIT_WINDOW_FIELD_NUMBER: _ClassVar[int]
    OPERATION_ID_FIELD_NUMBER: _ClassVar[int]
    arguments: Arguments
    desktop_entry: DesktopEntry
    uri: str
    folder: str
    environment: _containers.ScalarMap[str, str]
    wait_window: _duration_pb2.Duration
    operation_id: str
    def __init__(self, arguments: _Optional[_Union[Arguments, _Mapping]] = ..., desktop_entry: _Optional[_Union[DesktopEntry, _Mapping]] = ..., uri: _Optional[str] = ..., folder: _Optional[str] = ..., environment: _Optional[_Mapping[str, str]] = ..., wait_window: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., operation_id: _Optional[str] = ...) -> None: ...

class LaunchResponse(_message.Message):
    __slots__ = ("outcome", "program", "window", "message", "output", "painted_after")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    PROGRAM_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    PAINTED_AFTER_FIELD_NUMBER: _ClassVar[int]
    outcome: LaunchOutcome
    program: Program
    window: _window_pb2.Window
    message: str
    output: str
    painted_after: _duration_pb2.Duration
    def __init__(self, outcome: _Optional[_Union[LaunchOutcome, str]] = ..., program: _Optional[_Union[Program, _Mapping]] = ..., window: _Optional[_Union[_window_pb2.Window, _Mapping]] = ..., message: _Optional[str] = ..., output: _Optional[str] = ..., painted_after: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class Program(_message.Message):
    __slots__ = ("id", "pid", "name", "launched_at", "windows", "end")
    ID_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    LAUNCHED_AT_FIELD_NUMBER: _ClassVar[int]
    WINDOWS_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    id: str
    pid: int
    name: str
    launched_at: _timestamp_pb2.Timestamp
    windows: _containers.RepeatedCompositeFieldContainer[_window_pb2.Window]
    end: ProgramEnd
    def __init__(self, id: _Optional[str] = ..., pid: _Optional[int] = ..., name: _Optional[str] = ..., launched_at: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., windows: _Optional[_Iterable[_Union[_window_pb2.Window, _Mapping]]] = ..., end: _Optional[_Union[ProgramEnd, _Mapping]] = ...) -> None: ...

class ProgramEnd(_message.Message):
    __slots__ = ("exit_code", "signal")
    EXIT_CODE_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    exit_code: int
    signal: int
    def __init__(self, exit_code: _Optional[int] = ..., signal: _Optional[int] = ...) -> None: ...

class ListProgramsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListProgramsResponse(_message.Message):
    __slots__ = ("programs",)
    PROGRAMS_FIELD_NUMBER: _ClassVar[int]
    programs: _containers.RepeatedCompositeFieldContainer[Program]
    def __init__(self, programs: _Optional[_Iterable[_Union[Program, _Mapping]]] = ...) -> None: ...

class ReadOutputRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class ReadOutputResponse(_message.Message):
    __slots__ = ("output", "total_bytes", "program")
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    TOTAL_BYTES_FIELD_NUMBER: _ClassVar[int]
    PROGRAM_FIELD_NUMBER: _ClassVar[int]
    output: str
    total_bytes: int
    program: Program
    def __init__(self, output: _Optional[str] = ..., total_bytes: _Optional[int] = ..., program: _Optional[_Union[Program, _Mapping]] = ...) -> None: ...

class SignalProgramRequest(_message.Message):
    __slots__ = ("id", "signal", "timeout")
    ID_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    id: str
    signal: ProgramSignal
    timeout: _duration_pb2.Duration
    def __init__(self, id: _Optional[str] = ..., signal: _Optional[_Union[ProgramSignal, str]] = ..., timeout: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class SignalProgramResponse(_message.Message):
    __slots__ = ("ended", "signalled", "program")
    ENDED_FIELD_NUMBER: _ClassVar[int]
    SIGNALLED_FIELD_NUMBER: _ClassVar[int]
    PROGRAM_FIELD_NUMBER: _ClassVar[int]
    ended: bool
    signalled: int
    program: Program
    def __init__(self, ended: bool = ..., signalled: _Optional[int] = ..., program: _Optional[_Union[Program, _Mapping]] = ...) -> None: ...
