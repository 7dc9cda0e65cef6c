"""A module with the functions of pyautogui, for code that a model wrote.

    from deskd import Desktop, pyautogui

    pyautogui.connect(Desktop("unix:/run/deskd/deskd.sock"))
    pyautogui.click(100, 200)
    pyautogui.write("hello", interval=0.05)

`install()` makes `import pyautogui` return this module, so that such code runs unchanged. Without
`connect`, the first call connects as the commands of deskd do (DESKD_SERVER).

Differences from the original: coordinates outside the screen raise an error and are not moved to
its edge; text of any script is typed exactly; a key name that does not exist raises an error.
"""

from __future__ import annotations

import sys
import time as _time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from . import actions as _make
from .desktop_sync import Desktop
from .values import MAX_TIMEOUT as _MAX_TIMEOUT

if TYPE_CHECKING:
    import PIL.Image

PAUSE = 0.1
"""Seconds to wait after each call."""
FAILSAFE = True
"""Whether a pointer in a corner of the screen makes every call raise `FailSafeException`."""
FAILSAFE_POINTS: list[tuple[int, int]] = []
"""Points that count as corners. Empty: the four corners of the screen."""
MINIMUM_DURATION = 0.1
MINIMUM_SLEEP = 0.05
LEFT, MIDDLE, RIGHT, PRIMARY, SECONDARY = "left", "middle", "right", "primary", "secondary"

_HOLD = 300.0
_BUTTONS: dict[str | int, str] = {
    "left": "left",
    "primary": "left",
    1: "left",
    "middle": "middle",
    2: "middle",
    "right": "right",
    "secondary": "right",
    3: "right",
}
_KEYS = {
    "add": "KP_Add",
    "altleft": "Alt_L",
    "altright": "Alt_R",
    "browserback": "XF86Back",
    "browserfavorites": "XF86Favorites",
    "browserforward": "XF86Forward",
    "browserhome": "XF86HomePage",
    "browserrefresh": "XF86Refresh",
    "browsersearch": "XF86Search",
    "browserstop": "XF86Stop",
    "capslock": "Caps_Lock",
    "convert": "Henkan_Mode",
    "ctrlleft": "Control_L",
    "ctrlright": "Control_R",
    "decimal": "KP_Decimal",
    "del": "Delete",
    "divide": "KP_Divide",
    "hanguel": "Hangul",
    "hanja": "Hangul_Hanja",
    "junja": "Hangul_Jeonja",
    "launchapp1": "XF86Launch1",
    "launchapp2": "XF86Launch2",
    "launchmail": "XF86Mail",
    "launchmediaselect": "XF86AudioMedia",
    "multiply": "KP_Multiply",
    "nexttrack": "XF86AudioNext",
    "nonconvert": "Muhenkan",
    "numlock": "Num_Lock",
    "optionleft": "Alt_L",
    "optionright": "Alt_R",
    "pgdn": "Page_Down",
    "pgup": "Page_Up",
    "playpause": "XF86AudioPlay",
    "prevtrack": "XF86AudioPrev",
    "prntscrn": "Print",
    "prtsc": "Print",
    "prtscr": "Print",
    "scrolllock": "Scroll_Lock",
    "separator": "KP_Separator",
    "shiftleft": "Shift_L",
    "shiftright": "Shift_R",
    "sleep": "XF86Sleep",
    "stop": "XF86AudioStop",
    "subtract": "KP_Subtract",
    "volumedown": "XF86AudioLowerVolume",
    "volumemute": "XF86AudioMute",
    "volumeup": "XF86AudioRaiseVolume",
    "winleft": "Super_L",
    "winright": "Super_R",
    "\n": "Return",
    "\r": "Return",
    "\t": "Tab",
    " ": "space",
    **{f"num{digit}": f"KP_{digit}" for digit in range(10)},
}
_SAME_NAME = (
    "alt apps backspace clear command ctrl delete down end enter esc escape execute hangul help home "
    "insert kanji left option pagedown pageup pause print printscreen return right select shift space "
    "tab up win yen"
)
KEYBOARD_KEYS = KEY_NAMES = [
    *(chr(code) for code in range(ord("!"), 127) if not chr(code).isupper()),
    *(f"f{number}" for number in range(1, 25)),
    *_SAME_NAME.split(),
    *_KEYS,
]
"""The names of the keys. Those of pyautogui that no X keyboard has are missing."""


class PyAutoGUIException(Exception):
    """The base of pyautogui's errors."""


class FailSafeException(PyAutoGUIException):
    """The pointer is in a corner of the screen."""


class ImageNotFoundException(PyAutoGUIException):
    """Never raised: images are not located here."""


class Point(NamedTuple):
    """A pixel of the screen."""

    x: int
    y: int


