"""Who is in control of a desktop's input. `control_sync.py` is generated from this file."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from .calls import CONTROL, requires, timeout_error
from .control import ControlState, control_state, take_request
from .v1 import control_pb2 as pb
from .values import duration, invalid, timeout_of

if TYPE_CHECKING:
    from .desktop_async import AsyncDesktop

__all__ = ["AsyncControl"]

_NEEDED = requires({"control"})
_PAUSE = 0.5
"""Seconds between two looks at who is in control."""


class AsyncControl:
    """Who is in control of the input: `desktop.control`.

    While a person is in control, steps raise `NotInControl`, and screenshots continue:

        try:
            await desktop.click(40, 12)
        except NotInControl:
            await desktop.control.wait(timeout=600)
            # The screen is not what it was: take a screenshot, and decide again.

    `take` takes control for this desktop object: its later calls act under the lease.
    """

    def __init__(self, desktop: AsyncDesktop) -> None:
        self._desktop = desktop

    async def state(self) -> ControlState:
        """Returns who is in control."""
        request = pb.GetControlRequest()
        path, reply = CONTROL + "GetControl", pb.GetControlResponse
        made = await self._desktop._call(path, request, reply, None, _NEEDED)
        return control_state(made.control)

    async def take(
        self,
        holder: str,
        *,
        reason: str = "",
        person: bool = False,
        ttl: float = 60.0,
        timeout: float | None = None,
    ) -> ControlState:
        """Takes control, as an agent; with `person`, as a person, who takes it also from an agent.
        Returns when the step under way has stopped and no key or button is held down.

        Args:
            holder: A name for people to see.
            reason: Why, for people to see.
            person: Whether a person takes control.
            ttl: Seconds after which the lease ends if it is not renewed, from 1 to 3,600.
            timeout: Seconds for the call.
        """
        request = take_request(holder, reason, person, ttl)
        allowed = timeout_of(timeout if timeout is not None else self._desktop._defaults.timeout)
        # A call that is made again could find its own lease.
        reply = await self._desktop._once(
            CONTROL + "TakeControl", request, pb.TakeControlResponse, allowed, _NEEDED
        )
        self._desktop._connection.lease = reply.lease_id
        return control_state(reply.control)

    async def renew(self, *, ttl: float | None = None) -> ControlState:
        """Extends the lease that `take` took: it ends `ttl` seconds from now; without `ttl`, after
        the same time as before."""
        lease = self._desktop._connection.lease
        if not lease:
            raise invalid("this object holds no lease; call take first")
        request = pb.RenewControlRequest(lease_id=lease)
        if ttl is not None:
            request.ttl.CopyFrom(duration(ttl, "ttl"))
        path, reply = CONTROL + "RenewControl", pb.RenewControlResponse
        made = await self._desktop._call(path, request, reply, None, _NEEDED)
        return control_state(made.control)

    async def give(self) -> ControlState:
        """Gives control back. Without a lease of this object, it ends the lease of its user or token."""
        lease, self._desktop._connection.lease = self._desktop._connection.lease, ""
        request = pb.GiveControlRequest(lease_id=lease)
        path, reply = CONTROL + "GiveControl", pb.GiveControlResponse
        allowed = self._desktop._defaults.timeout
        # A call that is made again would find that the lease has ended.
        made = await self._desktop._once(path, request, reply, allowed, _NEEDED)
        return control_state(made.control)

    async def wait(self, *, timeout: float = 600.0) -> ControlState:
        """Waits until this object may act: nobody else holds a lease. Then take a screenshot.

        Raises:
            DeadlineExceeded: If that is not so after `timeout` seconds.
        """
        left = timeout_of(timeout)
        while True:
            state = await self.state()
            own = self._desktop._connection.lease
            if not state.holder:
                # Its own lease has ended, too.
                self._desktop._connection.lease = ""
                return state
            if own and not state.is_person:
                return state
            if left <= 0:
                raise timeout_error("the wait for control", timeout)
            pause = min(_PAUSE, left)
            await asyncio.sleep(pause)
            left -= pause
