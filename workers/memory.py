"""Memory of a process that thinks for a long time: what is left over goes back to the system."""

from __future__ import annotations

import contextlib
import ctypes
import gc


def keep_for_good() -> None:
    """Say that what is here now stays: garbage collection need not look at a million imported objects again."""
    gc.collect()
    gc.freeze()


def hand_back() -> None:
    """Collect what refers to itself in circles, and have the C library return what is free to the system.

    An Ax experiment is such a circle, with the tensors of its models. The C library keeps freed memory between pieces
    that are still in use; elsewhere than in glibc there is no such call, and nothing happens.
    """
    gc.collect()
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
