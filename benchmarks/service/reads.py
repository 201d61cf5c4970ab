"""How long every read takes, for one client and for eight, on a kept connection of the real API process."""

from __future__ import annotations

import threading
import time
from typing import Any

from benchmarks.service.site import Site, quantiles_ms

WARM_UPS = 3


def routes(large: str, small: str) -> dict[str, str]:
    """Every read of the interface, by its template; the large search where it matters."""
    one = f"/v1/searches/{large}"
    return {
        "/v1/me": "/v1/me",
        "/v1/searches": "/v1/searches?limit=50",
        "/v1/searches (500)": "/v1/searches?limit=500",
        "/v1/searches (by name)": "/v1/searches?name=small-9&limit=50",
        "/v1/searches/{id} (small)": f"/v1/searches/{small}",
        "/v1/searches/{id}": one,
        "/v1/searches/{id}/spec": f"{one}/spec",
        "/v1/searches/{id}/bounds": f"{one}/bounds",
        "/v1/searches/{id}/trials": f"{one}/trials?limit=50",
        "/v1/searches/{id}/trials (deep)": f"{one}/trials?limit=50&after=%MIDDLE%",
        "/v1/searches/{id}/trials (500)": f"{one}/trials?limit=500",
        "/v1/searches/{id}/trials (feasible)": f"{one}/trials?limit=50&feasible=true",
        "/v1/searches/{id}/trials/{n}": f"{one}/trials/%MIDDLE%",
        "/v1/searches/{id}/points (1000)": f"{one}/points?limit=1000",
        "/v1/searches/{id}/points (delta)": f"{one}/points?after_event=%RECENT%",
        "/v1/searches/{id}/front": f"{one}/front",
        "/v1/searches/{id}/hypervolume": f"{one}/hypervolume",
        "/v1/searches/{id}/library": f"{one}/library",
        "/v1/searches/{id}/hardware": f"{one}/hardware",
        "/v1/searches/{id}/events": f"{one}/events?limit=100&after=%RECENT%",
        "/v1/searches/{id}/exports": f"{one}/exports",
        "/v1/libraries": "/v1/libraries",
        "/v1/projects": "/v1/projects",
        "/v1/projects/{p}": "/v1/projects/default",
        "/v1/devices": "/v1/devices",
        "/v1/catalogue": "/v1/catalogue",
        "/v1/spec-schema": "/v1/spec-schema",
        "/v1/audit": "/v1/audit?limit=50",
        "/v1/keys": "/v1/keys",
        "/v1/cluster": "/v1/cluster",
        "/health/ready": "/health/ready",
        "/metrics": "/metrics",
    }


def measure_reads(site: Site, large: str, small: str, repeats: int) -> list[dict[str, Any]]:
    """One row per route: median, 95th percentile and worst for one client; the same for eight at once."""
    with site.client() as client:
        document = client.get(f"/v1/searches/{large}").json()
    middle, recent = document["trials"] // 2, max(0, document["last_event"] - 20)
    rows = []
    for template, path in routes(large, small).items():
        filled = path.replace("%MIDDLE%", str(middle)).replace("%RECENT%", str(recent))
        alone, size, status = _ask(site, filled, repeats)
        crowded = _crowd(site, filled, 8, max(5, repeats // 4))
        eight = {f"eight_{name}": value for name, value in quantiles_ms(crowded).items()}
        rows.append({"route": template, "status": status, "bytes": size, **quantiles_ms(alone), **eight})
    return rows


def _ask(site: Site, path: str, repeats: int) -> tuple[list[float], int, int]:
    spent: list[float] = []
    with site.client() as client:
        for number in range(WARM_UPS + repeats):
            began = time.perf_counter()
            answer = client.get(path)
            took = time.perf_counter() - began
            if number >= WARM_UPS:
                spent.append(took)
    return spent, len(answer.content), answer.status_code


def _crowd(site: Site, path: str, clients: int, repeats: int) -> list[float]:
    spent: list[float] = []

    def ask() -> None:
        spent.extend(_ask(site, path, repeats)[0])

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return spent
