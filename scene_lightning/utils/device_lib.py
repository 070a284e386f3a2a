"""Lists the local devices, as `tensorflow.python.client.device_lib` does."""

from __future__ import annotations

from dataclasses import dataclass

from scene_lightning.training.devices import describe


@dataclass(frozen=True)
class LocalDevice:
    """One device of this machine.

    Attributes:
        name: such as "/device:GPU:0".
        device_type: "CPU", "GPU" or "MPS".
        memory_limit: bytes; 0 where unknown.
        physical_device_desc: the product's name, and a GPU's compute capability.
        used: whether `accelerator="auto"` would take it.
    """

    name: str
    device_type: str
    memory_limit: int
    physical_device_desc: str
    used: bool


def list_local_devices(session_config: object = None) -> list[LocalDevice]:
    """The CPU, CUDA GPUs and Apple's GPU of this machine. Source: the paper's cell 15.

    Args:
        session_config: without effect.
    """
    devices = []
    for row in describe():
        kind, _, index = row["device"].partition(":")
        kind = {"cuda": "GPU"}.get(kind, kind.upper())
        capability = f", compute capability: {row['capability']}" if row["capability"] else ""
        devices.append(
            LocalDevice(
                name=f"/device:{kind}:{index or 0}",
                device_type=kind,
                memory_limit=row["memory_bytes"] or 0,
                physical_device_desc=f"name: {row['name']}{capability}",
                used=row["used"],
            )
        )
    return devices
