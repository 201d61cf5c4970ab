"""A relay between two programs that delays, loses and repeats what they say to each other."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import Literal

Mood = Literal["faithful", "delay", "drop", "repeat"]
CHUNK = 65536
DELAY_S = 0.8


class Relay:
    """Listens on a port of its own and passes connections on to another one.

    Attributes:
        mood: How it treats messages; may be set from any thread, and counts from the next chunk on.
            `delay` holds every chunk back; `drop` lets every other request through, loses the answer and cuts the
            connection, and loses the others at once; `repeat` sends a finished connection's bytes a second time,
            as a retrying network element would, and throws the second answer away.
        lost: Connections cut.
        repeated: Conversations sent twice.
    """

    def __init__(self, upstream_port: int, upstream_host: str = "127.0.0.1", port: int = 0) -> None:
        self.mood: Mood = "faithful"
        self.lost = 0
        self.repeated = 0
        self._upstream = (upstream_host, upstream_port)
        self._wanted_port = port
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, name=f"relay-{upstream_port}", daemon=True)
        self._connections = 0
        self.port = 0

    def start(self) -> int:
        """Begin to listen; returns the port."""
        self._thread.start()
        self._ready.wait(10)
        return self.port

    def stop(self) -> None:
        """Cut everything."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._relay, "127.0.0.1", self._wanted_port))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        self._loop.run_until_complete(self._cut())
        self._loop.close()

    async def _cut(self) -> None:
        open_ones = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in open_ones:
            task.cancel()
        await asyncio.gather(*open_ones, return_exceptions=True)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        number, said = self._connections, bytearray()
        try:
            up_reader, up_writer = await asyncio.open_connection(*self._upstream)
        except OSError:
            writer.close()
            return
        asking = asyncio.create_task(self._pump(reader, up_writer, number, said, is_answer=False))
        answering = asyncio.create_task(self._pump(up_reader, writer, number, bytearray(), is_answer=True))
        try:
            await asyncio.wait({asking, answering}, return_when=asyncio.FIRST_COMPLETED)
            if self.mood == "repeat" and said:
                self.repeated += 1
                await self._repeat(bytes(said))
        finally:
            asking.cancel()
            answering.cancel()
            up_writer.close()
            writer.close()

    async def _pump(
        self,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        number: int,
        said: bytearray,
        *,
        is_answer: bool,
    ) -> None:
        with contextlib.suppress(OSError):
            while chunk := await source.read(CHUNK):
                if self.mood == "delay":
                    await asyncio.sleep(DELAY_S)
                if self.mood == "drop" and (is_answer or number % 2):
                    self.lost += 1
                    return
                if self.mood == "repeat" and not is_answer and len(said) < 2**20:
                    said += chunk
                sink.write(chunk)
                await sink.drain()

    async def _repeat(self, said: bytes) -> None:
        with contextlib.suppress(OSError, asyncio.TimeoutError):
            reader, writer = await asyncio.open_connection(*self._upstream)
            writer.write(said)
            await writer.drain()
            try:
                await asyncio.wait_for(reader.read(), 10)
            finally:
                writer.close()
