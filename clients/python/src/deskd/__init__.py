"""Client of deskd: see a Linux desktop sandbox, and act on it.

    from deskd import Desktop

    with Desktop("unix:/run/deskd/deskd.sock") as desktop:
        desktop.screenshot().save("screen.png")
        desktop.click(640, 400)
        desktop.type("hello")

`AsyncDesktop` has the same methods for asyncio. `deskd.adapters` connects the tools of AI models.
`deskd.v1` has the protobuf messages.
"""

from . import actions, conditions
from .clipboard_async import AsyncClipboard
from .clipboard_sync import Clipboard
from .control import ControlState
from .control_async import AsyncControl
from .control_sync import Control
from .desktop_async import AsyncDesktop, AsyncStack
from .desktop_sync import Desktop, Stack
from .errors import (
    ActionFailed,
    CaptureFailed,
    DeadlineExceeded,
    DeskdError,
    InvalidRequest,
    NotInControl,
    OutcomeUnknown,
    PermissionRefused,
    StaleTarget,
    StreamEnded,
    Unavailable,
    Unsupported,
)
from .frame import Failure, Frame, Rect
from .options import ANTHROPIC, ANTHROPIC_OLDER, OPENAI, Fit, Picture
from .program import Launch, Program, ProgramOutput, Signalled
from .programs_async import AsyncPrograms
from .programs_sync import Programs
from .recorder import Recording
from .recorder_async import AsyncRecorder
from .recorder_sync import Recorder
from .step import ActionResult, Settle, Step
from .viewer import viewer_token, viewer_url
from .window import ConditionState, Waited, Window, WindowChange
from .windows_async import AsyncWindows
from .windows_sync import Windows

__version__ = "0.2.0"

__all__ = [
    "ANTHROPIC",
    "ANTHROPIC_OLDER",
    "OPENAI",
    "ActionFailed",
    "ActionResult",
    "AsyncClipboard",
    "AsyncControl",
    "AsyncDesktop",
    "AsyncPrograms",
    "AsyncRecorder",
    "AsyncStack",
    "AsyncWindows",
    "CaptureFailed",
    "Clipboard",
    "ConditionState",
    "Control",
    "ControlState",
    "DeadlineExceeded",
    "DeskdError",
    "Desktop",
    "Failure",
    "Fit",
    "Frame",
    "InvalidRequest",
    "Launch",
    "NotInControl",
    "OutcomeUnknown",
    "PermissionRefused",
    "Picture",
    "Program",
    "ProgramOutput",
    "Programs",
    "Recorder",
    "Recording",
    "Rect",
    "Settle",
    "Signalled",
    "Stack",
    "StaleTarget",
    "Step",
    "StreamEnded",
    "Unavailable",
    "Unsupported",
    "Waited",
    "Window",
    "WindowChange",
    "Windows",
    "actions",
    "conditions",
    "viewer_token",
    "viewer_url",
]
