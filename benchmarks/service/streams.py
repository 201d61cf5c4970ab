"""Fifty followers of one search: when each event arrives, and whether any is missed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from typing import Any

import httpx

from benchmarks.service.site import Site, quantiles_ms

FOLLOWERS = 50


def measure_streams(site: Site, trials: int) -> dict[str, Any]:
    """Delivery of every event of a running search to fifty clients, over server-sent events.

    The delay runs from the event's own time, taken when its transaction began, to its arrival; it holds
    the commit.
    """
    with site.client() as client:
        search = site.submit(client, "followed", trials)
    return asyncio.run(_follow_all(site, search))


async def _follow_all(site: Site, search: str) -> dict[str, Any]:
    limits = httpx.Limits(max_connections=FOLLOWERS + 1)
    followers = [Follower() for _ in range(FOLLOWERS)]
    async with httpx.AsyncClient(base_url=site.url, headers=site.headers, timeout=120, limits=limits) as client:
        following = [asyncio.create_task(follower.follow(client, search)) for follower in followers]
        await asyncio.sleep(2.0)  # all are connected before anything happens
        driver = site.program("benchmarks.service.driver", search, "--evaluation-s", "0.05")
        await asyncio.gather(*following)
        await asyncio.to_thread(driver.wait)
        last = (await client.get(f"/v1/searches/{search}")).json()["last_event"]
    delays = [delay for follower in followers for delay in follower.delays]
    return {
        "clients": FOLLOWERS,
        "events": last,
        "deliveries": len(delays),
        "clients_that_missed_or_repeated": sum(one.ids != list(range(1, last + 1)) for one in followers),
        "reconnections": sum(one.connections - 1 for one in followers),
        **quantiles_ms(delays),
    }


class Follower:
    """One client of a stream, which comes back with the id of its last event, as browsers do.

    Attributes:
        ids: Events that arrived.
        delays: Seconds that each took.
        connections: Times it connected.
    """

    def __init__(self) -> None:
        self.ids: list[int] = []
        self.delays: list[float] = []
        self.connections = 0
        self._has_ended = False

    async def follow(self, client: httpx.AsyncClient, search: str) -> None:
        """Hear everything until the search ends."""
        while not self._has_ended:
            self.connections += 1
            headers = {"Accept": "text/event-stream", "Last-Event-ID": str(self.ids[-1] if self.ids else 0)}
            with contextlib.suppress(httpx.TransportError):
                async with client.stream("GET", f"/v1/searches/{search}/events", headers=headers) as answer:
                    answer.raise_for_status()
                    await self._hear(answer)

    async def _hear(self, answer: httpx.Response) -> None:
        kind = ""
        async for line in answer.aiter_lines():
            if line.startswith("event:"):
                kind = line[6:].strip()
            if line.startswith("data:") and kind != "end":
                event = json.loads(line[5:])
                self.ids.append(event["id"])
                self.delays.append(time.time() - event["at"])
            if kind == "end":
                self._has_ended = True
                return
