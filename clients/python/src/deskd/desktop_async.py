"""The asynchronous client. `desktop_sync.py` is generated from this file."""

from __future__ import annotations

import asyncio
import builtins
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from types import TracebackType
from typing import Any

import grpc

from . import actions as make
from .actions import Action
from .address import Address
from .calls import (
    DESKTOP,
    STACK,
    Attempts,
    Canvas,
    Defaults,
    StepAttempts,
    StepRequest,
    check_ready,
    error_of,
    frame_id,
    picture_features,
    pressed_name,
    requires,
    wait_for_request,
    wait_ready_request,
    watch_request,
)
from .clipboard_async import AsyncClipboard
from .control_async import AsyncControl
from .connection_async import Connection
from .errors import DeadlineExceeded, DeskdError
from .frame import Frame, frame
from .options import Picture, Space, picture_of
from .options import size as size_message
from .options import space as space_message
from .programs_async import AsyncPrograms
from .recorder_async import AsyncRecorder
from .step import Step, step
from .v1 import desktop_pb2 as pb
from .v1 import stack_pb2
from .values import duration, flag, invalid, wait_timeout, whole
from .window import Waited, waited
from .windows_async import AsyncWindows

__all__ = ["AsyncDesktop", "AsyncStack"]


class AsyncDesktop:
    """A desktop that a daemon serves.

        async with AsyncDesktop("unix:/run/deskd/deskd.sock") as desktop:
            frame = await desktop.screenshot()
            frame.save("screen.png")
            await desktop.click(640, 400)

    Calls that fail because the daemon or the X server restarts are made again. A step has an id, by
    which the daemon executes it at most once, also when it is sent again.

    Points are pixels of the screen. With `size`, they are pixels of an image of that size; with a
    `picture` that has a `fit`, pixels of the last screenshot. Each call can name another `space`.

    Actions wait until the screen has settled, and raise `ActionFailed` if they were not done. Every
    call raises a `DeskdError` if it was refused.

    Args:
        server: `unix:/path`, `host:port` or `exec:COMMAND`. Default: the environment variable
            DESKD_SERVER, else the socket of a daemon on this machine.
        token: The bearer token. `token_file` reads it from a file.
        tls_ca: File with certificates (PEM) that must have signed the server's; turns TLS on.
        tls_cert: File with the client's own certificate, for mutual TLS; with `tls_key`.
        size: Width and height of every picture.
        picture: Options of every picture, instead of `size`.
        timeout: Seconds that a call may take, beside the time that its actions take by themselves.
            At most 86,400.
    """

    def __init__(
        self,
        server: str | None = None,
        *,
        token: str | None = None,
        token_file: str | os.PathLike[str] | None = None,
        tls_ca: str | os.PathLike[str] | None = None,
        tls_cert: str | os.PathLike[str] | None = None,
        tls_key: str | os.PathLike[str] | None = None,
        size: tuple[int, int] | None = None,
        picture: Picture | None = None,
        timeout: float = 30.0,
    ) -> None:
        address = Address.of(
            server,
            token=token,
            token_file=token_file,
            tls_ca=tls_ca,
            tls_cert=tls_cert,
            tls_key=tls_key,
        )
        self._connection = Connection(address)
        self._defaults = Defaults(size, picture, timeout)
        self._instance: str | None = None

    async def __aenter__(self) -> AsyncDesktop:
        return self

    async def __aexit__(
        self,
        kind: builtins.type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._connection.address.server!r})"

    async def close(self) -> None:
        """Closes the connection. A later call opens another one."""
        await self._connection.close()

    # --- Seeing ---

    async def screenshot(
        self,
        *,
        size: tuple[int, int] | None = None,
        fit: Any = None,
        region: Any = None,
        format: str | None = None,
        quality: int | None = None,
        cursor: bool | None = None,
        max_bytes: int | None = None,
        space: Space = None,
        picture: Picture | None = None,
        if_changed_since: Frame | str = "",
        unproved: bool = False,
        timeout: float | None = None,
    ) -> Frame:
        """Takes a picture of the screen, or a failure card if that is not possible.

        The call waits until the desktop is painted. The options are those of `Picture`; give them
        singly or as `picture`. `if_changed_since` names a frame that the caller has: if the picture
        is the same, the answer has no image.
        """
        single = Picture(size, fit, region, format, quality, cursor, max_bytes, space)
        if picture is not None and single != Picture():
            raise invalid("picture and its fields exclude each other; put the fields into the picture")
        own = picture_of(picture) if picture is not None else (single if single != Picture() else None)
        capture = (own or self._defaults.picture).message()
        since = frame_id(if_changed_since)
        request = pb.ScreenshotRequest(if_changed_since=since, unproved=flag(unproved, "unproved"))
        if capture.ByteSize():
            request.capture.CopyFrom(capture)
        needed = requires(picture_features(capture))
        reply = await self._call(
            DESKTOP + "Screenshot", request, pb.ScreenshotResponse, timeout, needed
        )
        made = frame(reply.frame)
        self._defaults.saw(own, made)
        return made

    async def watch(
        self,
        *,
        picture: Picture | None = None,
        max_fps: int | None = None,
        regions: bool = False,
        unproved: bool = False,
        timeout: float | None = None,
    ) -> AsyncIterator[Frame]:
        """Yields a frame whenever the screen has changed, the first one at once.

        With `regions`, the daemon sends only what changed, and each frame has the complete raw
        pixels (`format` is `raw`) and the changed rectangles. If the stream breaks off, it is opened
        again, for at most `timeout` seconds. A consumer that is slow gets the latest picture. Each
        stream has its own connection.
        """
        own = picture_of(picture) if picture is not None else self._defaults.picture
        last = Canvas()
        needed = requires({"watch"} | picture_features(own.message()))
        wait = timeout if timeout is not None else self._defaults.timeout
        attempts = Attempts("Watch", wait)
        is_resumed = False
        # The daemon closes the connection of a stream that is not read, with all of its calls.
        connection = Connection(self._connection.address)
        try:
            while True:
                request = watch_request(own, max_fps, regions, unproved, last.frame_id)
                method = connection.channel().unary_stream(
                    DESKTOP + "Watch",
                    request_serializer=pb.WatchRequest.SerializeToString,
                    response_deserializer=pb.WatchResponse.FromString,
                )
                call = method(request, metadata=(*connection.address.metadata(), *needed))
                try:
                    # A daemon that accepted the stream has sent headers.
                    if await call.initial_metadata():
                        is_resumed = False
                    async for response in call:
                        yield last.draw(response)
                    return
                except grpc.RpcError as failed:
                    if not is_resumed:
                        attempts, is_resumed = Attempts("Watch", wait), True
                    pause = attempts.pause(error_of(failed))
                finally:
                    call.cancel()
                await asyncio.sleep(pause)
        finally:
            await connection.close()

    async def cursor(self) -> tuple[int, int]:
        """Returns the position of the pointer, in pixels of the screen."""
        reply = await self._call(DESKTOP + "GetCursor", pb.GetCursorRequest(), pb.GetCursorResponse)
        return reply.cursor.position.x, reply.cursor.position.y

    async def info(self) -> Any:
        """Returns the daemon, its display, features and limits: a `deskd.v1` `GetInfoResponse`."""
        reply = await self._call(DESKTOP + "GetInfo", pb.GetInfoRequest(), pb.GetInfoResponse)
        self._instance = reply.instance_id
        return reply

    async def screen_size(self) -> tuple[int, int]:
        """Returns the width and height of the screen in pixels."""
        reply = await self.info()
        if not reply.HasField("geometry"):
            raise DeskdError("the screen is not known yet: no X server was connected")
        return reply.geometry.size.width, reply.geometry.size.height

    async def wait_ready(
        self,
        timeout: float = 90.0,
        *,
        windows: Sequence[str | dict[str, str]] = (),
        allow_unsettled: bool = False,
    ) -> Any:
        """Waits until the desktop is painted and at rest, and `windows` are shown.

        A window is a part of its title, or a dictionary with `title` and `class`. Returns the
        evidence, a `deskd.v1` `WaitReadyResponse`.

        Raises:
            DeadlineExceeded: If the desktop is not ready in time. The message says what is missing.
        """
        allowed = wait_timeout(timeout)
        request = wait_ready_request(timeout, windows, allow_unsettled)
        needed = requires({"paint_gate"} | ({"expected_windows"} if windows else set()))
        reply = await self._call(
            DESKTOP + "WaitReady", request, pb.WaitReadyResponse, allowed, needed
        )
        check_ready(reply, timeout)
        return reply

    async def wait_for(
        self,
        condition: Any,
        timeout: float = 10.0,
        *,
        space: Space = None,
        check: bool = True,
    ) -> Waited:
        """Waits until a condition is met (see `deskd.conditions`), at most 300 s.

        `space` is what its regions are pixels of; default: the screen.

        Raises:
            ActionFailed: If the condition is not met in time, and `check` is true.
        """
        flag(check, "check")
        allowed = wait_timeout(timeout)
        request = wait_for_request(condition, timeout, space_message(space))
        reply = await self._call(
            DESKTOP + "WaitFor", request, pb.WaitForResponse, allowed, requires({"wait_for"})
        )
        made = waited(reply.report)
        return made.check() if check else made

    # --- Acting ---

    async def act(
        self,
        actions: Iterable[Action],
        *,
        space: Any = ...,
        picture: Picture | None = None,
        frame: bool = True,
        stop_at_first: bool = False,
        settle: float | None = None,
        quiet: float | None = None,
        expect: Frame | None = None,
        unproved: bool = False,
        no_pacing: bool = False,
        check: bool = True,
        timeout: float | None = None,
    ) -> Step:
        """Performs one step: up to 100 actions in order, each exactly once.

        The daemon checks all actions first, and does nothing if one of them is impossible. With
        `stop_at_first`, it checks each action when its turn comes, and earlier ones stay done.

        Args:
            actions: What to do; see `deskd.actions`.
            space: What the points are pixels of: a frame, the size of an image of the whole screen,
                or None for the screen. Default: see the class.
            picture: Options of the frame after the step.
            frame: Whether to take that frame.
            settle: Maximum seconds to wait until the screen rests. 0: do not wait.
            quiet: Minimum seconds for which the screen must not change.
            expect: A frame whose X server and screen size must still be the present ones.
            check: Whether to raise an error if an action was not done.
            timeout: Seconds for the whole call, at most 86,400.

        Raises:
            ActionFailed: If an action was not done, and `check` is true.
            OutcomeUnknown: If it is not known what was done.
            DeskdError: If the step was refused. Nothing was done.
        """
        flag(check, "check")
        plan = StepRequest(
            self._defaults,
            actions,
            space=space,
            picture=picture,
            without_frame=not flag(frame, "frame"),
            stop_at_first=stop_at_first,
            settle=settle,
            quiet=quiet,
            expect=expect,
            unproved=unproved,
            no_pacing=no_pacing,
            timeout=timeout,
        )
        made = step(await self._act(plan), plan.request.operation_id)
        self._defaults.saw(picture, made.frame)
        return made.check() if check else made

    async def click(
        self,
        x: int | None = None,
        y: int | None = None,
        *,
        button: str = "left",
        count: int = 1,
        modifiers: str | Sequence[str] = (),
        **options: Any,
    ) -> Step:
        """Clicks at a point, or where the pointer is. `options` are those of `act`."""
        action = make.click(x, y, button=button, count=count, modifiers=modifiers)
        return await self.act([action], **options)

    async def double_click(self, x: int | None = None, y: int | None = None, **options: Any) -> Step:
        """Clicks twice."""
        return await self.click(x, y, count=2, **options)

    async def triple_click(self, x: int | None = None, y: int | None = None, **options: Any) -> Step:
        """Clicks three times."""
        return await self.click(x, y, count=3, **options)

    async def right_click(self, x: int | None = None, y: int | None = None, **options: Any) -> Step:
        """Clicks the right button."""
        return await self.click(x, y, button="right", **options)

    async def middle_click(self, x: int | None = None, y: int | None = None, **options: Any) -> Step:
        """Clicks the middle button."""
        return await self.click(x, y, button="middle", **options)

    async def move(
        self, x: int, y: int, *, modifiers: str | Sequence[str] = (), **options: Any
    ) -> Step:
        """Moves the pointer."""
        return await self.act([make.move(x, y, modifiers=modifiers)], **options)

    async def drag(
        self,
        start: tuple[int, int],
        *path: tuple[int, int],
        button: str = "left",
        modifiers: str | Sequence[str] = (),
        seconds: float | None = None,
        **options: Any,
    ) -> Step:
        """Drags from the first point through the others: `drag((10, 10), (200, 80))`."""
        action = make.drag((start, *path), button=button, modifiers=modifiers, seconds=seconds)
        return await self.act([action], **options)

    async def scroll(
        self,
        dx: int = 0,
        dy: int = 0,
        *,
        x: int | None = None,
        y: int | None = None,
        unit: str = "notch",
        modifiers: str | Sequence[str] = (),
        **options: Any,
    ) -> Step:
        """Turns the wheel `dy` notches down and `dx` to the right, at a point or the pointer."""
        action = make.scroll(dx, dy, x=x, y=y, unit=unit, modifiers=modifiers)
        return await self.act([action], **options)

    async def type(self, text: str, *, rate: int | None = None, **options: Any) -> Step:
        """Types text of any script into the focused window."""
        return await self.act([make.type_text(text, rate=rate)], **options)

    async def paste(self, text: str, *, chord: str = "", **options: Any) -> Step:
        """Pastes text through the clipboard, whose former content comes back afterwards."""
        return await self.act([make.paste(text, chord=chord)], **options)

    async def press(self, *chord: str, repeat: int | None = None, **options: Any) -> Step:
        """Presses keys together: `press("ctrl+s")`, `press("ctrl", "s")`, `press("Down", repeat=3)`."""
        return await self.act([make.press(*chord, repeat=repeat)], **options)

    async def key(self, *chord: str, repeat: int | None = None, **options: Any) -> Step:
        """The same as `press`."""
        return await self.press(*chord, repeat=repeat, **options)

    async def hold(self, *chord: str, seconds: float, **options: Any) -> Step:
        """Holds keys down for some seconds."""
        # Without a time, the keys would only be pressed.
        duration(seconds, "seconds")
        return await self.act([make.press(*chord, hold=seconds)], **options)

    async def wait(self, seconds: float, **options: Any) -> Step:
        """Waits, and takes a frame afterwards."""
        return await self.act([make.wait(seconds)], **options)

    async def release_all(self) -> list[str]:
        """Releases every key and button that the daemon holds down. Returns their names."""
        reply = await self._call(
            DESKTOP + "ReleaseAll", pb.ReleaseAllRequest(), pb.ReleaseAllResponse
        )
        return [pressed_name(each) for each in reply.released]

    async def pressed(self) -> list[str]:
        """Returns the names of the keys and buttons that the daemon holds down."""
        reply = await self._call(
            DESKTOP + "GetPressed", pb.GetPressedRequest(), pb.GetPressedResponse
        )
        return [pressed_name(each) for each in reply.pressed]

    @property
    def windows(self) -> AsyncWindows:
        """The windows of the desktop: list, activate, close, move."""
        return AsyncWindows(self._call, self._once)

    @property
    def clipboard(self) -> AsyncClipboard:
        """The clipboard of the desktop: read and write, in any format."""
        return AsyncClipboard(self)

    @property
    def control(self) -> AsyncControl:
        """Who is in control of the input: a person takes it from an agent, and gives it back."""
        return AsyncControl(self)

    @property
    def programs(self) -> AsyncPrograms:
        """The programs of the desktop: launch, list, signal."""
        return AsyncPrograms(self)

    @property
    def recorder(self) -> AsyncRecorder:
        """The recorder of the desktop: logs that show a run step by step."""
        return AsyncRecorder(self)

    @property
    def stack(self) -> AsyncStack:
        """The processes of the desktop: start, stop, resize."""
        return AsyncStack(self)

    # --- Calls ---

    async def _call(
        self,
        path: str,
        request: Any,
        response: Any,
        timeout: float | None = None,
        metadata: tuple[tuple[str, str], ...] = (),
    ) -> Any:
        """Makes a call that changes nothing or can be repeated, until it succeeds or the time is
        over."""
        return await self._until_done(
            path, timeout, lambda left: self._once(path, request, response, left, metadata)
        )

    async def _receive(
        self,
        path: str,
        request: Any,
        response: Any,
        timeout: float | None,
        metadata: tuple[tuple[str, str], ...],
    ) -> list[Any]:
        """Makes such a call that returns a stream. Returns all of its messages."""

        async def once(left: float) -> list[Any]:
            method = self._connection.channel().unary_stream(
                path,
                request_serializer=type(request).SerializeToString,
                response_deserializer=response.FromString,
            )
            headers = (*self._connection.metadata(), *metadata)
            try:
                return [each async for each in method(request, timeout=left, metadata=headers)]
            except grpc.RpcError as failed:
                raise error_of(failed) from None

        made: list[Any] = await self._until_done(path, timeout, once)
        return made

    async def _receive_each(
        self,
        path: str,
        request: Callable[[], Any],
        response: Any,
        take: Callable[[Any], None],
        metadata: tuple[tuple[str, str], ...],
    ) -> None:
        """Makes such a call, and passes each message to `take`. A stream that breaks off is opened
        again with a new request, unless no message arrived within the timeout."""
        name, allowed = path.rpartition("/")[2], self._defaults.timeout
        attempts = Attempts(name, allowed)
        while True:
            left, message = attempts.left(), request()
            method = self._connection.channel().unary_stream(
                path,
                request_serializer=type(message).SerializeToString,
                response_deserializer=response.FromString,
            )
            headers = (*self._connection.metadata(), *metadata)
            call = method(message, timeout=left, metadata=headers)
            has_moved = False
            try:
                async for each in call:
                    has_moved = True
                    take(each)
                return
            except grpc.RpcError as failed:
                error = error_of(failed)
            finally:
                call.cancel()
            if has_moved:
                attempts = Attempts(name, allowed)
                if isinstance(error, DeadlineExceeded):
                    continue
            await asyncio.sleep(attempts.pause(error))

    async def _send(
        self,
        path: str,
        requests: Iterable[Any],
        request: Any,
        response: Any,
        timeout: float | None,
        metadata: tuple[tuple[str, str], ...],
    ) -> Any:
        """Makes such a call that sends a stream. `requests` can be iterated several times."""

        async def once(left: float) -> Any:
            method = self._connection.channel().stream_unary(
                path,
                request_serializer=request.SerializeToString,
                response_deserializer=response.FromString,
            )
            headers = (*self._connection.metadata(), *metadata)
            try:
                return await method(iter(requests), timeout=left, metadata=headers)
            except grpc.RpcError as failed:
                raise error_of(failed) from None

        return await self._until_done(path, timeout, once)

    async def _until_done(
        self, path: str, timeout: float | None, once: Callable[[float], Awaitable[Any]]
    ) -> Any:
        """Makes a call with `once` until it succeeds or the time is over."""
        allowed = timeout if timeout is not None else self._defaults.timeout
        attempts = Attempts(path.rpartition("/")[2], allowed)
        while True:
            try:
                return await once(attempts.left())
            except DeskdError as error:
                pause = attempts.pause(error)
            await asyncio.sleep(pause)

    async def _act(self, plan: StepRequest) -> Any:
        """Makes a step, again with the same id if the connection breaks. Another instance of the
        daemon cannot know whether the first one executed it, and refuses it."""
        attempts = StepAttempts(plan.request, plan.timeout)
        while True:
            try:
                instance = self._instance
                if instance is None:
                    instance = (await self._get_info(attempts.left())).instance_id
                    self._instance = instance
                reply = await self._once(
                    DESKTOP + "Act",
                    plan.request,
                    pb.ActResponse,
                    attempts.send(instance),
                    plan.metadata,
                )
            except DeskdError as error:
                if attempts.reply is not None:
                    return attempts.reply
                pause: float | None = attempts.failed(error)
                if error.reason == "OUTCOME_UNKNOWN":
                    self._instance = None
                elif error.reason == "NOT_PAINTED":
                    try:
                        await self.wait_ready(attempts.left())
                    except DeskdError as late:
                        raise attempts.unready(error, late) from None
            else:
                pause = attempts.answered(reply)
            if pause is None:
                return reply
            await asyncio.sleep(pause)

    async def _get_info(self, timeout: float) -> Any:
        return await self._once(DESKTOP + "GetInfo", pb.GetInfoRequest(), pb.GetInfoResponse, timeout)

    async def _once(
        self,
        path: str,
        request: Any,
        response: Any,
        timeout: float,
        metadata: tuple[tuple[str, str], ...] = (),
    ) -> Any:
        method = self._connection.channel().unary_unary(
            path,
            request_serializer=type(request).SerializeToString,
            response_deserializer=response.FromString,
        )
        headers = (*self._connection.metadata(), *metadata)
        try:
            return await method(request, timeout=timeout, metadata=headers)
        except grpc.RpcError as failed:
            raise error_of(failed) from None


