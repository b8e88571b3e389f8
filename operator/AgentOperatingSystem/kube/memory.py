"""What the operator has Python do about memory, once everything that it needs is imported."""

from __future__ import annotations

import ctypes
import gc
import sys

# Python looks for cycles after 700 new objects, and now and then through all that there are. The clients of
# Azure, OpenAI and Kubernetes alone are half a million that stay until the end: looking through them again
# and again took a sixth of the CPU time of a burst. Frozen, they are left out. A pass makes some thousand
# objects and few cycles, which may wait for the next ten thousand.
YOUNG, MIDDLE, OLD = 10_000, 20, 50

# glibc keeps ever larger blocks for itself the larger those were that it got back, such as the buffers of TLS
# connections, 256 KB each: after a burst megabytes stay that nobody uses. With fixed bounds they go back.
# And each thread would get a pool of its own, of which the operator's few short ones need none.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
LARGE = 128 * 1024
POOLS = 2


def settle_memory() -> None:
    """Let the collector pass over everything that is there now, and look at the rest less often.

    Called when the configured runtime is connected: what it needs is imported by then, and what other
    runtimes need never is.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
    _give_back_what_is_large()


def _give_back_what_is_large() -> None:
    """Fix the bounds from which glibc returns memory to the system; another C library has none to fix."""
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGE)
        mallopt(M_TRIM_THRESHOLD, LARGE)
        mallopt(M_ARENA_MAX, POOLS)
