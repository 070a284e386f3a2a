"""Says whether this process is the one, of those training together, that prints and writes files. No torch here."""

from __future__ import annotations

import os
import sys

_left_as_another = False  # of several processes that have done their common work


def is_main_process() -> bool:
    """Whether this process has rank 0; before the processes have met, as the environment of their launcher says, and
    after they have parted, as it was."""
    distributed = sys.modules.get("torch.distributed")  # who has not imported it has met nobody
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank() == 0
    if _left_as_another:
        return False
    return not any(int(os.environ.get(name, "0") or 0) for name in ("LOCAL_RANK", "NODE_RANK", "RANK", "SLURM_PROCID"))


def keep_rank() -> None:
    """Remember whether this process is the one that writes, before it forgets the others."""
    global _left_as_another
    _left_as_another = not is_main_process()
