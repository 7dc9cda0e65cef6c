"""Mints viewer tokens, by which a person opens the page of a desktop once."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
import time

from .values import invalid

__all__ = ["viewer_token", "viewer_url"]

_KEY = re.compile(rb"[!-~]{32,256}")
_MAX_NAME = 128
_MAX_TTL = 3600


def viewer_token(
    key: str | bytes,
    *,
    control: bool = False,
    viewer: str = "",
    workspace: str = "",
    session: str = "",
    ttl: int = 120,
) -> str:
    """Returns a token that lets one person open the viewer once. No call to the daemon is made.

    Args:
        key: A line of the daemon's `--viewer-key-file`: 32 to 256 printable characters.
        control: Whether the person may take control. Otherwise the person only watches.
        viewer: The name that others see when this person takes control.
        workspace: Compared with the daemon's `--viewer-workspace`, if that is given.
        session: Compared with the daemon's `--viewer-session`, if that is given.
        ttl: Seconds for which the token can be used, from 1 to 3,600.

    Raises:
        InvalidRequest: If an argument is not valid. The error does not show the key.
    """
    secret = key.encode("ascii", "replace") if isinstance(key, str) else bytes(key)
    secret = secret.strip()
    if not _KEY.fullmatch(secret):
        raise invalid("the key must have 32 to 256 printable characters without spaces")
    if not isinstance(ttl, int) or isinstance(ttl, bool) or not 1 <= ttl <= _MAX_TTL:
        raise invalid(f"ttl is {ttl!r}; give whole seconds from 1 to 3,600")
    now = int(time.time())
    claims: dict[str, object] = {
        "mode": "control" if control else "view",
        "exp": now + ttl,
        "iat": now,
        "jti": secrets.token_urlsafe(16),
    }
    for name, value in (("viewer", viewer), ("workspace", workspace), ("session", session)):
        is_line = isinstance(value, str) and not re.search(r"[\x00-\x1f\x7f-\x9f]", value)
        if not is_line or len(value.encode("utf-8", "replace")) > _MAX_NAME:
            raise invalid(f"{name} must be a string of at most 128 bytes without control characters")
        if value:
            claims[name] = value
    payload = json.dumps(claims, separators=(",", ":"), ensure_ascii=False).encode("utf-8")
    signed = b"deskd1." + _base64(payload)
    signature = hmac.new(secret, signed, hashlib.sha256).digest()
    return (signed + b"." + _base64(signature)).decode("ascii")


def viewer_url(base: str, token: str) -> str:
    """Returns the link that opens the viewer at `base`, such as `https://host:6080`."""
    return f"{base.rstrip('/')}/viewer/#{token}"


def _base64(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")
