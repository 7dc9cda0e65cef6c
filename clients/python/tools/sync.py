#!/usr/bin/env python3
"""Writes the synchronous modules from the asynchronous ones.

    sync.py [--check]   (--check: only say whether they are up to date)
"""

import pathlib
import re
import sys

SOURCE = pathlib.Path(__file__).resolve().parents[1] / "src" / "deskd"
FILES = {
    "desktop_async.py": "desktop_sync.py",
    "windows_async.py": "windows_sync.py",
    "clipboard_async.py": "clipboard_sync.py",
    "control_async.py": "control_sync.py",
    "programs_async.py": "programs_sync.py",
    "recorder_async.py": "recorder_sync.py",
}
WORDS = [
    (r"\basync def\b", "def"),
    (r"\bAwaitable\[Any\]", "Any"),
    (r"\bAwaitable, Callable\b", "Callable"),
    (r"\basync with\b", "with"),
    (r"\basync for\b", "for"),
    (r"\bawait ", ""),
    (r"\(await ", "("),
    (r"\basyncio\.sleep\b", "time.sleep"),
    (r"\bimport asyncio\b", "import time"),
    (r"\bAsync(Desktop|Stack|Windows|Clipboard|Control|Programs|Recorder|Iterator|Runner)\b", r"\1"),
    (r"\b__a(enter|exit)__\b", r"__\1__"),
    (r"\b(clipboard|connection|control|desktop|programs|recorder|runner|windows)_async\b", r"\1_sync"),
]


def sync(text: str, source: str, target: str) -> str:
    """Converts the text of an asynchronous module."""
    for pattern, word in WORDS:
        text = re.sub(pattern, word, text)
    # After the replacement, the module must not say that it is the source.
    head = f"# Generated from {source} by tools/sync.py.\n"
    text = re.sub(r" ?`?\w*_sync\.py` is generated from this file\.", "", text)
    text = text.replace("The asynchronous", "The synchronous")
    # `import time` goes where the formatter wants it.
    if "import time\n" in text:
        text = text.replace("import time\nimport builtins\nimport os\n", "import builtins\nimport os\nimport time\n")
    return head + text


def main() -> None:
    stale = []
    for source, target in FILES.items():
        made = sync((SOURCE / source).read_text(), source, target)
        place = SOURCE / target
        if not place.exists() or place.read_text() != made:
            stale.append(target)
            if "--check" not in sys.argv:
                place.write_text(made)
    if "--check" in sys.argv and stale:
        sys.exit(f"sync.py: {', '.join(stale)} is not up to date; run tools/sync.py")


if __name__ == "__main__":
    main()
