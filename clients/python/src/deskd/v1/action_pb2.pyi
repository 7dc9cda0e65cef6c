from deskd.v1 import capture_pb2 as _capture_pb2
from deskd.v1 import condition_pb2 as _condition_pb2
from deskd.v1 import frame_pb2 as _frame_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Button(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BUTTON_UNSPECIFIED: _ClassVar[Button]
    BUTTON_LEFT: _ClassVar[Button]
    BUTTON_MIDDLE: _ClassVar[Button]
    BUTTON_RIGHT: _ClassVar[Button]
    BUTTON_BACK: _ClassVar[Button]
    BUTTON_FORWARD: _ClassVar[Button]

class ScrollUnit(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SCROLL_UNIT_UNSPECIFIED: _ClassVar[ScrollUnit]
    SCROLL_UNIT_PIXEL: _ClassVar[ScrollUnit]
    SCROLL_UNIT_NOTCH: _ClassVar[ScrollUnit]
BUTTON_UNSPECIFIED: Button
BUTTON_LEFT: Button
BUTTON_MIDDLE: Button
BUTTON_RIGHT: Button
BUTTON_BACK: Button
BUTTON_FORWARD: Button
SCROLL_UNIT_UNSPECIFIED: ScrollUnit
SCROLL_UNIT_PIXEL: ScrollUnit
SCROLL_UNIT_NOTCH: ScrollUnit

class Action(_message.Message):
    __slots__ = ("move", "click", "button_down", "button_up", "drag", "scroll", "type", "paste", "key", "key_down", "key_up", "wait", "screenshot", "wait_for")
    MOVE_FIELD_NUMBER: _ClassVar[int]
    CLICK_FIELD_NUMBER: _ClassVar[int]
    BUTTON_DOWN_FIELD_NUMBER: _ClassVar[int]
    BUTTON_UP_FIELD_NUMBER: _ClassVar[int]
    DRAG_FIELD_NUMBER: _ClassVar[int]
    SCROLL_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    PASTE_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    KEY_DOWN_FIELD_NUMBER: _ClassVar[int]
    KEY_UP_FIELD_NUMBER: _ClassVar[int]
    WAIT_FIELD_NUMBER: _ClassVar[int]
    SCREENSHOT_FIELD_NUMBER: _ClassVar[int]
    WAIT_FOR_FIELD_NUMBER: _ClassVar[int]
    move: MoveAction
    click: ClickAction
    button_down: ButtonDownAction
    button_up: ButtonUpAction
    drag: DragAction
    scroll: ScrollAction
    type: TypeAction
    paste: PasteAction
    key: KeyAction
    key_down: KeyDownAction
    key_up: KeyUpAction
    wait: WaitAction
    screenshot: ScreenshotAction
    wait_for: WaitForAction
    def __init__(self, move: _Optional[_Union[MoveAction, _Mapping]] = ..., click: _Optional[_Union[ClickAction, _Mapping]] = ..., button_down: _Optional[_Union[ButtonDownAction, _Mapping]] = ..., button_up: _Optional[_Union[ButtonUpAction, _Mapping]] = ..., drag: _Optional[_Union[DragAction, _Mapping]] = ..., scroll: _Optional[_Union[ScrollAction, _Mapping]] = ..., type: _Optional[_Union[TypeAction, _Mapping]] = ..., paste: _Optional[_Union[PasteAction, _Mapping]] = ..., key: _Optional[_Union[KeyAction, _Mapping]] = ..., key_down: _Optional[_Union[KeyDownAction, _Mapping]] = ..., key_up: _Optional[_Union[KeyUpAction, _Mapping]] = ..., wait: _Optional[_Union[WaitAction, _Mapping]] = ..., screenshot: _Optional[_Union[ScreenshotAction, _Mapping]] = ..., wait_for: _Optional[_Union[WaitForAction, _Mapping]] = ...) -> None: ...

class Target(_message.Message):
    __slots__ = ("point",)
    POINT_FIELD_NUMBER: _ClassVar[int]
    point: _frame_pb2.Point
    def __init__(self, point: _Optional[_Union[_frame_pb2.Point, _Mapping]] = ...) -> None: ...

class MoveAction(_message.Message):
    __slots__ = ("to", "modifiers")
    TO_FIELD_NUMBER: _ClassVar[int]
    MODIFIERS_FIELD_NUMBER: _ClassVar[int]
    to: Target
    modifiers: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, to: _Optional[_Union[Target, _Mapping]] = ..., modifiers: _Optional[_Iterable[str]] = ...) -> None: ...

class ClickAction(_message.Message):
    __slots__ = ("at", "button", "count", "modifiers")
    AT_FIELD_NUMBER: _ClassVar[int]
    BUTTON_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    MODIFIERS_FIELD_NUMBER: _ClassVar[int]
    at: Target
    button: Button
    count: int
    modifiers: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, at: _Optional[_Union[Target, _Mapping]] = ..., button: _Optional[_Union[Button, str]] = ..., count: _Optional[int] = ..., modifiers: _Optional[_Iterable[str]] = ...) -> None: ...

