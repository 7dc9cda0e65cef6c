"""The channels of the asynchronous client."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import grpc.aio

from .address import Address
from .forks import ForkSafe

__all__ = ["Connection"]


class Connection(ForkSafe):
    """A channel for each event loop, which is opened at the loop's first call, and again after a
    fork: a channel belongs to the process and the loop that opened it.

    gRPC requires that the channels are closed before a fork. Otherwise asynchronous calls of the
    child process never return."""

    def __init__(self, address: Address) -> None:
        super().__init__()
        self.address = address
        self.lease = ""
        self._channels: dict[asyncio.AbstractEventLoop, Any] = {}
        self._bridge: Any = None
        self._owner: int | None = None

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """The headers of every call."""
        lease = (("deskd-lease", self.lease),) if self.lease else ()
        return (*self.address.metadata(), *lease)

    def channel(self) -> Any:
        """Returns the channel of this process and event loop."""
        loop = asyncio.get_running_loop()
        with self.lock:
            if self._owner != os.getpid():
                # The former channels belong to the parent and cannot be closed here.
                self._channels = {}
                self._bridge = self.address.open_bridge()
                self._owner = os.getpid()
            if loop not in self._channels:
                # A channel closes with its last reference.
                kept = {each: made for each, made in self._channels.items() if not each.is_closed()}
                self._channels = {**kept, loop: self._open()}
            return self._channels[loop]

    def _open(self) -> Any:
        address = self.address
        target, credentials = address.target(self._bridge), address.credentials()
        if credentials is None:
            return grpc.aio.insecure_channel(target, options=address.options)
        return grpc.aio.secure_channel(target, credentials, options=address.options)

    async def close(self) -> None:
        """Closes the channels. A later call opens another one."""
        with self.lock:
            if self._owner != os.getpid():
                return
            own = self._channels.pop(asyncio.get_running_loop(), None)
            bridge, self._bridge = self._bridge, None
            self._channels = {}
            self._owner = None
        if own is not None:
            await own.close()
        if bridge is not None:
            bridge.close()
