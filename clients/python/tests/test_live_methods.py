"""The tests of `live` call every public method of the clients, and both clients have the same."""

from __future__ import annotations

import ast
import inspect
import pathlib

from deskd import AsyncDesktop, AsyncStack, AsyncWindows, Desktop, Stack, Windows

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
    wanted = methods(AsyncDesktop).keys() | methods(AsyncStack).keys() | methods(AsyncWindows).keys()
    assert len(wanted) > 25 and wanted - used() == set()


def test_both_clients_have_the_same_methods() -> None:
    assert methods(AsyncDesktop) == methods(Desktop)
    assert methods(AsyncStack) == methods(Stack)
    assert methods(AsyncWindows) == methods(Windows)
