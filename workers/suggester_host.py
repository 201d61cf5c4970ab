"""The process in which strategies think: it may die or hang without harm to the coordinator.

Speaks JSON over a pipe. It is told `load`, `ask` and `forget`; it says `up`, `alive`, `loaded`, and for every
question `answer`, `refused` (the search cannot go on) or `stumbled` (a bug). When the pipe ends, it ends.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import psutil

from nas.domain.architecture import Architecture
from nas.domain.cost import ExactCosts
from nas.domain.search import Search
from nas.domain.trial import Trial
from nas.domain.value import FrozenDict
from nas.engine.advice import Strategy
from nas.errors import NasError
from workers.child_process import ALIVE_S, OwnerLine, end_now
from workers.memory import hand_back, keep_for_good

log = logging.getLogger(__name__)

MakePlainStrategy = Callable[[Search, ExactCosts], Strategy]
NOWHERE = f"{os.devnull}/torch_extensions"
"""A folder that nobody can make."""
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def host(
    connection: Connection,
    make_strategy: MakePlainStrategy,
    load: Callable[[Search], None],
    prepare: Callable[[], None] | None,
) -> None:
    """Answer questions, one at a time, until the pipe ends.

    Args:
        connection: To whoever asks.
        make_strategy: Makes the strategy of a search.
        load: Imports what the strategy of a search needs.
        prepare: Called first, for instance to set up logging.
    """
    line = OwnerLine(connection)
    if prepare is not None:
        prepare()
    line.listen()
    settle()
    with contextlib.suppress(OSError):
        beat(line)
        line.say("up")
        Thinker(line, make_strategy, load).serve()
    end_now()


def settle() -> None:
    """Keep numerics at one thread, and C++ compilers out of suggestions. To be called before anything is imported.

    BoTorch compiles an extension where it first uses one of its acquisition functions, into a folder that all
    processes of a user share. A process that is killed meanwhile leaves a lock there for which every later one
    waits for ever. We use none of these functions; should anything else do so, it finds no place to compile in,
    and BoTorch falls back to Python at once.
    """
    os.environ.update(dict.fromkeys(THREADS, "1"))
    os.environ["TORCH_EXTENSIONS_DIR"] = NOWHERE


class Thinker:
    """Answers from what it was told; the same story makes the same answers.

    Args:
        line: To the owner.
        make_strategy: Makes the strategy of a search.
        load: Imports what the strategy of a search needs.
    """

    def __init__(self, line: OwnerLine, make_strategy: MakePlainStrategy, load: Callable[[Search], None]) -> None:
        self._line, self._make_strategy, self._load = line, make_strategy, load
        self._matters: dict[int, Strategy] = {}
        self._is_loaded = False

    def serve(self) -> None:
        """Do what is told until the owner is gone.

        Raises:
            OSError: If it goes in the middle of an answer.
        """
        while (command := self._line.commands.get()) is not None:
            match command["do"]:
                case "load":
                    self._load_ahead(command["search"])
                case "forget":
                    self._matters.pop(command["matter"], None)
                case "ask":
                    answer = self._answered(command)
                    hand_back()
                    self._line.say(**answer, rss=psutil.Process().memory_info().rss)

    def _load_ahead(self, search: str) -> None:
        try:
            self._load(Search.model_validate_json(search))
        except NasError as error:
            log.info("nothing is loaded ahead: %s", error)  # told when the strategy is made
        except Exception:
            log.warning("what suggestions need cannot be imported", exc_info=True)
        if not self._is_loaded:
            self._is_loaded = True
            keep_for_good()
        self._line.say("loaded")

    def _answered(self, question: dict[str, Any]) -> dict[str, Any]:
        began, key = time.monotonic(), question["id"]
        try:
            suggestions = self._think(question)
        except NasError as error:
            return {"what": "refused", "id": key, "code": error.code, "message": error.message, "hint": error.hint}
        except Exception as error:
            log.exception("a strategy stumbled")
            return {"what": "stumbled", "id": key, "why": f"{type(error).__name__}: {error}"}
        seconds = time.monotonic() - began
        return {"what": "answer", "id": key, "suggestions": suggestions, "seconds": seconds}

    def _think(self, question: dict[str, Any]) -> list[dict[str, Any]]:
        key = question["matter"]
        if "search" in question:
            search = Search.model_validate_json(question["search"])
            costs = ExactCosts.model_validate_json(question["costs"])
            self._matters[key] = self._make_strategy(search, costs)
        strategy = self._matters[key]
        verdicts = [Trial.model_validate_json(told) for told in question["verdicts"]]
        strategy.tell(verdicts, [Architecture(choices=FrozenDict(choices)) for choices in question["pending"]])
        suggestions = strategy.suggest(question["count"])
        return [{"choices": dict(one.architecture.choices), "origin": one.origin} for one in suggestions]


def beat(line: OwnerLine) -> None:
    """Begin to give signs of life while a thought takes long: how long it may take is for the owner to say."""
    threading.Thread(target=_beat, args=(line,), daemon=True).start()


def _beat(line: OwnerLine) -> None:
    with contextlib.suppress(OSError):
        while True:
            time.sleep(ALIVE_S)
            line.say("alive")
