"""Chooses Lightning's accelerator, devices and precision from what was asked for and what the machine has.

The choices are pure functions of an `Inventory`, so that the CUDA path can be tested where there is no GPU.
"""

from __future__ import annotations

import functools
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from lightning.pytorch.strategies import Strategy

from scene_lightning._processors import usable_processors
from scene_lightning._registry import did_you_mean
from scene_lightning.errors import DeviceError
from scene_lightning.training.launch import current_launch

Devices = int | str | Sequence[int]  # a count, "auto" or "0,1", or indices
ACCELERATORS = ("auto", "cpu", "cuda", "gpu", "mps")
PRECISIONS = ("auto", "32-true", "16-mixed", "bf16-mixed", "64-true", "bf16-true", "16-true")
_PRECISION_ALIASES = {"32": "32-true", "16": "16-mixed", "bf16": "bf16-mixed", "64": "64-true"}
_COLUMNS = ("device", "name", "memory_bytes", "capability", "bf16", "used")  # of `describe`


@dataclass(frozen=True)
class Gpu:
    """What a GPU is and has.

    Args:
        name: as its driver says it.
        memory_bytes: its memory.
        capability: (major, minor) of CUDA's compute capability.
    """

    name: str
    memory_bytes: int
    capability: tuple[int, int]


@dataclass(frozen=True)
class Inventory:
    """What a machine has to compute on.

    Args:
        cpu_name: as the system says it.
        cpu_cores: cores that this process may use.
        cpu_fast_bf16: whether the CPU has instructions for bfloat16.
        gpus: CUDA devices, by index.
        mps: whether Apple's GPU can be used.
    """

    cpu_name: str = "CPU"
    cpu_cores: int = 1
    cpu_fast_bf16: bool = False
    gpus: tuple[Gpu, ...] = field(default_factory=tuple)
    mps: bool = False


@dataclass(frozen=True)
class Hardware:
    """What `fit`, `evaluate` or `predict` was asked to run on: Lightning's own arguments, by their names.

    Args:
        accelerator: "auto", "cpu", "cuda", "gpu" or "mps".
        devices: how many, -1 for all, or which; "auto" for Lightning's choice.
        num_nodes: how many machines train together.
        strategy: how devices share the work, such as "ddp"; "auto" chooses.
        precision: Lightning's name of it, or "auto"; None for that of the dtype policy.
        deterministic: whether only repeatable operations may be used; None leaves torch as it is set.
    """

    accelerator: str = "auto"
    devices: Devices = "auto"
    num_nodes: int = 1
    strategy: str | Strategy = "auto"
    precision: int | str | None = None
    deterministic: bool | str | None = None


_UNSET = Hardware()
_defaults = [_UNSET]
_policy_precision: list[str | None] = [None]  # of `keras.mixed_precision`: what was asked from outside comes before it


def set_policy_precision(precision: str | None) -> None:
    """Set the precision of runs that are told none, neither by their arguments nor by `set_default_hardware`.

    Args:
        precision: Lightning's name of it, such as "bf16-mixed"; None for no policy.
    """
    _policy_precision[0] = precision


def set_default_hardware(
    accelerator: str = "auto", devices: Devices = "auto", precision: int | str | None = None
) -> None:
    """Set what `fit`, `evaluate` and `predict` run on when the program does not say; without arguments, the default.

    Args:
        accelerator: "auto", "cpu", "cuda", "gpu" or "mps".
        devices: how many, -1 for all, or which; "auto" for Lightning's choice.
        precision: Lightning's name of it; None for that of the dtype policy.

    Raises:
        DeviceError: this machine does not have it; nothing has changed then.
    """
    wanted = Hardware(accelerator=accelerator, devices=devices, precision=precision)
    trainer_arguments(wanted)
    _defaults[0] = wanted


