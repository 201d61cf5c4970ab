"""Fifty followers of one search: when each event arrives, and whether any is missed."""

from __future__ import annotations

import asyncio
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
    async with httpx.AsyncClient(base_url=site.url, headers=site.headers, timeout=120, limits=limits) as client:
        followers = [asyncio.create_task(_follow(client, search)) for _ in range(FOLLOWERS)]
        await asyncio.sleep(2.0)  # all are connected before anything happens
        driver = site.program("benchmarks.service.driver", search, "--evaluation-s", "0.05")
        results = await asyncio.gather(*followers)
        await asyncio.to_thread(driver.wait)
        last = (await client.get(f"/v1/searches/{search}")).json()["last_event"]
    missed = sum(ids != list(range(1, last + 1)) for ids, _ in results)
    delays = [delay for _, delays in results for delay in delays]
    return {
        "clients": FOLLOWERS,
        "events": last,
        "deliveries": len(delays),
        "clients_that_missed_or_repeated": missed,
        **quantiles_ms(delays),
    }


async def _follow(client: httpx.AsyncClient, search: str) -> tuple[list[int], list[float]]:
    ids: list[int] = []
    delays: list[float] = []
    kind = ""
    accept = {"Accept": "text/event-stream"}
    async with client.stream("GET", f"/v1/searches/{search}/events", params={"after": 0}, headers=accept) as answer:
        async for line in answer.aiter_lines():
            if line.startswith("event:"):
                kind = line[6:].strip()
            if line.startswith("data:") and kind != "end":
                event = json.loads(line[5:])
                ids.append(event["id"])
                delays.append(time.time() - event["at"])
            if kind == "end":
                break
    return ids, delays
