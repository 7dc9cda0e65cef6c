#!/usr/bin/env python3
"""The first frame: asks deskd for the screen, and writes it to frame.png.

    pip install grpcio grpcio-tools
    python3 first_frame.py [unix:/run/deskd/deskd.sock | host:port]

Over TCP the token is read from the file that DESKD_TOKEN_FILE names, and DESKD_TLS_CA
names the certificates for TLS. The messages are read from proto/ as they are; a product
generates modules once: python3 -m grpc_tools.protoc -I proto --python_out=. …
"""

import os
import pathlib
import sys

import grpc

PROTO = pathlib.Path(__file__).resolve().parents[2] / "proto"
sys.path.insert(0, os.environ.get("DESKD_PROTO", str(PROTO)))
messages, services = grpc.protos_and_services("deskd/v1/desktop.proto")
frames = grpc.protos("deskd/v1/frame.proto")


def read(variable):
    """The content of the file that a variable names."""
    path = os.environ.get(variable)
    return pathlib.Path(path).read_bytes() if path else None


class Token(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):
    """Adds the token to every call."""

    def __init__(self, token):
        self.header = ("authorization", "Bearer " + token)

    def intercept_unary_unary(self, proceed, details, request):
        metadata = [*(details.metadata or []), self.header]
        return proceed(details._replace(metadata=metadata), request)

    intercept_unary_stream = intercept_unary_unary


def connect(address):
    """A stub of the service Desktop."""
    options = [
        # Python sends a socket's path as the authority, which HTTP/2 refuses.
        *([("grpc.default_authority", "localhost")] if address.startswith("unix:") else []),
        # Raw frames are larger than the 4 MiB that gRPC takes by default.
        ("grpc.max_receive_message_length", 160 << 20),
        # A daemon that starts again is back in a second; gRPC would wait up to two minutes.
        ("grpc.initial_reconnect_backoff_ms", 100),
        # This is also the least time that one attempt gets.
        ("grpc.min_reconnect_backoff_ms", 2000),
        ("grpc.max_reconnect_backoff_ms", 1000),
    ]
    authorities = read("DESKD_TLS_CA")
    if authorities:
        channel = grpc.secure_channel(address, grpc.ssl_channel_credentials(authorities), options)
    else:
        channel = grpc.insecure_channel(address, options)
    token = read("DESKD_TOKEN_FILE")
    if token:
        channel = grpc.intercept_channel(channel, Token(token.decode().strip()))
    return services.DesktopStub(channel)


def main():
    address = sys.argv[1] if len(sys.argv) > 1 else "unix:/run/deskd/deskd.sock"
    desktop = connect(address)
    # Waits until the desktop is painted, within this time.
    frame = desktop.Screenshot(messages.ScreenshotRequest(), timeout=60).frame
    pathlib.Path("frame.png").write_bytes(frame.image)
    if frame.kind == frames.FRAME_KIND_FAILURE_CARD:
        # A picture all the same: hand it to the model, which reads what is wrong.
        sys.exit(f"no screen: {frame.failure.message} (frame.png says so, too)")
    times = frame.timings
    print(
        f"frame.png: {frame.width}x{frame.height}, {len(frame.image)} bytes, "
        f"captured in {times.capture.ToMicroseconds()} µs, "
        f"encoded in {times.encode.ToMicroseconds()} µs"
    )


if __name__ == "__main__":
    main()
