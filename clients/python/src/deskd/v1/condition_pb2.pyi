from deskd.v1 import frame_pb2 as _frame_pb2
from deskd.v1 import window_pb2 as _window_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class WindowEvent(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    WINDOW_EVENT_UNSPECIFIED: _ClassVar[WindowEvent]
    WINDOW_EVENT_APPEARS: _ClassVar[WindowEvent]
    WINDOW_EVENT_DISAPPEARS: _ClassVar[WindowEvent]
    WINDOW_EVENT_GETS_FOCUS: _ClassVar[WindowEvent]

class RegionEvent(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REGION_EVENT_UNSPECIFIED: _ClassVar[RegionEvent]
    REGION_EVENT_CHANGES: _ClassVar[RegionEvent]
    REGION_EVENT_RESTS: _ClassVar[RegionEvent]
WINDOW_EVENT_UNSPECIFIED: WindowEvent
WINDOW_EVENT_APPEARS: WindowEvent
WINDOW_EVENT_DISAPPEARS: WindowEvent
WINDOW_EVENT_GETS_FOCUS: WindowEvent
REGION_EVENT_UNSPECIFIED: RegionEvent
REGION_EVENT_CHANGES: RegionEvent
REGION_EVENT_RESTS: RegionEvent

class Condition(_message.Message):
    __slots__ = ("window", "region", "any", "all")
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    ANY_FIELD_NUMBER: _ClassVar[int]
    ALL_FIELD_NUMBER: _ClassVar[int]
    window: WindowCondition
    region: RegionCondition
    any: Conditions
    all: Conditions
    def __init__(self, window: _Optional[_Union[WindowCondition, _Mapping]] = ..., region: _Optional[_Union[RegionCondition, _Mapping]] = ..., any: _Optional[_Union[Conditions, _Mapping]] = ..., all: _Optional[_Union[Conditions, _Mapping]] = ...) -> None: ...

class Conditions(_message.Message):
    __slots__ = ("conditions",)
    CONDITIONS_FIELD_NUMBER: _ClassVar[int]
    conditions: _containers.RepeatedCompositeFieldContainer[Condition]
    def __init__(self, conditions: _Optional[_Iterable[_Union[Condition, _Mapping]]] = ...) -> None: ...

class WindowCondition(_message.Message):
    __slots__ = ("match", "event")
    MATCH_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    match: _window_pb2.WindowMatch
    event: WindowEvent
    def __init__(self, match: _Optional[_Union[_window_pb2.WindowMatch, _Mapping]] = ..., event: _Optional[_Union[WindowEvent, str]] = ...) -> None: ...

class RegionCondition(_message.Message):
    __slots__ = ("region", "event", "quiet")
    REGION_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    QUIET_FIELD_NUMBER: _ClassVar[int]
    region: _frame_pb2.Region
    event: RegionEvent
    quiet: _duration_pb2.Duration
    def __init__(self, region: _Optional[_Union[_frame_pb2.Region, _Mapping]] = ..., event: _Optional[_Union[RegionEvent, str]] = ..., quiet: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class ConditionState(_message.Message):
    __slots__ = ("met", "windows", "changed", "rested")
    MET_FIELD_NUMBER: _ClassVar[int]
    WINDOWS_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    RESTED_FIELD_NUMBER: _ClassVar[int]
    met: bool
    windows: _containers.RepeatedCompositeFieldContainer[_window_pb2.Window]
    changed: bool
    rested: _duration_pb2.Duration
    def __init__(self, met: bool = ..., windows: _Optional[_Iterable[_Union[_window_pb2.Window, _Mapping]]] = ..., changed: bool = ..., rested: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class WaitReport(_message.Message):
    __slots__ = ("met", "states", "windows", "waited")
    MET_FIELD_NUMBER: _ClassVar[int]
    STATES_FIELD_NUMBER: _ClassVar[int]
    WINDOWS_FIELD_NUMBER: _ClassVar[int]
    WAITED_FIELD_NUMBER: _ClassVar[int]
    met: bool
    states: _containers.RepeatedCompositeFieldContainer[ConditionState]
    windows: _containers.RepeatedCompositeFieldContainer[_window_pb2.Window]
    waited: _duration_pb2.Duration
    def __init__(self, met: bool = ..., states: _Optional[_Iterable[_Union[ConditionState, _Mapping]]] = ..., windows: _Optional[_Iterable[_Union[_window_pb2.Window, _Mapping]]] = ..., waited: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...
