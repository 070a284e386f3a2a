"""Says how many processes torchrun or Slurm has started for a run, and lets them meet before the work begins."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist
from lightning.fabric.plugins.environments import SLURMEnvironment, TorchElasticEnvironment

from scene_lightning._main_process import keep_rank
from scene_lightning.errors import DeviceError, SceneLightningError
from scene_lightning.feeds.sharding import from_first_process

T = TypeVar("T")
# What launchers tell their processes, and Lightning those that it starts.
_TOLD = (
    "LOCAL_RANK", "NODE_RANK", "GROUP_RANK", "RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "TORCHELASTIC_RUN_ID",
    "SLURM_NTASKS", "SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID",
)  # fmt: skip
# What gloo and NCCL say of a process that is gone.
_LOST = ("by peer", "Broken pipe", "Read error", "Write error", "remote process", "Timed out waiting")


@dataclass(frozen=True)
class Launch:
    """Processes that a launcher has started.

    Attributes:
        launcher: "torchrun" or "srun".
        devices: how many on each machine.
        num_nodes: machines.
        local_rank: number of this process on its machine, from 0.
    """

    launcher: str
    devices: int
    num_nodes: int
    local_rank: int


def current_launch() -> Launch | None:
    """What a launcher has started this process with, or None: it was started alone, or by Lightning."""
    told = os.environ
    if "TORCHELASTIC_RUN_ID" in told and "WORLD_SIZE" in told:
        processes, devices = int(told["WORLD_SIZE"]), int(told["LOCAL_WORLD_SIZE"])
        return Launch("torchrun", devices, processes // devices, int(told["LOCAL_RANK"])) if processes > 1 else None
    interactive = told.get("SLURM_JOB_NAME") in ("bash", "interactive")  # as Lightning sees it
    tasks = int(told.get("SLURM_NTASKS") or 1)
    if tasks == 1 or interactive or "SLURM_STEP_ID" not in told:
        return None
    nodes = int(told.get("SLURM_NNODES") or 1)
    return Launch("srun", tasks // nodes, nodes, int(told.get("SLURM_LOCALID") or 0))


def check_launch(devices: object, num_nodes: int) -> None:
    """Check that what a command asks for is what was started.

    Args:
        devices: what was asked for; "auto" and other words leave the number to the launcher.
        num_nodes: machines; 1 leaves the number to the launcher.

    Raises:
        DeviceError: other numbers than the launcher's, or several machines without a launcher.
    """
    launch = current_launch()
    if launch is None:
        if num_nodes > 1 and "MASTER_ADDR" not in os.environ:
            raise DeviceError(
                f"--num-nodes {num_nodes}: each machine must start its part. Expected a launcher, torchrun --nnodes "
                f"{num_nodes} ... or srun; docs/reliability.md has the lines."
            )
        return
    asked = devices if isinstance(devices, int) and devices > 0 else len(devices) if isinstance(devices, list) else None
    for name, wanted, started in (
        ("devices", asked, launch.devices),
        ("num-nodes", num_nodes if num_nodes > 1 else None, launch.num_nodes),
    ):
        if wanted is not None and wanted != started:
            where = "on each machine" if name == "devices" else "on so many machines"
            raise DeviceError(
                f"--{name} {wanted}, but {launch.launcher} has started {started} {where}. "
                f"Leave --{name} away, or name the same number to both."
            )


def meet(accelerator: str) -> None:
    """Wait for the other processes of the launcher, if there is one, and make the group that Lightning then uses.

    Args:
        accelerator: "cpu", "cuda" or "mps".
    """
    launch = current_launch()
    if launch is None or dist.is_initialized():
        return
    environment = TorchElasticEnvironment() if launch.launcher == "torchrun" else SLURMEnvironment()
    os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"] = environment.main_address, str(environment.main_port)
    backend = "cpu:gloo,cuda:nccl" if accelerator == "cuda" else "gloo"
    dist.init_process_group(backend, rank=environment.global_rank(), world_size=environment.world_size())


def leave() -> None:
    """The group's work is done: what follows in this process waits for no other, and the first one alone writes."""
    keep_rank()
    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()
    for name in _TOLD:
        os.environ.pop(name, None)


def by_first_process(make: Callable[[], T]) -> T:
    """What the first of a launcher's processes makes, for all of them; an error of it is everybody's.

    Args:
        make: called in the first process alone, or where there is no launcher, in each.
    """
    if current_launch() is None or not dist.is_initialized():
        return make()
    made: tuple[T | None, SceneLightningError | None] = (None, None)
    if dist.get_rank() == 0:
        try:
            made = (make(), None)
        except SceneLightningError as error:
            made = (None, error)
    value, refusal = from_first_process(made)
    if refusal is not None:
        raise refusal
    return value  # type: ignore[return-value]


@contextmanager
def first_on_each_machine() -> Iterator[None]:
    """The block runs in the first process of each machine, then in the others: they find what it left in a cache."""
    launch = current_launch()
    together = launch is not None and dist.is_initialized()
    if together and launch is not None and launch.local_rank > 0:
        _wait()
    yield
    if together and launch is not None and launch.local_rank == 0:
        _wait()


def has_lost_a_process(error: BaseException) -> bool:
    """Whether an error says that another process of the group has ended.

    Args:
        error: what a step of several processes has raised.
    """
    together = dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1
    return together and isinstance(error, RuntimeError) and any(words in str(error) for words in _LOST)


def _wait() -> None:
    dist.all_reduce(torch.zeros(1))  # on the host: a barrier may choose the wrong GPU
