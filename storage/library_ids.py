"""Which block library a search draws from."""

from __future__ import annotations

from nas.domain.search import SearchSpec
from nas.domain.value import digest_of


def library_id(spec: SearchSpec) -> str:
    """Digest of all that decides a block besides stage and variant: teacher, calibration, distillation.

    As in the keys of jobs, a teacher is what its files hold, not where they lie.
    """
    return digest_of(
        {
            "teacher": spec.teacher.fingerprint or spec.teacher.model_dump(mode="json"),
            "calibration": spec.calibration.model_dump(mode="json"),
            "distillation": spec.distillation.model_dump(mode="json"),
        }
    )
