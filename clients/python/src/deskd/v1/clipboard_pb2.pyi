from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ClipboardSelection(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CLIPBOARD_SELECTION_UNSPECIFIED: _ClassVar[ClipboardSelection]
    CLIPBOARD_SELECTION_CLIPBOARD: _ClassVar[ClipboardSelection]
    CLIPBOARD_SELECTION_PRIMARY: _ClassVar[ClipboardSelection]
CLIPBOARD_SELECTION_UNSPECIFIED: ClipboardSelection
CLIPBOARD_SELECTION_CLIPBOARD: ClipboardSelection
CLIPBOARD_SELECTION_PRIMARY: ClipboardSelection

class ListFormatsRequest(_message.Message):
    __slots__ = ("selection",)
    SELECTION_FIELD_NUMBER: _ClassVar[int]
    selection: ClipboardSelection
    def __init__(self, selection: _Optional[_Union[ClipboardSelection, str]] = ...) -> None: ...

class ListFormatsResponse(_message.Message):
    __slots__ = ("formats",)
    FORMATS_FIELD_NUMBER: _ClassVar[int]
    formats: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, formats: _Optional[_Iterable[str]] = ...) -> None: ...

class ReadClipboardRequest(_message.Message):
    __slots__ = ("selection", "format")
    SELECTION_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    selection: ClipboardSelection
    format: str
    def __init__(self, selection: _Optional[_Union[ClipboardSelection, str]] = ..., format: _Optional[str] = ...) -> None: ...

class ReadClipboardResponse(_message.Message):
    __slots__ = ("data", "total")
    DATA_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    total: int
    def __init__(self, data: _Optional[bytes] = ..., total: _Optional[int] = ...) -> None: ...

class WriteClipboardRequest(_message.Message):
    __slots__ = ("selection", "format", "data")
    SELECTION_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    selection: ClipboardSelection
    format: str
    data: bytes
    def __init__(self, selection: _Optional[_Union[ClipboardSelection, str]] = ..., format: _Optional[str] = ..., data: _Optional[bytes] = ...) -> None: ...

class WriteClipboardResponse(_message.Message):
    __slots__ = ("total",)
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    total: int
    def __init__(self, total: _Optional[int] = ...) -> None: ...
