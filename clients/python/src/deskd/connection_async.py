"""One channel of the asynchronous client."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import grpc.aio

from .address import Address

__all__ = ["Connection"]


class Connection:
    """A channel that is opened at the first call, and again in another event loop and after a fork:
    a channel belongs to the process and the loop that opened it."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._channel: Any = None
        self._bridge: Any = None
        self._owner: tuple[int, Any] | None = None

    def channel(self) -> Any:
        """Returns the channel of this process and event loop."""
        owner = (os.getpid(), asyncio.get_running_loop())
        if self._owner != owner:
            # The former channel belongs to another process or loop and cannot be closed here.
            address = self.address
            self._bridge = address.open_bridge()
            target, credentials = address.target(self._bridge), address.credentials()
            if credentials is None:
                self._channel = grpc.aio.insecure_channel(target, options=address.options)
            else:
                self._channel = grpc.aio.secure_channel(target, credentials, options=address.options)
            self._owner = owner
        return self._channel

    async def close(self) -> None:
        """Closes the channel. A later call opens another one."""
        if self._owner is not None and self._owner[0] == os.getpid():
            await self._channel.close()
            if self._bridge is not None:
                self._bridge.close()
        self._owner = None
