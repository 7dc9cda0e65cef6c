from deskd.v1 import frame_pb2 as _frame_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class WindowState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    WINDOW_STATE_UNSPECIFIED: _ClassVar[WindowState]
    WINDOW_STATE_FOCUSED: _ClassVar[WindowState]
    WINDOW_STATE_MINIMIZED: _ClassVar[WindowState]
    WINDOW_STATE_MAXIMIZED: _ClassVar[WindowState]
    WINDOW_STATE_FULLSCREEN: _ClassVar[WindowState]
    WINDOW_STATE_MODAL: _ClassVar[WindowState]
    WINDOW_STATE_ABOVE: _ClassVar[WindowState]
    WINDOW_STATE_BELOW: _ClassVar[WindowState]
    WINDOW_STATE_SHADED: _ClassVar[WindowState]
    WINDOW_STATE_URGENT: _ClassVar[WindowState]

class WindowKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    WINDOW_KIND_UNSPECIFIED: _ClassVar[WindowKind]
    WINDOW_KIND_NORMAL: _ClassVar[WindowKind]
    WINDOW_KIND_DIALOG: _ClassVar[WindowKind]
    WINDOW_KIND_MENU: _ClassVar[WindowKind]
    WINDOW_KIND_TOOLTIP: _ClassVar[WindowKind]
    WINDOW_KIND_NOTIFICATION: _ClassVar[WindowKind]
    WINDOW_KIND_UTILITY: _ClassVar[WindowKind]
    WINDOW_KIND_SPLASH: _ClassVar[WindowKind]
    WINDOW_KIND_DOCK: _ClassVar[WindowKind]
    WINDOW_KIND_DESKTOP: _ClassVar[WindowKind]
    WINDOW_KIND_POPUP: _ClassVar[WindowKind]
WINDOW_STATE_UNSPECIFIED: WindowState
WINDOW_STATE_FOCUSED: WindowState
WINDOW_STATE_MINIMIZED: WindowState
WINDOW_STATE_MAXIMIZED: WindowState
WINDOW_STATE_FULLSCREEN: WindowState
WINDOW_STATE_MODAL: WindowState
WINDOW_STATE_ABOVE: WindowState
WINDOW_STATE_BELOW: WindowState
WINDOW_STATE_SHADED: WindowState
WINDOW_STATE_URGENT: WindowState
WINDOW_KIND_UNSPECIFIED: WindowKind
WINDOW_KIND_NORMAL: WindowKind
WINDOW_KIND_DIALOG: WindowKind
WINDOW_KIND_MENU: WindowKind
WINDOW_KIND_TOOLTIP: WindowKind
WINDOW_KIND_NOTIFICATION: WindowKind
WINDOW_KIND_UTILITY: WindowKind
WINDOW_KIND_SPLASH: WindowKind
WINDOW_KIND_DOCK: WindowKind
WINDOW_KIND_DESKTOP: WindowKind
WINDOW_KIND_POPUP: WindowKind

class Window(_message.Message):
    __slots__ = ("id", "title", "instance", "pid", "program", "frame", "client", "workspace", "states", "kind", "transient_for", "managed", "viewable")
    ID_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    CLASS_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    PROGRAM_FIELD_NUMBER: _ClassVar[int]
    FRAME_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    WORKSPACE_FIELD_NUMBER: _ClassVar[int]
    STATES_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    TRANSIENT_FOR_FIELD_NUMBER: _ClassVar[int]
    MANAGED_FIELD_NUMBER: _ClassVar[int]
    VIEWABLE_FIELD_NUMBER: _ClassVar[int]
    id: str
    title: str
    instance: str
    pid: int
    program: str
    frame: _frame_pb2.Region
    client: _frame_pb2.Region
    workspace: int
    states: _containers.RepeatedScalarFieldContainer[WindowState]
    kind: WindowKind
    transient_for: str
    managed: bool
    viewable: bool
    def __init__(self, id: _Optional[str] = ..., title: _Optional[str] = ..., instance: _Optional[str] = ..., pid: _Optional[int] = ..., program: _Optional[str] = ..., frame: _Optional[_Union[_frame_pb2.Region, _Mapping]] = ..., client: _Optional[_Union[_frame_pb2.Region, _Mapping]] = ..., workspace: _Optional[int] = ..., states: _Optional[_Iterable[_Union[WindowState, str]]] = ..., kind: _Optional[_Union[WindowKind, str]] = ..., transient_for: _Optional[str] = ..., managed: bool = ..., viewable: bool = ..., **kwargs) -> None: ...

class WindowMatch(_message.Message):
    __slots__ = ("title", "pid", "kind")
    TITLE_FIELD_NUMBER: _ClassVar[int]
    CLASS_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    title: str
    pid: int
    kind: WindowKind
    def __init__(self, title: _Optional[str] = ..., pid: _Optional[int] = ..., kind: _Optional[_Union[WindowKind, str]] = ..., **kwargs) -> None: ...

class WindowTarget(_message.Message):
    __slots__ = ("id", "match")
    ID_FIELD_NUMBER: _ClassVar[int]
    MATCH_FIELD_NUMBER: _ClassVar[int]
    id: str
    match: WindowMatch
    def __init__(self, id: _Optional[str] = ..., match: _Optional[_Union[WindowMatch, _Mapping]] = ...) -> None: ...
