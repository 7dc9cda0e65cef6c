"""The tests of `live` call every public method of the clients, and both clients have the same."""

from __future__ import annotations

import ast
import inspect
import pathlib

from deskd import (
    AsyncClipboard,
    AsyncControl,
    AsyncDesktop,
    AsyncPrograms,
    AsyncRecorder,
    AsyncStack,
    AsyncWindows,
    Clipboard,
    Control,
    Desktop,
    Programs,
    Recorder,
    Stack,
    Windows,
)

KINDS = {
    AsyncClipboard: Clipboard,
    AsyncControl: Control,
    AsyncDesktop: Desktop,
    AsyncPrograms: Programs,
    AsyncRecorder: Recorder,
    AsyncStack: Stack,
    AsyncWindows: Windows,
}
LIVE = pathlib.Path(__file__).parent / "live"


def methods(kind: type) -> dict[str, list[str]]:
    """The public methods of a class with their parameters."""
    found = inspect.getmembers(kind, inspect.isfunction)
    return {
        name: list(inspect.signature(made).parameters) for name, made in found if name[0] != "_"
    }


def used() -> set[str]:
    """The names of all attributes and strings in the tests."""
    found = set()
    for file in LIVE.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Attribute):
                found.add(node.attr)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return found


def test_every_method_is_called() -> None:
    wanted = {name for kind in KINDS for name in methods(kind)}
    assert len(wanted) > 35 and wanted - used() == set()


def test_both_clients_have_the_same_methods() -> None:
    for kind, synchronous in KINDS.items():
        assert methods(kind) == methods(synchronous)
