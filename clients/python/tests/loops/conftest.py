"""What the loops share: a model on loopback, and the examples of the package."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from parts import Daemon

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from model_server import Make, ModelServer  # noqa: E402

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture
def model() -> Iterator[Make]:
    """Starts models: `model(reply, …)`. Afterwards, all of their replies must have been given."""
    made: list[ModelServer] = []

    def start(*replies: object) -> ModelServer:
        made.append(ModelServer(*replies))
        return made[-1]

    yield start
    for each in made:
        each.end()
    for each in made:
        each.check()


Run = Callable[[str, str, ModelServer], str]


@pytest.fixture
def example(daemon: Daemon) -> Run:
    """Runs an example with a task, on the desktop of the tests. Returns what it prints."""

    def run(name: str, task: str, model: ModelServer) -> str:
        path = EXAMPLES / name
        assert len(path.read_text().splitlines()) < 40
        environment = {
            **os.environ,
            "DESKD_SERVER": daemon.address,
            "ANTHROPIC_BASE_URL": model.url,
            "ANTHROPIC_API_KEY": "none",
            "OPENAI_BASE_URL": f"{model.url}/v1",
            "OPENAI_API_KEY": "none",
            "OPENAI_AGENTS_DISABLE_TRACING": "1",
            "GOOGLE_GEMINI_BASE_URL": model.url,
            "GEMINI_API_KEY": "none",
        }
        done = subprocess.run(
            [sys.executable, str(path), task],
            env=environment,
            text=True,
            capture_output=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run
