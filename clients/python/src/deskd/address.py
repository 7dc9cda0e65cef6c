"""Addresses of a daemon, and how a channel to each is opened."""

from __future__ import annotations

import os
import pathlib
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field

import grpc

from .bridge import Bridge
from .errors import DeskdError
from .values import invalid

__all__ = ["Address"]

DEFAULT = "unix:/run/deskd/deskd.sock"


@dataclass
class Address:
    """Where a daemon listens, and how this client proves who it is.

    Attributes:
        server: `unix:/path`, `host:port`, or `exec:COMMAND`, a command whose standard input and
            output lead to a daemon, such as `exec:docker exec -i box deskd bridge`.
        token: The bearer token. Never printed.
        ca: PEM certificates that must have signed the server's certificate; turns TLS on.
        identity: The client's own certificate and private key, PEM, for mutual TLS.
    """

    server: str
    token: str | None = field(default=None, repr=False)
    ca: bytes | None = field(default=None, repr=False)
    identity: tuple[bytes, bytes] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.server.startswith("exec:"):
            try:
                words = shlex.split(self.server[len("exec:") :])
            except ValueError as error:
                raise DeskdError(f"the command after exec: cannot be read: {error}") from None
            if not words:
                raise DeskdError("exec: has no command; give one, such as exec:deskd bridge")
        elif self.server.startswith("unix:"):
            if not self.server[len("unix:") :].startswith("/"):
                raise DeskdError(f"{self.server} is not an absolute path; give unix:/path")
        else:
            host, _, port = self.server.rpartition(":")
            is_port = port.isascii() and port.isdigit() and len(port) < 6 and 0 < int(port) < 65536
            if not host or not is_port or "/" in host:
                raise DeskdError(
                    f"{self.server!r} is no address; give unix:/path, host:port or exec:command"
                )
        if self.identity is not None and self.ca is None:
            raise DeskdError("a client certificate requires the authority's certificates (tls_ca)")
        if self.token is not None and not (self.token.isascii() and self.token.isprintable()):
            raise DeskdError("the token has characters that a header cannot carry; check its file")

    @classmethod
    def of(
        cls,
        server: str | None,
        *,
        token: str | None = None,
        token_file: str | os.PathLike[str] | None = None,
        tls_ca: str | os.PathLike[str] | None = None,
        tls_cert: str | os.PathLike[str] | None = None,
        tls_key: str | os.PathLike[str] | None = None,
    ) -> Address:
        """Reads the files. What is not given comes from the environment, as for the commands of
        deskd: DESKD_SERVER, DESKD_TOKEN_FILE, DESKD_TLS_CA, DESKD_TLS_CLIENT_CERT and
        DESKD_TLS_CLIENT_KEY."""
        env = os.environ.get
        if server is not None and not isinstance(server, str):
            raise invalid(f"the server is {server!r}; give unix:/path, host:port or exec:command")
        if token is not None and not isinstance(token, str):
            raise invalid(f"the token is a value of type {type(token).__name__}; give a string")
        if server is None:
            server = env("DESKD_SERVER") or _default()
            token_file = token_file or (env("DESKD_TOKEN_FILE") if token is None else None)
            tls_ca = tls_ca or env("DESKD_TLS_CA")
            tls_cert = tls_cert or env("DESKD_TLS_CLIENT_CERT")
            tls_key = tls_key or env("DESKD_TLS_CLIENT_KEY")
        if token is None and token_file is not None:
            token = _read(token_file).decode("utf-8", "replace").strip()
        if (tls_cert is None) != (tls_key is None):
            raise DeskdError("mutual TLS needs both tls_cert and tls_key")
        identity = None
        if tls_cert is not None and tls_key is not None:
            identity = _read(tls_cert), _read(tls_key)
        return cls(server, token, _read(tls_ca) if tls_ca is not None else None, identity)

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """The headers of every call."""
        return (("authorization", f"Bearer {self.token}"),) if self.token else ()

    def credentials(self) -> grpc.ChannelCredentials | None:
        """The TLS settings, or None without TLS."""
        if self.ca is None:
            return None
        certificate, key = self.identity or (None, None)
        return grpc.ssl_channel_credentials(self.ca, key, certificate)

    def open_bridge(self) -> Bridge | None:
        """Starts the local socket of an `exec:` address; None for the others."""
        if not self.server.startswith("exec:"):
            return None
        return Bridge(shlex.split(self.server[len("exec:") :]))

    def target(self, bridge: Bridge | None) -> str:
        """The name of the address for gRPC."""
        if bridge is not None:
            return f"unix:{bridge.path}"
        return self.server

    @property
    def options(self) -> list[tuple[str, object]]:
        """The options of a channel."""
        is_local = not self.server[:1].isdigit() and self.server.startswith(("unix:", "exec:"))
        return [
            # grpcio sends the path of a Unix socket as the authority, which HTTP/2 refuses.
            *([("grpc.default_authority", "localhost")] if is_local else []),
            # Raw frames are larger than the 4 MiB that gRPC accepts by default.
            ("grpc.max_receive_message_length", 160 << 20),
            # Channels do not share a connection: a stream that is not read holds up no call.
            ("grpc.use_local_subchannel_pool", 1),
            # A daemon that restarts is back within a second.
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.min_reconnect_backoff_ms", 2000),
            ("grpc.max_reconnect_backoff_ms", 1000),
        ]


def _default() -> str:
    """The default address of the commands of deskd. The socket need not exist yet: a daemon may be
    about to start."""
    folder = os.environ.get("XDG_RUNTIME_DIR", "")
    path = os.path.join(folder, "deskd.sock")
    # Another user who listens there would receive typed text and the token.
    is_foreign = _is_anothers(os.stat, folder) or _is_anothers(os.lstat, path)
    return f"unix:{path}" if os.path.isabs(folder) and not is_foreign else DEFAULT


def _is_anothers(stat: Callable[[str], os.stat_result], path: str) -> bool:
    """Whether a file exists and belongs to another user than this one and root."""
    try:
        return stat(path).st_uid not in (0, os.geteuid())
    except (OSError, ValueError):
        return False


def _read(path: str | os.PathLike[str]) -> bytes:
    try:
        return pathlib.Path(path).read_bytes()
    except TypeError:
        raise invalid(f"{path!r} is no path; give the name of a file") from None
    except (OSError, ValueError) as error:
        raise DeskdError(f"{path} cannot be read: {getattr(error, 'strerror', error)}") from error
