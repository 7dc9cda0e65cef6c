#!/usr/bin/env python3
"""A local port that leads to deskd through a provider's exec.

    python3 bridge.py 127.0.0.1:7000 docker exec -i box deskd bridge
    python3 first_frame.py 127.0.0.1:7000

Every connection runs the command once; its standard input and output are the
connection. Whoever reaches the port reaches the desktop: keep it on loopback.
"""

import asyncio
import sys


async def pump(reader, writer):
    """Moves bytes until the reader ends."""
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


async def serve(address, command):
    async def connected(reader, writer):
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
        await asyncio.gather(pump(reader, process.stdin), pump(process.stdout, writer))
        await process.wait()

    host, port = address.rsplit(":", 1)
    server = await asyncio.start_server(connected, host, int(port))
    host, port = server.sockets[0].getsockname()[:2]
    print(f"listening on {host}:{port}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    try:
        asyncio.run(serve(sys.argv[1], sys.argv[2:]))
    except KeyboardInterrupt:
        pass
