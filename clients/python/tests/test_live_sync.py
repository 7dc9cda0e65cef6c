"""Every method of `Desktop` on a real desktop. The tests are those of `live`."""

from __future__ import annotations

import pytest
from live.clients import Clients, synchronous
from live.clipboard import *  # noqa: F403
from live.control import *  # noqa: F403
from live.fixtures import desktop  # noqa: F401
from live.held import *  # noqa: F403
from live.keyboard import *  # noqa: F403
from live.mouse import *  # noqa: F403
from live.pictures import *  # noqa: F403
from live.programs import *  # noqa: F403
from live.ready import *  # noqa: F403
from live.recorder import *  # noqa: F403
from live.stack import *  # noqa: F403
from live.steps import *  # noqa: F403
from live.streams import *  # noqa: F403
from live.windows import *  # noqa: F403


@pytest.fixture
def connect() -> Clients:
    """Makes clients of the class `Desktop`."""
    return synchronous()
