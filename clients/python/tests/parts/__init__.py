"""The parts of a desktop in the tests: X servers, windows and daemons."""

from .daemons import Daemon
from .helpers import Helper
from .processes import children, program, running, until
from .relays import Relay
from .servers import XServer, free_display
from .windows import Window

__all__ = [
    "Daemon",
    "Helper",
    "Relay",
    "Window",
    "XServer",
    "children",
    "free_display",
    "program",
    "running",
    "until",
]
