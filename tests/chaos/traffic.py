"""Users of the service: they submit, pause, resume, cancel and move bounds, and note what they were promised."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

import httpx

from tests.chaos.evidence import Acknowledged

ANSWER_S = 6.0
STALE_S = 30.0
"""How long a request that was given up may still take effect somewhere."""

ACTIVE = 4
"""Searches under way at a time."""

ERRORS = (0.05, 0.17, 0.18, 10.0)
"""Some of the networks are clearly beyond each but the last, and evaluations of those end early."""
PARAMS = (9_000, 30_000, 100_000)
"""Bounds on the number of parameters: one that screens most architectures, some, none."""

SPACE = {
    "E1": ["teacher", "RA", "R"],
    "E2": ["teacher", "R", "removed"],
    "Mid": ["teacher", "removed"],
    "D1": ["teacher", "RA", "R"],
}


class Traffic:
    """A thread of requests to both APIs in turn, repeated until they are answered.

    Args:
        most: Small searches, no more than these; else larger ones without end, four at a time.

    Attributes:
        restless: Whether searches are paused, resumed, cancelled and bounded; else only submitted.
        answers: Status codes and connection errors by number.
        refusals: Answers that a valid request must not get.
    """

    def __init__(self, urls: list[str], key: str, teacher: str, seed: int, most: int | None = None) -> None:
        self.restless = False
        self.answers: Counter[str] = Counter()
        self.refusals: list[str] = []
        self._urls = itertools.cycle(urls)
        self._headers = {"Authorization": f"Bearer {key}", "Connection": "close"}
        self._teacher = teacher
        self._draw = random.Random(seed)
        self._seed = seed
        self._most = most
        self._lock = threading.Lock()
        self._searches: dict[str, str] = {}
        self._bounds: dict[str, int] = {}
        self._intents: dict[str, str] = {}
        self._unsure_until: dict[str, float] = {}
        self._ended: set[str] = set()
        self.last_status = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="traffic", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the request under way and ask for nothing more."""
        self._stop.set()
        self._thread.join(120)

    @property
    def submitted(self) -> int:
        """Searches that were accepted."""
        with self._lock:
            return len(self._searches)

    def acknowledged(self) -> Acknowledged:
        """What was promised so far."""
        with self._lock:
            now = time.monotonic()
            intents = {
                search: intent
                for search, intent in self._intents.items()
                if now > self._unsure_until.get(search, 0.0)
            }
            return Acknowledged(dict(self._searches), dict(self._bounds), intents)

    def note_ended(self, searches: set[str]) -> None:
        """Leave these alone from now on, and submit others in their place."""
        with self._lock:
            self._ended |= searches

    def resume_all(self) -> None:
        """Make every search run that was paused; called by the rig when nothing is broken any more."""
        for search in self.open_searches():
            self._set_intent(search, "run")

    def _run(self) -> None:
        while not self._stop.wait(self._draw.uniform(0.2, 1.2)):
            active = self.open_searches()
            if len(active) < ACTIVE and (self._most is None or self.submitted < self._most):
                self._submit(self.submitted)
            elif self.restless and active:
                self._bother(self._draw.choice(active))

    def _bother(self, search: str) -> None:
        action = self._draw.choices(["pause", "run", "bounds", "cancel"], [3, 6, 3, 0.2])[0]
        if action == "bounds":
            self._move_bounds(search)
        else:
            self._set_intent(search, action)

    def _submit(self, number: int) -> None:
        name, small = f"chaos-{self._seed}-{number:03d}", self._most is not None
        spec = a_spec(name, self._teacher, seed=1000 * self._seed + number, small=small)
        key = {"Idempotency-Key": f"{self._seed}-{number}"}
        answer = self._insist("POST", "/v1/searches", spec, key, expected=(200, 201))
        if answer is not None:
            with self._lock:
                self._searches[spec["name"]] = answer["search"]
                self._bounds[answer["search"]] = 1

    def _set_intent(self, search: str, intent: str) -> None:
        with self._lock:
            self._intents.pop(search, None)
        if self._insist("PATCH", f"/v1/searches/{search}", {"intent": intent}, expected=(200, 409)) is not None:
            with self._lock:
                if self.last_status == 200:
                    self._intents[search] = intent

    def _move_bounds(self, search: str) -> None:
        """A new version on top of the newest one known; somebody else's move makes it a conflict."""
        known = self._insist("GET", f"/v1/searches/{search}/bounds", expected=(200,))
        if known is None:
            return
        versions = len(known["items"])
        constraints = [{"metric": "noise_mse", "at_most": self._draw.choice(ERRORS)}]
        if self._draw.random() < 0.5:
            constraints.append({"metric": "params", "at_most": self._draw.choice(PARAMS)})
        body = {"constraints": constraints, "base_version": versions - 1}
        answer = self._insist("POST", f"/v1/searches/{search}/bounds", body, expected=(201, 409, 422))
        if answer is not None and self.last_status == 201:
            with self._lock:
                self._bounds[search] = versions + 1

    def _insist(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        *,
        expected: tuple[int, ...],
    ) -> Any:
        """Ask again until there is an answer that is one; None when nobody waits for it any more."""
        while True:
            try:
                answer = httpx.request(
                    method,
                    next(self._urls) + path,
                    json=body,
                    headers={**self._headers, **(headers or {})},
                    timeout=ANSWER_S,
                )
            except httpx.HTTPError as error:
                self._note(type(error).__name__, path)
            else:
                self._note(str(answer.status_code), path, repeated=answer.status_code >= 500)
                self.last_status = answer.status_code
                if answer.status_code in expected:
                    return answer.json()
                if answer.status_code < 500 and answer.status_code != 429:
                    self.refusals.append(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
                    return None
            if self._stop.wait(0.5):
                return None

    def _note(self, what: str, path: str, *, repeated: bool = True) -> None:
        self.answers[what] += 1
        parts = path.split("/")
        if repeated and len(parts) > 3:
            with self._lock:
                self._unsure_until[parts[3]] = time.monotonic() + STALE_S

    def open_searches(self) -> list[str]:
        """Accepted searches that have not ended as far as is known, oldest first."""
        with self._lock:
            return [search for search in self._searches.values() if search not in self._ended]


def a_spec(name: str, teacher: str, *, seed: int, small: bool) -> dict[str, Any]:
    """A search of seconds that shares no job with one of another seed."""
    draw = random.Random(seed)
    return {
        "name": name,
        "teacher": {"source": teacher, "random_weights": True},
        "calibration": {
            "source": "gaussian",
            "samples": 16,
            "holdout": 64 if small else 256,
            "latent_size": 8,
            "bands": 4,
            "seed": seed % 2**31,
        },
        "distillation": {"steps": 2, "batch": 4},
        "fidelity": {"metrics": ["noise_mse"], "batch": 8},
        "space": SPACE,
        "constraints": [{"metric": "noise_mse", "at_most": ERRORS[seed % len(ERRORS)]}],
        "budget": {"trials": draw.randint(6, 12) if small else draw.randint(12, 36)},
        "strategy": {"name": draw.choice(["random", "sobol"])},
        "parallelism": draw.randint(1, 4),
        "max_attempts": draw.choice([2, 8, 8]),
        "seed": seed % 2**31,
    }