class Size(NamedTuple):
    """A width and height in pixels."""

    width: int
    height: int


_desktop: Desktop | None = None


def connect(desktop: Desktop) -> None:
    """Chooses the desktop of all later calls."""
    global _desktop
    _desktop = desktop


def install() -> None:
    """Makes `import pyautogui` return this module, in this process."""
    sys.modules["pyautogui"] = sys.modules[__name__]


def size() -> Size:
    """Returns the size of the screen."""
    return Size(*_connected().screen_size())


def resolution() -> Size:
    """The same as `size`."""
    return size()


def position(x: int | None = None, y: int | None = None) -> Point:
    """Returns the position of the pointer; a given coordinate replaces the real one."""
    place = _connected().cursor()
    return Point(place[0] if x is None else int(x), place[1] if y is None else int(y))


def onScreen(x: Any, y: Any = None) -> bool:
    """Whether a point lies on the screen."""
    point: tuple[int, int] = x if y is None else (x, y)
    width, height = size()
    return bool(0 <= point[0] < width and 0 <= point[1] < height)


def click(
    x: Any = None,
    y: Any = None,
    clicks: int = 1,
    interval: float = 0.0,
    button: Any = PRIMARY,
    duration: float = 0.0,
    tween: Any = None,
    logScreenshot: Any = None,
    _pause: bool = True,
) -> None:
    """Clicks at a point, or where the pointer is."""
    at = _place(x, y)
    clicks = int(clicks)
    if interval > 0 or clicks > 3:
        single = [_make.click(*at, button=_button(button)), _make.wait(max(interval, 0.001))]
        _do((single * clicks)[:-1], duration, _pause)
    elif clicks > 0:
        _do([_make.click(*at, button=_button(button), count=clicks)], duration, _pause)


def leftClick(x: Any = None, y: Any = None, interval: float = 0.0, **options: Any) -> None:
    """Clicks the left button."""
    click(x, y, 1, interval, LEFT, **options)


def rightClick(x: Any = None, y: Any = None, interval: float = 0.0, **options: Any) -> None:
    """Clicks the right button."""
    click(x, y, 1, interval, RIGHT, **options)


def middleClick(x: Any = None, y: Any = None, interval: float = 0.0, **options: Any) -> None:
    """Clicks the middle button."""
    click(x, y, 1, interval, MIDDLE, **options)


def doubleClick(
    x: Any = None, y: Any = None, interval: float = 0.0, button: Any = LEFT, **options: Any
) -> None:
    """Clicks twice."""
    click(x, y, 2, interval, button, **options)


def tripleClick(
    x: Any = None, y: Any = None, interval: float = 0.0, button: Any = LEFT, **options: Any
) -> None:
    """Clicks three times."""
    click(x, y, 3, interval, button, **options)


def moveTo(
    x: Any = None,
    y: Any = None,
    duration: float = 0.0,
    tween: Any = None,
    logScreenshot: Any = None,
    _pause: bool = True,
) -> None:
    """Moves the pointer to a point."""
    to = position(*_place(x, y))
    _do([_make.move(*to)], duration, _pause)


def moveRel(
    xOffset: Any = None,
    yOffset: Any = None,
    duration: float = 0.0,
    tween: Any = None,
    logScreenshot: Any = None,
    _pause: bool = True,
) -> None:
    """Moves the pointer by a distance."""
    here, by = position(), _place(xOffset, yOffset)
    _do([_make.move(here.x + (by[0] or 0), here.y + (by[1] or 0))], duration, _pause)


move = moveRel


def dragTo(
    x: Any = None,
    y: Any = None,
    duration: float = 0.0,
    tween: Any = None,
    button: Any = PRIMARY,
    logScreenshot: Any = None,
    _pause: bool = True,
    mouseDownUp: bool = True,
) -> None:
    """Drags from the pointer to a point."""
    here, to = position(), position(*_place(x, y))
    if not mouseDownUp:
        _do([_make.move(*to)], duration, _pause)
        return
    seconds = min(duration, 10.0) if duration > 0 else None
    _do([_make.drag([here, to], button=_button(button), seconds=seconds)], 0, _pause)


def dragRel(
    xOffset: Any = 0,
    yOffset: Any = 0,
    duration: float = 0.0,
    tween: Any = None,
    button: Any = PRIMARY,
    logScreenshot: Any = None,
    _pause: bool = True,
    mouseDownUp: bool = True,
) -> None:
    """Drags from the pointer by a distance."""
    here, by = position(), _place(xOffset, yOffset)
    to = here.x + (by[0] or 0), here.y + (by[1] or 0)
    dragTo(*to, duration, tween, button, logScreenshot, _pause, mouseDownUp)


