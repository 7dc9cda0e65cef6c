from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LeaseKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LEASE_KIND_UNSPECIFIED: _ClassVar[LeaseKind]
    LEASE_KIND_AGENT: _ClassVar[LeaseKind]
    LEASE_KIND_PERSON: _ClassVar[LeaseKind]

class LeaseEnd(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LEASE_END_UNSPECIFIED: _ClassVar[LeaseEnd]
    LEASE_END_GIVEN: _ClassVar[LeaseEnd]
    LEASE_END_EXPIRED: _ClassVar[LeaseEnd]
    LEASE_END_TAKEN: _ClassVar[LeaseEnd]
LEASE_KIND_UNSPECIFIED: LeaseKind
LEASE_KIND_AGENT: LeaseKind
LEASE_KIND_PERSON: LeaseKind
LEASE_END_UNSPECIFIED: LeaseEnd
LEASE_END_GIVEN: LeaseEnd
LEASE_END_EXPIRED: LeaseEnd
LEASE_END_TAKEN: LeaseEnd

class Lease(_message.Message):
    __slots__ = ("kind", "holder", "reason", "remaining", "began_at")
    KIND_FIELD_NUMBER: _ClassVar[int]
    HOLDER_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REMAINING_FIELD_NUMBER: _ClassVar[int]
    BEGAN_AT_FIELD_NUMBER: _ClassVar[int]
    kind: LeaseKind
    holder: str
    reason: str
    remaining: _duration_pb2.Duration
    began_at: _timestamp_pb2.Timestamp
    def __init__(self, kind: _Optional[_Union[LeaseKind, str]] = ..., holder: _Optional[str] = ..., reason: _Optional[str] = ..., remaining: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., began_at: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ControlState(_message.Message):
    __slots__ = ("control_epoch", "lease", "last_end")
    CONTROL_EPOCH_FIELD_NUMBER: _ClassVar[int]
    LEASE_FIELD_NUMBER: _ClassVar[int]
    LAST_END_FIELD_NUMBER: _ClassVar[int]
    control_epoch: int
    lease: Lease
    last_end: LeaseEnd
    def __init__(self, control_epoch: _Optional[int] = ..., lease: _Optional[_Union[Lease, _Mapping]] = ..., last_end: _Optional[_Union[LeaseEnd, str]] = ...) -> None: ...

class TakeControlRequest(_message.Message):
    __slots__ = ("kind", "holder", "reason", "ttl")
    KIND_FIELD_NUMBER: _ClassVar[int]
    HOLDER_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    kind: LeaseKind
    holder: str
    reason: str
    ttl: _duration_pb2.Duration
    def __init__(self, kind: _Optional[_Union[LeaseKind, str]] = ..., holder: _Optional[str] = ..., reason: _Optional[str] = ..., ttl: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class TakeControlResponse(_message.Message):
    __slots__ = ("lease_id", "control")
    LEASE_ID_FIELD_NUMBER: _ClassVar[int]
    CONTROL_FIELD_NUMBER: _ClassVar[int]
    lease_id: str
    control: ControlState
    def __init__(self, lease_id: _Optional[str] = ..., control: _Optional[_Union[ControlState, _Mapping]] = ...) -> None: ...

class RenewControlRequest(_message.Message):
    __slots__ = ("lease_id", "ttl")
    LEASE_ID_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    lease_id: str
    ttl: _duration_pb2.Duration
    def __init__(self, lease_id: _Optional[str] = ..., ttl: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class RenewControlResponse(_message.Message):
    __slots__ = ("control",)
    CONTROL_FIELD_NUMBER: _ClassVar[int]
    control: ControlState
    def __init__(self, control: _Optional[_Union[ControlState, _Mapping]] = ...) -> None: ...

class GiveControlRequest(_message.Message):
    __slots__ = ("lease_id",)
    LEASE_ID_FIELD_NUMBER: _ClassVar[int]
    lease_id: str
    def __init__(self, lease_id: _Optional[str] = ...) -> None: ...

class GiveControlResponse(_message.Message):
    __slots__ = ("control",)
    CONTROL_FIELD_NUMBER: _ClassVar[int]
    control: ControlState
    def __init__(self, control: _Optional[_Union[ControlState, _Mapping]] = ...) -> None: ...

class GetControlRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetControlResponse(_message.Message):
    __slots__ = ("control",)
    CONTROL_FIELD_NUMBER: _ClassVar[int]
    control: ControlState
    def __init__(self, control: _Optional[_Union[ControlState, _Mapping]] = ...) -> None: ...

class WatchControlRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class WatchControlResponse(_message.Message):
    __slots__ = ("control",)
    CONTROL_FIELD_NUMBER: _ClassVar[int]
    control: ControlState
    def __init__(self, control: _Optional[_Union[ControlState, _Mapping]] = ...) -> None: ...