def _with_defaults(hardware: Hardware) -> Hardware:
    unset = [
        name for name in ("accelerator", "devices", "precision") if getattr(hardware, name) == getattr(_UNSET, name)
    ]
    filled = replace(hardware, **{name: getattr(_defaults[0], name) for name in unset})
    return filled if filled.precision is not None else replace(filled, precision=_policy_precision[0])


def take_inventory() -> Inventory:
    """Look at this machine."""
    return Inventory(cpu_name(), usable_processors(), _cpu_fast_bf16(), _gpus(), torch.backends.mps.is_available())


@functools.cache  # the driver is slow to ask, and its answer stays the same
def _gpus() -> tuple[Gpu, ...]:
    if not torch.cuda.is_available():
        return ()
    known = map(torch.cuda.get_device_properties, range(torch.cuda.device_count()))
    return tuple(Gpu(gpu.name, gpu.total_memory, (gpu.major, gpu.minor)) for gpu in known)


def choose_accelerator(requested: str, inventory: Inventory) -> str:
    """Choose the accelerator: "cpu", "cuda" or "mps".

    Args:
        requested: "auto", "cpu", "cuda", "gpu" or "mps".
        inventory: what the machine has.

    Raises:
        DeviceError: an accelerator that is not there.
    """
    wanted = str(requested).lower()
    if wanted not in ACCELERATORS:
        hint = did_you_mean(wanted, ACCELERATORS)
        raise DeviceError(f"Unknown accelerator {requested!r}. Expected one of auto, cpu, cuda, mps.{hint}")
    if wanted == "auto":
        return "cuda" if inventory.gpus else "mps" if inventory.mps else "cpu"
    wanted = "cuda" if wanted == "gpu" else wanted
    if wanted == "cuda" and not inventory.gpus:
        raise DeviceError("Accelerator 'cuda' was asked for, but no CUDA GPU can be used here. Use 'auto' or 'cpu'.")
    if wanted == "mps" and not inventory.mps:
        raise DeviceError("Accelerator 'mps' was asked for, but there is no Apple GPU here. Use 'auto' or 'cpu'.")
    return wanted


def choose_devices(requested: Devices | None, accelerator: str, inventory: Inventory) -> int | list[int]:
    """Choose the devices, as Lightning's Trainer takes them. Raises DeviceError for more than there are.

    Args:
        requested: a number, a list of indices or text of them; "auto", -1 or None: all GPUs, or one process elsewhere.
        accelerator: "cpu", "cuda" or "mps".
        inventory: what the machine has.
    """
    if isinstance(requested, str) and requested != "auto":
        try:
            parts = [int(part) for part in requested.split(",") if part.strip()]
        except ValueError:
            raise DeviceError(f"Cannot read devices {requested!r}. Expected auto, a count, or indices (0,1).") from None
        requested = parts if "," in requested else parts[0] if parts else "auto"
    available = len(inventory.gpus) if accelerator == "cuda" else 1
    if requested in ("auto", -1, None):
        return available if accelerator == "cuda" else 1
    if accelerator == "cpu":
        if not isinstance(requested, int) or requested < 1:
            raise DeviceError(f"On the CPU, devices is a number of processes, 1 or more; received {requested!r}.")
        if requested > max(4, inventory.cpu_cores):  # four can be tried out anywhere
            raise DeviceError(
                f"{requested} processes asked for on the CPU, which has {inventory.cpu_cores} core(s) here: they would "
                f"wait for one another. Pass devices=1, or at most {max(4, inventory.cpu_cores)}."
            )
        return requested
    if isinstance(requested, int):
        if not 1 <= requested <= available:
            raise DeviceError(f"{requested} {accelerator} device(s) asked for; this machine has {available}.")
        return requested
    indices = [int(index) for index in requested]
    missing = [index for index in indices if not 0 <= index < available]
    if missing or not indices:
        raise DeviceError(f"No {accelerator} device with index {missing}; this machine has {list(range(available))}.")
    return indices


