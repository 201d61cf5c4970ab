"""Evaluations that any search has paid for, and who may take them."""

from __future__ import annotations

from nas.domain.job import EvaluateArchitecture, Evaluation
from nas.domain.stopping import is_ruled_out_early
from nas.ports import EvaluationCache


def known_evaluation(cache: EvaluationCache, payload: EvaluateArchitecture) -> Evaluation | None:
    """What is known of an architecture.

    A whole evaluation is valid under all limits; a stopped one only where it would have been stopped now.
    """
    whole = cache.recall(payload.whole.key)
    if whole is not None:
        return Evaluation.model_validate_json(whole)
    stopped = cache.recall(payload.stopped_key) if payload.stop_beyond else None
    if stopped is None:
        return None
    evaluation = Evaluation.model_validate_json(stopped)
    return evaluation if is_ruled_out_early(evaluation, payload.stop_beyond) else None


def keep_evaluation(cache: EvaluationCache, payload: EvaluateArchitecture, evaluation: Evaluation) -> None:
    """Make an evaluation durable where all searches look for it; the first one wins."""
    key = payload.stopped_key if evaluation.is_partial else payload.whole.key
    cache.record(key, evaluation.model_dump_json())
