"""How fast the service is with 1,000 searches and one of 10,000 trials: `python -m benchmarks.service`.

Everything is submitted through the real API and driven by the real engine into the real storage; only evaluations
are looked up in a table. Predictions, written before the first run, on two cores:

- reads: median 5 ms, 95th percentile under 50 ms for one client everywhere; with eight clients at once about
  eight times the median, because one process answers with one interpreter;
- points of 10,000 trials (pages of 1,000): 30 ms a page; the front 40 ms;
- streams: 95 % of the deliveries to fifty clients within 100 ms; none missed;
- page: usable in 1 s; an update on the screen in 100 ms;
- coordinator: 150 MiB, growing by less than 60 MiB from 1,000 to 10,000 trials; resumed in 3 s;
- fairness between twenty searches in four projects: Jain's index above 0.95;
- Optuna's storage: we write 5 times and read 2 times as many trials per second.
"""

from __future__ import annotations

import argparse
import json
import logging
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.report import write_results
from benchmarks.service.page import measure_page
from benchmarks.service.peers import measure_peers
from benchmarks.service.reads import measure_reads
from benchmarks.service.site import Site
from benchmarks.service.streams import measure_streams
from nas.engine.pace import EVERYDAY

SECTIONS = ("reads", "page", "streams", "fairness", "peers")
log = logging.getLogger("bench")


def main() -> None:
    """Fill, measure, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--quick", action="store_true", help="100 searches, one of 1,000 trials")
    parser.add_argument("--only", nargs="*", choices=SECTIONS, default=SECTIONS)
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s", stream=sys.stderr)
    log.setLevel(logging.INFO)
    searches, trials, repeats = (100, 1_000, 10) if options.quick else (1_000, 10_000, 50)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        site = Site(Path(folder), options.database)
        try:
            document = measure(site, searches, trials, repeats, options.only)
        finally:
            site.close()
    name = f"service-{options.database}" + ("-quick" if options.quick else "")
    tables = {title: rows if isinstance(rows, list) else [rows] for title, rows in document.items()}
    print(write_results(name, document, tables).read_text())


def measure(site: Site, searches: int, trials: int, repeats: int, only: tuple[str, ...]) -> dict[str, Any]:
    """Everything, by section."""
    document: dict[str, Any] = {"fill": fill_small(site, searches)}
    large, document["coordinator"], document["resume"] = fill_large(site, trials)
    with site.client() as client:
        small = client.get("/v1/searches", params={"limit": 2}).json()["items"][1]["search"]
    if "reads" in only:
        document["reads"] = measure_reads(site, large, small, repeats)
    if "page" in only:
        document["page"] = _flat(measure_page(site, large, max(3, repeats // 10)))
    if "streams" in only:
        document["streams"] = measure_streams(site, 60)
    if "fairness" in only:
        from benchmarks.service.fairness import measure_fairness

        document["fairness"] = measure_fairness(site)
    if "peers" in only:
        document["peers"] = measure_peers(site.folder, max(100, trials // 20))
    return document


def fill_small(site: Site, searches: int) -> dict[str, float]:
    """Submit many searches of five trials through the API and drive them."""
    began = time.monotonic()
    with site.client() as client:
        for number in range(searches - 1):
            site.submit(client, f"small-{number}", 5, seed=number)
    submitted_s = time.monotonic() - began
    log.info("%d searches submitted in %.1f s", searches - 1, submitted_s)
    lines = _drive(site)
    driven_s = sum(line["seconds"] for line in lines)
    log.info("%d searches driven in %.1f s", len(lines), driven_s)
    return {"searches": searches - 1, "submitted_per_s": (searches - 1) / submitted_s, "driven_s": driven_s}


def fill_large(site: Site, trials: int) -> tuple[str, list[dict[str, Any]], dict[str, Any]]:
    """One large search, its driver killed just before the end: memory on the way, and how long until it moves again.

    Resuming is everything that a new process does once the dead one's lease is over, from taking it to the next
    finished trial; its imports are left out.
    """
    with site.client() as client:
        large = site.submit(client, "large", trials)
    driver = site.program("benchmarks.service.driver", large, "--every", str(trials // 20), stdout=subprocess.PIPE)
    assert driver.stdout is not None
    rows: list[dict[str, Any]] = []
    for line in driver.stdout:
        row = json.loads(line)
        rows.append({**row, "trials_per_s": row["trials"] / row["seconds"]})
        if row["trials"] >= 0.95 * trials:
            break
    driver.kill()
    driver.wait()
    log.info("the large search: %s", rows[-1])
    time.sleep(EVERYDAY.lease_ttl_s + 1.0)
    (resumed,) = _drive(site, large, "--recover")
    log.info("resumed: %s", resumed)
    _drive(site, large)
    return (
        large,
        rows,
        {"trials": rows[-1]["trials"], "resumed_s": resumed["resumed_s"], "rss_mib": resumed["rss_mib"]},
    )


def _drive(site: Site, *arguments: str) -> list[dict[str, Any]]:
    driver = site.program("benchmarks.service.driver", *arguments, stdout=subprocess.PIPE)
    output, _ = driver.communicate()
    if driver.returncode:
        raise RuntimeError("The driver of the searches failed.")
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]


def _flat(sections: dict[str, Any]) -> list[dict[str, Any]]:
    if "skipped" in sections:
        return [sections]
    return [{"what": name, **values} for name, values in sections.items()]


if __name__ == "__main__":
    main()
