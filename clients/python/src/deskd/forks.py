"""Locks that a fork does not leave locked."""

from __future__ import annotations

import os
import threading
import weakref

__all__ = ["ForkSafe"]


class ForkSafe:
    """An object with a lock that a child process gets unlocked: another thread of the parent may
    have it at the time of the fork.

    Attributes:
        lock: The lock.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        _objects.add(self)


_objects: weakref.WeakSet[ForkSafe] = weakref.WeakSet()


def _renew() -> None:
    for each in _objects:
        each.lock = threading.Lock()


os.register_at_fork(after_in_child=_renew)