def choose_precision(requested: int | str | None, accelerator: str, inventory: Inventory) -> str:
    """Choose the precision. Raises DeviceError for an unknown one.

    "auto" takes bf16-mixed where the hardware is fast at it, else 32-true.
    None means 32-true: parity with Keras' default is what the API promises; the command line asks for "auto".

    Args:
        requested: Lightning's name of it, "auto" or None.
        accelerator: "cpu", "cuda" or "mps".
        inventory: what the machine has.
    """
    if requested is None:
        return "32-true"
    wanted = _PRECISION_ALIASES.get(str(requested), str(requested))
    if wanted not in PRECISIONS:
        raise DeviceError(f"Unknown precision {requested!r}. Expected one of {', '.join(PRECISIONS)}.")
    if wanted == "auto":
        if accelerator == "cuda":
            fast = all(_fast_bf16(gpu) for gpu in inventory.gpus)
        else:
            fast = accelerator == "cpu" and inventory.cpu_fast_bf16
        return "bf16-mixed" if fast else "32-true"
    if wanted == "16-mixed" and accelerator == "cpu":
        raise DeviceError("Precision 16-mixed needs a GPU. On the CPU use 'bf16-mixed', '32-true' or 'auto'.")
    return wanted


def trainer_arguments(hardware: Hardware, inventory: Inventory | None = None) -> dict[str, Any]:
    """The keyword arguments of Lightning's `Trainer` for the hardware that was asked for.

    Args:
        hardware: what was asked for.
        inventory: what the machine has; None to look.
    """
    inventory, hardware = inventory or take_inventory(), _with_defaults(hardware)
    accelerator, launch = choose_accelerator(hardware.accelerator, inventory), current_launch()
    nodes = launch.num_nodes if launch is not None and hardware.devices == "auto" else hardware.num_nodes
    wanted = launch.devices if launch is not None and hardware.devices == "auto" else hardware.devices
    started = accelerator == "cpu" and launch is not None and wanted == launch.devices  # whatever the cores are
    return {
        "accelerator": accelerator,
        "devices": wanted if started else choose_devices(wanted, accelerator, inventory),
        "num_nodes": nodes,
        "strategy": hardware.strategy,
        "precision": choose_precision(hardware.precision, accelerator, inventory),
        "deterministic": hardware.deterministic,
    }


def describe(inventory: Inventory | None = None) -> list[dict[str, Any]]:
    """One row a device: `device`, `name`, `memory_bytes`, `capability`, `bf16` (fast or not), `used` (by "auto").

    Args:
        inventory: what the machine has; None to look.
    """
    inventory = inventory or take_inventory()
    chosen = choose_accelerator("auto", inventory)
    cpu = f"{inventory.cpu_name}, {inventory.cpu_cores} cores"
    rows: list[tuple[Any, ...]] = [("cpu", cpu, _host_memory(), None, inventory.cpu_fast_bf16, chosen == "cpu")]
    for index, gpu in enumerate(inventory.gpus):
        capability = ".".join(map(str, gpu.capability))
        rows.append((f"cuda:{index}", gpu.name, gpu.memory_bytes, capability, _fast_bf16(gpu), chosen == "cuda"))
    if inventory.mps:
        rows.append(("mps", "Apple GPU", None, None, False, chosen == "mps"))
    return [dict(zip(_COLUMNS, row, strict=True)) for row in rows]


def _fast_bf16(gpu: Gpu) -> bool:
    return gpu.capability >= (8, 0)


def cpu_name() -> str:
    """What the processor is called, as far as the system says."""
    return _of_cpu("model name") or platform.processor() or platform.machine()


def _cpu_fast_bf16() -> bool:
    flags = _of_cpu("flags")
    return "avx512_bf16" in flags or "amx_bf16" in flags


@functools.cache
def _of_cpu(key: str) -> str:
    """What Linux says of the first core, such as its "model name"; an empty string elsewhere."""
    try:
        with open("/proc/cpuinfo") as lines:
            return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "")
    except OSError:
        return ""


def _host_memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return None
