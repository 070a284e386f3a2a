"""How Lightning starts the further processes of a run on several devices, when a runner started the program."""

from __future__ import annotations

import multiprocessing

import torch
from lightning.fabric.strategies.launchers import subprocess_script as fabric_launcher
from lightning.pytorch.strategies.launchers import subprocess_script as launcher


def relaunch_with(command: list[str]) -> None:
    """Start the processes of other devices with this command: the runner's, so that they run on this engine too.

    Lightning repeats `python script.py`, which would import the real Keras. It has no public way to say otherwise.

    Args:
        command: program and arguments.
    """
    for module in (launcher, fabric_launcher):
        if hasattr(module, "_basic_subprocess_cmd"):
            setattr(module, "_basic_subprocess_cmd", lambda: command)  # noqa: B010  # not in its stub


def one_thread_if_forked() -> None:
    """In a process that was forked ("ddp_fork", Lightning's choice in notebooks), let torch compute with one thread.

    The threads of its parent are not there, and GNU OpenMP waits for them for ever. Lightning sets the number of
    threads only where OMP_NUM_THREADS is not set, and not always to one.
    """
    if isinstance(multiprocessing.current_process(), getattr(multiprocessing.context, "ForkProcess", ())):
        torch.set_num_threads(1)