class AsyncStack:
    """The processes of the desktop, if the daemon manages them. Results are `deskd.v1` messages."""

    def __init__(self, desktop: AsyncDesktop) -> None:
        self._desktop = desktop

    async def up(
        self,
        size: tuple[int, int] | None = None,
        *,
        wait: bool = True,
        timeout: float = 90.0,
    ) -> Any:
        """Starts the desktop and waits until it is painted. See `UpResponse.result`."""
        request = stack_pb2.UpRequest(no_wait=not flag(wait, "wait"))
        if size is not None:
            request.geometry.CopyFrom(size_message(size))
        return await self._call("Up", request, stack_pb2.UpResponse, timeout)

    async def down(self, *, timeout: float = 30.0) -> Any:
        """Ends every process of the desktop."""
        return await self._call("Down", stack_pb2.DownRequest(), stack_pb2.DownResponse, timeout)

    async def status(self) -> Any:
        """Returns the components of the desktop."""
        return await self._call("Status", stack_pb2.StatusRequest(), stack_pb2.StatusResponse, None)

    async def resize(
        self, size: tuple[int, int], *, dpi: int | None = None, timeout: float = 30.0
    ) -> Any:
        """Resizes the screen."""
        request = stack_pb2.SetGeometryRequest(geometry=size_message(size), dpi=whole(dpi, "dpi"))
        return await self._call("SetGeometry", request, stack_pb2.SetGeometryResponse, timeout)

    async def _call(self, name: str, request: Any, response: Any, timeout: float | None) -> Any:
        needed = requires({"stack"})
        return await self._desktop._call(STACK + name, request, response, timeout, needed)
