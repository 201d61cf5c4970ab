from __future__ import annotations

import errno

import pytest
from safetensors import SafetensorError

from nas.errors import CorruptArtifact, EvaluationError, NotCounted, TransientError, UnknownName
from workers.faults import failure_of, timed_out


@pytest.mark.parametrize(
    ("error", "code", "transient"),
    [
        (TransientError("The disk was away."), "transient_error", True),
        (CorruptArtifact("Bytes differ."), "corrupt_artifact", True),
        (EvaluationError("Not finite."), "evaluation_error", False),
        (NotCounted("No handle for einsum."), "not_counted", False),
        (UnknownName("device", "hots", ("host",)), "unknown_name", False),
        (MemoryError(), "out_of_memory", True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 8 TB"), "out_of_memory", True),
        (OSError(errno.ENOSPC, "No space left on device"), "disk_full", True),
        (
            SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
            "disk_full",
            True,
        ),
        (OSError(errno.EIO, "Input/output error"), "disk_error", True),
        (ConnectionResetError(errno.ECONNRESET, "reset"), "connection_lost", True),
        (FileNotFoundError(errno.ENOENT, "No such file"), "unexpected_error", False),
        (KeyError("E7"), "unexpected_error", False),
    ],
)
def test_each_error_has_one_verdict(error: Exception, code: str, transient: bool) -> None:
    failure = failure_of(error)
    assert (failure.code, failure.transient) == (code, transient)
    assert failure.message


def test_what_nobody_foresaw_is_named_by_its_class_in_one_line() -> None:
    failure = failure_of(ValueError("first line\nsecond line"))
    assert failure.message == "ValueError: first line"


def test_a_message_of_any_length_stays_readable() -> None:
    assert len(failure_of(EvaluationError("x" * 10_000)).message) == 400


def test_a_time_out_says_how_long_the_job_ran() -> None:
    assert timed_out(90.0).message == "The job ran longer than 90 s and was stopped."


def test_errors_of_ray_and_torch_are_known_by_their_present_names() -> None:
    import ray.exceptions
    import torch

    from workers.faults import WORTH_A_RETRY

    places = {"builtins": __builtins__, "ray.exceptions": vars(ray.exceptions), "torch": vars(torch)}
    for name in WORTH_A_RETRY:
        module, _, attribute = name.rpartition(".")
        names = places[module] if isinstance(places[module], dict) else vars(places[module])
        assert f"{names[attribute].__module__}.{names[attribute].__qualname__}" == name


def test_an_error_that_ray_wrapped_is_judged_by_its_cause() -> None:
    import ray.exceptions

    cause = TransientError("The disk was away.")
    wrapped = ray.exceptions.RayTaskError("run", "a traceback", cause)
    assert failure_of(wrapped).code == "transient_error"
