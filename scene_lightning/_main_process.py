"""Says whether this process is the one, of those training together, that prints and writes files. No torch here."""

from __future__ import annotations

import os
import sys


def is_main_process() -> bool:
    """Whether this process has rank 0; before the processes have met, as the environment of their launcher says."""
    distributed = sys.modules.get("torch.distributed")  # who has not imported it has met nobody
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank() == 0
    return not any(int(os.environ.get(name, "0") or 0) for name in ("LOCAL_RANK", "NODE_RANK", "RANK", "SLURM_PROCID"))
