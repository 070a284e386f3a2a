"""Says whether this process is the one, of those training together, that prints and writes files."""

from __future__ import annotations

import os

import torch


def is_main_process() -> bool:
    """Whether this process has rank 0; before the processes have met, as the environment of their launcher says."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank() == 0
    return not any(int(os.environ.get(name, "0") or 0) for name in ("LOCAL_RANK", "NODE_RANK", "RANK", "SLURM_PROCID"))
