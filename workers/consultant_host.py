"""The process that answers what takes a model: it may die or hang without harm to whoever asks.

Speaks JSON over a pipe. It is told `consult`; it says `up` once everything is imported, `alive`, and for every
question `answer`, `refused` (the question has no answer, and why) or `stumbled` (a bug). When the pipe ends, it ends.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import astuple
from multiprocessing.connection import Connection
from typing import Any

import psutil

from nas.errors import NasError, SpecError
from workers.child_process import OwnerLine, end_now
from workers.memory import hand_back, keep_for_good
from workers.suggester_host import beat, settle

log = logging.getLogger(__name__)

_COURTESY = 5
"""Niceness: a report takes seconds, and whoever opens a page must not wait for one."""

Consult = Callable[[Mapping[str, Any]], dict[str, Any]]


def host(connection: Connection, make_consult: Callable[[], Consult]) -> None:
    """Answer questions, one at a time, until the pipe ends.

    Args:
        connection: To whoever asks.
        make_consult: Makes what answers; may import for seconds.
    """
    line = OwnerLine(connection)
    line.listen()
    settle()
    os.nice(_COURTESY)
    with contextlib.suppress(OSError):
        beat(line)
        try:
            consult = make_consult()
        except Exception as error:
            line.say("failed", why=f"{type(error).__name__}: {error}")
            end_now()
        keep_for_good()
        line.say("up")
        while (question := line.commands.get()) is not None:
            line.say(**_answered(consult, question), id=question["id"], rss=psutil.Process().memory_info().rss)
            hand_back()
    end_now()


def _answered(consult: Consult, question: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"what": "answer", "answer": consult(question["about"])}
    except NasError as error:
        faults = [astuple(fault) for fault in error.faults] if isinstance(error, SpecError) else []
        told = {"code": error.code, "message": error.message, "hint": error.hint}
        return {"what": "refused", **told, "faults": faults}
    except Exception as error:
        log.exception("a question was stumbled over")
        return {"what": "stumbled", "why": f"{type(error).__name__}: {error}"}
