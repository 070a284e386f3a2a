"""`tf.config`, `tf.test`, `device_lib`: what this machine has, and switches that mean nothing here (noted as such)."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch

from scene_lightning._usage_report import ledger
from scene_lightning.training.devices import set_default_hardware, take_inventory


class PhysicalDevice(NamedTuple):
    """A CPU or GPU."""

    name: str
    device_type: str


class LogicalDevice(NamedTuple):
    """A CPU or GPU, by the name that `tf.device` takes."""

    name: str
    device_type: str


def list_physical_devices(device_type: str | None = None) -> list[PhysicalDevice]:
    """Lists the machine's devices.

    Args:
        device_type: "CPU", "GPU" or "TPU"; None for all.
    """
    gpus = (PhysicalDevice(f"/physical_device:GPU:{number}", "GPU") for number, _ in enumerate(take_inventory().gpus))
    devices = (PhysicalDevice("/physical_device:CPU:0", "CPU"), *gpus)
    return [device for device in devices if device_type in (None, device.device_type)]


def list_logical_devices(device_type: str | None = None) -> list[LogicalDevice]:
    """Lists the devices by the names that `tf.device` takes.

    Args:
        device_type: "CPU", "GPU" or "TPU"; None for all.
    """
    devices = list_physical_devices(device_type)
    return [LogicalDevice(f"/device:{device.name.partition(':')[2]}", device.device_type) for device in devices]


get_visible_devices = list_physical_devices


def set_visible_devices(devices: Any, device_type: str | None = None) -> None:
    """Chooses what the verbs run on: the GPUs in a list, or the CPU where the list has none.

    Args:
        devices: one device, or a list of them.
        device_type: the kind that the list is about; "CPU" changes nothing.
    """
    if device_type == "GPU" or (device_type is None and devices):
        wanted = devices if isinstance(devices, list | tuple) else [devices]
        gpus = [device for device in wanted if getattr(device, "device_type", "GPU") == "GPU"]
        if not gpus:
            set_default_hardware("cpu")
        else:
            set_default_hardware("gpu", [int(str(device.name).rpartition(":")[2]) for device in gpus])


def _ignored(name: str, why: str) -> Any:
    def call(*args: Any, **kwargs: Any) -> None:
        ledger.ignore(f"tf.config.{name}", why)

    call.__doc__ = f"Accepted: {why}."
    return call


_MEMORY = "torch takes GPU memory as it needs it"
_GRAPH = "there is no graph to optimise; compile(jit_compile=True) is torch.compile"
set_memory_growth = _ignored("set_memory_growth", _MEMORY)
set_virtual_device_configuration = _ignored("set_virtual_device_configuration", _MEMORY)
set_logical_device_configuration = _ignored("set_logical_device_configuration", _MEMORY)
set_experimental_options = _ignored("optimizer.set_experimental_options", _GRAPH)
set_jit = _ignored("optimizer.set_jit", _GRAPH)
run_functions_eagerly = _ignored("run_functions_eagerly", "every function runs eagerly")
experimental_run_functions_eagerly = run_functions_eagerly
set_soft_device_placement = _ignored("set_soft_device_placement", "the verbs place the data")
enable_op_determinism = _ignored("enable_op_determinism", "pass deterministic=True to fit()")

enable_numpy_behavior = experimental_enable_numpy_behavior = _ignored(
    "enable_numpy_behavior", "tensors take NumPy's functions"
)


def enable_tensor_float_32_execution(enabled: bool) -> None:
    """Lets a GPU round float32 products to TensorFloat-32, or not.

    Args:
        enabled: whether it may.
    """
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = bool(enabled)


def tensor_float_32_execution_enabled() -> bool:
    """Whether a GPU may round float32 products to TensorFloat-32."""
    return bool(torch.backends.cuda.matmul.allow_tf32)


def get_build_info() -> dict[str, Any]:
    """`tf.sysconfig.get_build_info`: what torch was built with."""
    cuda = torch.version.cuda
    return {"is_cuda_build": cuda is not None, "cuda_version": cuda, "cudnn_version": torch.backends.cudnn.version()}


def set_intra_op_parallelism_threads(num_threads: int) -> None:
    """Sets torch's number of threads.

    Args:
        num_threads: how many; 0 changes nothing.
    """
    if num_threads:
        torch.set_num_threads(int(num_threads))


set_inter_op_parallelism_threads = _ignored("threading.set_inter_op_parallelism_threads", "torch sets it once")


class VirtualDeviceConfiguration:
    """A limit on a GPU's memory, without effect.

    Args:
        memory_limit: in megabytes.
        **_: for TensorFlow's sake, without effect.
    """

    def __init__(self, memory_limit: Any = None, **_: Any) -> None:
        self.memory_limit = memory_limit


LogicalDeviceConfiguration = VirtualDeviceConfiguration


def get_device_details(device: Any) -> dict[str, Any]:
    """Gives a GPU's name and compute capability; nothing for a CPU.

    Args:
        device: one of `list_physical_devices`.
    """
    gpus = take_inventory().gpus
    if device.device_type != "GPU":
        return {}
    gpu = gpus[int(device.name.rpartition(":")[2])]
    return {"device_name": gpu.name, "compute_capability": gpu.capability}


def is_gpu_available(cuda_only: bool = False, min_cuda_compute_capability: Any = None) -> bool:
    """Whether there is a CUDA GPU.

    Args:
        cuda_only, min_cuda_compute_capability: for TensorFlow's sake, without effect.
    """
    return bool(take_inventory().gpus)


def gpu_device_name() -> str:
    """ "/device:GPU:0", or an empty string."""
    return "/device:GPU:0" if is_gpu_available() else ""


def is_built_with_cuda() -> bool:
    """Whether torch is built with CUDA."""
    return torch.version.cuda is not None


is_built_with_gpu_support = is_built_with_cuda
