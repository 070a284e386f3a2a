"""The device list that the paper prints."""

from __future__ import annotations

import torch

from scene_lightning.utils import device_lib


def test_lists_this_machine_and_says_what_will_be_used():
    devices = device_lib.list_local_devices()
    assert devices[0].name == "/device:CPU:0"
    assert sum(device.device_type == "GPU" for device in devices) == torch.cuda.device_count()
    assert any(device.used for device in devices)
