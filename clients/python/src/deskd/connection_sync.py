"""One channel of the synchronous client."""

from __future__ import annotations

import os
from typing import Any

import grpc

from .address import Address
from .forks import ForkSafe

__all__ = ["Connection"]


class Connection(ForkSafe):
    """A channel that is opened at the first call, and again after a fork: a channel belongs to the
    process that opened it. Any number of threads may use it."""

    def __init__(self, address: Address) -> None:
        super().__init__()
        self.address = address
        self.lease = ""
        self._channel: Any = None
        self._bridge: Any = None
        self._owner: int | None = None

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """The headers of every call."""
        lease = (("deskd-lease", self.lease),) if self.lease else ()
        return (*self.address.metadata(), *lease)

    def channel(self) -> Any:
        """Returns the channel of this process."""
        with self.lock:
            if self._owner != os.getpid():
                # The former channel belongs to the parent and cannot be closed here.
                address = self.address
                self._bridge = address.open_bridge()
                target, credentials = address.target(self._bridge), address.credentials()
                if credentials is None:
                    self._channel = grpc.insecure_channel(target, options=address.options)
                else:
                    self._channel = grpc.secure_channel(
                        target, credentials, options=address.options
                    )
                self._owner = os.getpid()
            return self._channel

    def close(self) -> None:
        """Closes the channel. A later call opens another one."""
        with self.lock:
            if self._owner == os.getpid():
                self._channel.close()
                if self._bridge is not None:
                    self._bridge.close()
            self._owner = None
