"""The local devices, as `tensorflow.python.client.device_lib` lists them."""

from __future__ import annotations

from dataclasses import dataclass

from scene_lightning.training.devices import describe


@dataclass(frozen=True)
class LocalDevice:
    """One device. `memory_limit`: bytes, None when unknown; `used`: whether `accelerator="auto"` would take it."""

    name: str
    device_type: str
    memory_limit: int | None
    physical_device_desc: str
    used: bool


def list_local_devices(session_config: object = None) -> list[LocalDevice]:
    """CPU, CUDA GPUs, Apple GPU. Source: the paper's cell 15."""
    devices = []
    for row in describe():
        kind, _, index = row["device"].partition(":")
        kind = {"cuda": "GPU"}.get(kind, kind.upper())
        capability = f", compute capability: {row['capability']}" if row["capability"] else ""
        devices.append(
            LocalDevice(
                name=f"/device:{kind}:{index or 0}",
                device_type=kind,
                memory_limit=row["memory_bytes"],
                physical_device_desc=f"name: {row['name']}{capability}",
                used=row["used"],
            )
        )
    return devices