drag = dragRel


def mouseDown(
    x: Any = None,
    y: Any = None,
    button: Any = PRIMARY,
    duration: float = 0.0,
    tween: Any = None,
    logScreenshot: Any = None,
    _pause: bool = True,
) -> None:
    """Presses a button. The daemon releases it after 300 s at the latest."""
    _do([_make.button_down(*_place(x, y), button=_button(button), hold=_HOLD)], duration, _pause)


def mouseUp(
    x: Any = None,
    y: Any = None,
    button: Any = PRIMARY,
    duration: float = 0.0,
    tween: Any = None,
    logScreenshot: Any = None,
    _pause: bool = True,
) -> None:
    """Releases a button."""
    _do([_make.button_up(*_place(x, y), button=_button(button))], duration, _pause)


def scroll(
    clicks: float,
    x: Any = None,
    y: Any = None,
    logScreenshot: Any = None,
    _pause: bool = True,
) -> None:
    """Turns the wheel; positive numbers scroll up."""
    at = _place(x, y)
    if int(clicks):
        _do([_make.scroll(0, -int(clicks), x=at[0], y=at[1])], 0, _pause)


vscroll = scroll


def hscroll(
    clicks: float,
    x: Any = None,
    y: Any = None,
    logScreenshot: Any = None,
    _pause: bool = True,
) -> None:
    """Turns the wheel sideways; positive numbers scroll to the right."""
    at = _place(x, y)
    if int(clicks):
        _do([_make.scroll(int(clicks), 0, x=at[0], y=at[1])], 0, _pause)


def write(
    message: str | Sequence[str],
    interval: float = 0.0,
    logScreenshot: Any = None,
    _pause: bool = True,
) -> None:
    """Types text, or presses the keys of a list. `interval` is the time between characters."""
    if not isinstance(message, str):
        press(list(message), interval=interval, _pause=_pause)
    elif message:
        rate = max(1, min(10_000, round(1 / interval))) if interval > 0 else None
        timeout = min(60 + interval * len(message) * 2, _MAX_TIMEOUT)
        _do([_make.type_text(message, rate=rate)], 0, _pause, timeout=timeout)


typewrite = write


def press(
    keys: str | Sequence[str],
    presses: int = 1,
    interval: float = 0.0,
    logScreenshot: Any = None,
    _pause: bool = True,
) -> None:
    """Presses a key, or each key of a list."""
    names = [keys] if isinstance(keys, str) else list(keys)
    once = [_make.press(*[_key(name)]) for name in names]
    made = []
    for _ in range(int(presses)):
        for each in once:
            made.append(each)
            if interval > 0:
                made.append(_make.wait(interval))
    if made:
        _do(made, 0, _pause)


def hotkey(*keys: Any, interval: float = 0.0, logScreenshot: Any = None, _pause: bool = True) -> None:
    """Presses keys together: `hotkey("ctrl", "c")`."""
    names = list(keys[0]) if len(keys) == 1 and not isinstance(keys[0], str) else list(keys)
    _do([_make.press(*(["+"] if names == ["+"] else map(_key, names)))], 0, _pause)


def keyDown(key: str, logScreenshot: Any = None, _pause: bool = True) -> None:
    """Presses a key, which stays down. The daemon releases it after 300 s at the latest."""
    _do([_make.key_down(_key(key), hold=_HOLD)], 0, _pause)


def keyUp(key: str, logScreenshot: Any = None, _pause: bool = True) -> None:
    """Releases a key."""
    _do([_make.key_up(_key(key))], 0, _pause)


class hold:
    """Holds a key, or several, while its block runs: `with hold("shift"): …`."""

    def __init__(
        self,
        keys: str | Sequence[str],
        interval: float = 0.0,
        logScreenshot: Any = None,
        _pause: bool = True,
    ) -> None:
        self._keys = [keys] if isinstance(keys, str) else list(keys)

    def __enter__(self) -> None:
        for key in self._keys:
            keyDown(key, _pause=False)

    def __exit__(self, *error: object) -> None:
        for key in reversed(self._keys):
            keyUp(key, _pause=False)


def screenshot(
    imageFilename: Any = None,
    region: tuple[int, int, int, int] | None = None,
    allScreens: bool = False,
) -> PIL.Image.Image:
    """Takes a picture as a Pillow image; writes it to a file if a name is given.

    Raises:
        CaptureFailed: If the screen could not be captured.
    """
    image = _connected().screenshot(region=region, cursor=False).check().to_pil()
    if imageFilename is not None:
        image.save(imageFilename)
    return image


def pixel(x: int, y: int) -> tuple[int, int, int]:
    """Returns the colour of a pixel."""
    return screenshot(region=(int(x), int(y), 1, 1)).getpixel((0, 0))  # type: ignore[return-value]


