"""A desktop whose processes the daemon manages. Requires XFCE."""

from __future__ import annotations

from typing import Any

import pytest
from parts import Daemon, free_display

from deskd import StaleTarget
from deskd.v1 import stack_pb2


async def test_stack(own: Any, connect: Any) -> None:
    sizes = ("--geometry", "800x600", "--max-geometry", "1024x768")
    daemon = own(Daemon, free_display(), "--stack", "xfce", *sizes)
    desktop = connect(daemon.address)
    up = await desktop.stack.up(timeout=60)
    assert up.result == stack_pb2.UP_RESULT_UP
    status = await desktop.stack.status()
    running = {each.component for each in status.components if each.up}
    assert running >= {stack_pb2.COMPONENT_XVFB, stack_pb2.COMPONENT_SESSION}
    frame = await desktop.screenshot()
    assert frame.check().size == (800, 600) == await desktop.screen_size()

    await desktop.stack.resize((1000, 700))
    await desktop.wait_ready(30)
    assert await desktop.screen_size() == (1000, 700)
    for call in ({"expect": frame}, {"space": frame}):
        with pytest.raises(StaleTarget) as refused:
            await desktop.click(5, 5, **call)
        assert refused.value.reason == "STALE_EPOCH"
    assert (await desktop.screenshot()).size == (1000, 700)

    down = await desktop.stack.down()
    assert set(down.ended) >= running
    status = await desktop.stack.status()
    assert not any(each.up for each in status.components)
