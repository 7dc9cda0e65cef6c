"""Who is in control of the input: two clients of one daemon."""

from __future__ import annotations

from typing import Any

import pytest
from parts import Daemon

from deskd import (
    DeadlineExceeded,
    Desktop,
    InvalidRequest,
    NotInControl,
    StaleTarget,
)


async def test_a_person_takes_control_and_gives_it_back(desktop: Any, daemon: Daemon) -> None:
    before = await desktop.screenshot()
    start = await desktop.control.state()
    assert (start.holder, start.is_person, start.remaining) == ("", False, None)
    with Desktop(daemon.address) as person:
        taken = person.control.take("Ada", reason="signs in", person=True, ttl=30)
        assert (taken.holder, taken.is_person, taken.reason) == ("Ada", True, "signs in")
        assert taken.epoch == start.epoch + 1
        assert taken.remaining is not None and 0 < taken.remaining <= 30
        with pytest.raises(NotInControl, match="Ada") as refused:
            await desktop.move(5, 5)
        assert refused.value.reason == "HUMAN_IN_CONTROL"
        assert (await desktop.screenshot()).size
        person.move(6, 6)
        assert person.control.renew(ttl=60).epoch == taken.epoch
        with pytest.raises(DeadlineExceeded):
            await desktop.control.wait(timeout=0.2)
        given = person.control.give()
        assert (given.holder, given.last_end) == ("", "GIVEN")
        # Its lease is forgotten, so it acts as everybody does.
        person.move(7, 7)
    assert (await desktop.control.wait(timeout=5)).epoch == start.epoch + 2
    with pytest.raises(StaleTarget) as stale:
        await desktop.move(8, 8, space=before)
    assert stale.value.reason == "CONTROL_CHANGED"
    await desktop.move(8, 8)


async def test_agents_exclude_each_other(desktop: Any, daemon: Daemon) -> None:
    state = await desktop.control.take("planner")
    assert (state.holder, state.is_person) == ("planner", False)
    try:
        await desktop.move(5, 5)
        # Its own lease is no reason to wait.
        assert (await desktop.control.wait(timeout=1)).holder == "planner"
        with Desktop(daemon.address) as other:
            with pytest.raises(NotInControl) as refused:
                other.move(6, 6)
            assert refused.value.reason == "LEASE_HELD"
            with pytest.raises(NotInControl):
                other.control.take("rival")
    finally:
        await desktop.control.give()
    with pytest.raises(InvalidRequest):
        await desktop.control.renew()


async def test_bad_arguments_take_nothing(desktop: Any) -> None:
    epoch = (await desktop.control.state()).epoch
    for arguments in [
        {"holder": ""},
        {"holder": 7},
        {"holder": "a\nb"},
        {"holder": "Ada", "ttl": 0.5},
        {"holder": "Ada", "ttl": 1e9},
        {"holder": "Ada", "ttl": "long"},
        {"holder": "Ada", "person": "yes"},
        {"holder": "Ada", "reason": "r" * 300},
    ]:
        with pytest.raises(InvalidRequest):
            await desktop.control.take(**arguments)
    assert (await desktop.control.state()).epoch == epoch