def pixelMatchesColor(
    x: int, y: int, expectedRGBColor: Sequence[int], tolerance: int = 0
) -> bool:
    """Whether a pixel has a colour."""
    found = pixel(x, y)
    return all(abs(a - b) <= tolerance for a, b in zip(found, expectedRGBColor[:3], strict=True))


def sleep(seconds: float) -> None:
    """Waits."""
    _time.sleep(seconds)


def countdown(seconds: int) -> None:
    """Waits, one second after another."""
    for _ in range(int(seconds)):
        _time.sleep(1)


def failSafeCheck() -> None:
    """Raises `FailSafeException` if the pointer is in a corner of the screen."""
    if not FAILSAFE:
        return
    width, height = size()
    corners = [(x, y) for x in (0, width - 1) for y in (0, height - 1)]
    if tuple(position()) in (FAILSAFE_POINTS or corners):
        raise FailSafeException(
            "the pointer is in a corner of the screen, which stops the program; "
            "set pyautogui.FAILSAFE = False to turn this off"
        )


def isValidKey(key: str) -> bool:
    """Whether a name is that of a key, or a single character."""
    return isinstance(key, str) and (len(key) == 1 or key.lower() in KEYBOARD_KEYS)


def linear(n: float) -> float:
    """The course of a movement in time. The pointer moves at once here, so it has no effect."""
    return n


easeInQuad = easeOutQuad = easeInOutQuad = linear
easeInCubic = easeOutCubic = easeInOutCubic = linear
easeInQuart = easeOutQuart = easeInOutQuart = linear
easeInQuint = easeOutQuint = easeInOutQuint = linear
easeInSine = easeOutSine = easeInOutSine = linear
easeInExpo = easeOutExpo = easeInOutExpo = linear
easeInCirc = easeOutCirc = easeInOutCirc = linear
easeInElastic = easeOutElastic = easeInOutElastic = linear
easeInBack = easeOutBack = easeInOutBack = linear
easeInBounce = easeOutBounce = easeInOutBounce = linear


def _unavailable(name: str) -> Callable[..., Any]:
    def refuse(*arguments: Any, **options: Any) -> Any:
        raise NotImplementedError(f"pyautogui.{name} is not available with deskd")

    refuse.__doc__ = "Not available: raises NotImplementedError."
    return refuse


alert = _unavailable("alert")
confirm = _unavailable("confirm")
password = _unavailable("password")
prompt = _unavailable("prompt")
center = _unavailable("center")
locate = _unavailable("locate")
locateAll = _unavailable("locateAll")
locateAllOnScreen = _unavailable("locateAllOnScreen")
locateCenterOnScreen = _unavailable("locateCenterOnScreen")
locateOnScreen = _unavailable("locateOnScreen")
displayMousePosition = _unavailable("displayMousePosition")
mouseInfo = _unavailable("mouseInfo")
run = _unavailable("run")
getActiveWindow = _unavailable("getActiveWindow")
getActiveWindowTitle = _unavailable("getActiveWindowTitle")
getAllWindows = _unavailable("getAllWindows")
getWindowsWithTitle = _unavailable("getWindowsWithTitle")


def _connected() -> Desktop:
    if _desktop is None:
        connect(Desktop())
    assert _desktop is not None
    return _desktop


def _do(actions: list[Any], duration: float, pause: bool, timeout: float | None = None) -> None:
    """Performs actions, as many steps as they need. `duration` is the time of a movement."""
    failSafeCheck()
    if duration > 0:
        _time.sleep(duration)
    for first in range(0, len(actions), 100):
        # The caller decides how long to wait, as with the original.
        _connected().act(actions[first : first + 100], settle=0, frame=False, timeout=timeout)
    if pause and PAUSE > 0:
        _time.sleep(PAUSE)


def _place(x: Any, y: Any) -> tuple[int | None, int | None]:
    if isinstance(x, str):
        raise _unavailable("locateCenterOnScreen")()
    if isinstance(x, Sequence) and y is None:
        x, y = x[0], x[1]
    if x is None and y is None:
        return None, None
    if x is None or y is None:
        here = _connected().cursor()
        x, y = (here[0] if x is None else x), (here[1] if y is None else y)
    return int(x), int(y)


def _button(name: Any) -> str:
    try:
        return _BUTTONS[name.lower() if isinstance(name, str) else name]
    except (KeyError, TypeError):
        raise PyAutoGUIException(f"there is no button {name!r}") from None


def _key(name: str) -> str:
    if not isinstance(name, str) or not name:
        raise PyAutoGUIException(f"there is no key {name!r}")
    return _KEYS.get(name.lower(), name)