class ButtonDownAction(_message.Message):
    __slots__ = ("at", "button", "hold")
    AT_FIELD_NUMBER: _ClassVar[int]
    BUTTON_FIELD_NUMBER: _ClassVar[int]
    HOLD_FIELD_NUMBER: _ClassVar[int]
    at: Target
    button: Button
    hold: _duration_pb2.Duration
    def __init__(self, at: _Optional[_Union[Target, _Mapping]] = ..., button: _Optional[_Union[Button, str]] = ..., hold: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class ButtonUpAction(_message.Message):
    __slots__ = ("at", "button")
    AT_FIELD_NUMBER: _ClassVar[int]
    BUTTON_FIELD_NUMBER: _ClassVar[int]
    at: Target
    button: Button
    def __init__(self, at: _Optional[_Union[Target, _Mapping]] = ..., button: _Optional[_Union[Button, str]] = ...) -> None: ...

class DragAction(_message.Message):
    __slots__ = ("path", "button", "modifiers", "duration")
    PATH_FIELD_NUMBER: _ClassVar[int]
    BUTTON_FIELD_NUMBER: _ClassVar[int]
    MODIFIERS_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    path: _containers.RepeatedCompositeFieldContainer[Target]
    button: Button
    modifiers: _containers.RepeatedScalarFieldContainer[str]
    duration: _duration_pb2.Duration
    def __init__(self, path: _Optional[_Iterable[_Union[Target, _Mapping]]] = ..., button: _Optional[_Union[Button, str]] = ..., modifiers: _Optional[_Iterable[str]] = ..., duration: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class ScrollAction(_message.Message):
    __slots__ = ("at", "dx", "dy", "unit", "modifiers")
    AT_FIELD_NUMBER: _ClassVar[int]
    DX_FIELD_NUMBER: _ClassVar[int]
    DY_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    MODIFIERS_FIELD_NUMBER: _ClassVar[int]
    at: Target
    dx: int
    dy: int
    unit: ScrollUnit
    modifiers: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, at: _Optional[_Union[Target, _Mapping]] = ..., dx: _Optional[int] = ..., dy: _Optional[int] = ..., unit: _Optional[_Union[ScrollUnit, str]] = ..., modifiers: _Optional[_Iterable[str]] = ...) -> None: ...

class TypeAction(_message.Message):
    __slots__ = ("text", "rate")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    RATE_FIELD_NUMBER: _ClassVar[int]
    text: str
    rate: int
    def __init__(self, text: _Optional[str] = ..., rate: _Optional[int] = ...) -> None: ...

class PasteAction(_message.Message):
    __slots__ = ("text", "chord")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    CHORD_FIELD_NUMBER: _ClassVar[int]
    text: str
    chord: str
    def __init__(self, text: _Optional[str] = ..., chord: _Optional[str] = ...) -> None: ...

class KeyAction(_message.Message):
    __slots__ = ("keys", "repeat", "hold")
    KEYS_FIELD_NUMBER: _ClassVar[int]
    REPEAT_FIELD_NUMBER: _ClassVar[int]
    HOLD_FIELD_NUMBER: _ClassVar[int]
    keys: _containers.RepeatedScalarFieldContainer[str]
    repeat: int
    hold: _duration_pb2.Duration
    def __init__(self, keys: _Optional[_Iterable[str]] = ..., repeat: _Optional[int] = ..., hold: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class KeyDownAction(_message.Message):
    __slots__ = ("key", "hold")
    KEY_FIELD_NUMBER: _ClassVar[int]
    HOLD_FIELD_NUMBER: _ClassVar[int]
    key: str
    hold: _duration_pb2.Duration
    def __init__(self, key: _Optional[str] = ..., hold: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class KeyUpAction(_message.Message):
    __slots__ = ("key",)
    KEY_FIELD_NUMBER: _ClassVar[int]
    key: str
    def __init__(self, key: _Optional[str] = ...) -> None: ...

class WaitAction(_message.Message):
    __slots__ = ("duration",)
    DURATION_FIELD_NUMBER: _ClassVar[int]
    duration: _duration_pb2.Duration
    def __init__(self, duration: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class ScreenshotAction(_message.Message):
    __slots__ = ("capture",)
    CAPTURE_FIELD_NUMBER: _ClassVar[int]
    capture: _capture_pb2.CaptureOptions
    def __init__(self, capture: _Optional[_Union[_capture_pb2.CaptureOptions, _Mapping]] = ...) -> None: ...

class WaitForAction(_message.Message):
    __slots__ = ("condition", "timeout")
    CONDITION_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    condition: _condition_pb2.Condition
    timeout: _duration_pb2.Duration
    def __init__(self, condition: _Optional[_Union[_condition_pb2.Condition, _Mapping]] = ..., timeout: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...
