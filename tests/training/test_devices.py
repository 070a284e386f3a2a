"""Accelerator, device and precision choice: pure functions of what the machine has."""

from __future__ import annotations

import pytest
import torch

from scene_lightning.errors import DeviceError
from scene_lightning.training.devices import (
    Gpu,
    Hardware,
    Inventory,
    choose_accelerator,
    choose_devices,
    choose_precision,
    describe,
    take_inventory,
    trainer_arguments,
)

NOTHING = Inventory()
TURING = Inventory(gpus=(Gpu("GTX 1050 Ti", 4 << 30, (6, 1)),))
AMPERE = Inventory(gpus=(Gpu("A100", 40 << 30, (8, 0)), Gpu("A100", 40 << 30, (8, 0))))
MIXED = Inventory(gpus=(Gpu("A100", 40 << 30, (8, 0)), Gpu("T4", 16 << 30, (7, 5))))
APPLE = Inventory(mps=True)
ZEN4 = Inventory(cpu_fast_bf16=True)


@pytest.mark.parametrize(
    ("requested", "inventory", "expected"),
    [("auto", NOTHING, "cpu"), ("auto", TURING, "cuda"), ("auto", APPLE, "mps"), ("cpu", AMPERE, "cpu"),
     ("gpu", AMPERE, "cuda"), ("CUDA", AMPERE, "cuda"), ("mps", APPLE, "mps")],
)  # fmt: skip
def test_accelerator(requested, inventory, expected):
    assert choose_accelerator(requested, inventory) == expected


@pytest.mark.parametrize(
    ("requested", "inventory", "words"),
    [("cuda", NOTHING, "no CUDA GPU"), ("mps", AMPERE, "no Apple GPU"), ("tpu", AMPERE, "Expected one of"),
     ("cud", AMPERE, "Did you mean 'cuda'")],
)  # fmt: skip
def test_accelerator_that_is_not_there(requested, inventory, words):
    with pytest.raises(DeviceError, match=words):
        choose_accelerator(requested, inventory)


@pytest.mark.parametrize(
    ("requested", "accelerator", "inventory", "expected"),
    [("auto", "cpu", AMPERE, 1), ("auto", "cuda", AMPERE, 2), (-1, "cuda", AMPERE, 2), (1, "cuda", AMPERE, 1),
     ("0,1", "cuda", AMPERE, [0, 1]), ([1], "cuda", AMPERE, [1]), ("2", "cpu", NOTHING, 2), ("auto", "mps", APPLE, 1)],
)  # fmt: skip
def test_devices(requested, accelerator, inventory, expected):
    assert choose_devices(requested, accelerator, inventory) == expected


@pytest.mark.parametrize(
    ("requested", "accelerator"),
    [(3, "cuda"), ("0,2", "cuda"), (0, "cuda"), ("two", "cuda"), (0, "cpu"), (99, "cpu"), (2, "mps")],
)
def test_devices_that_are_not_there(requested, accelerator):
    with pytest.raises(DeviceError):
        choose_devices(requested, accelerator, AMPERE)


@pytest.mark.parametrize(
    ("requested", "accelerator", "inventory", "expected"),
    [("auto", "cuda", AMPERE, "bf16-mixed"), ("auto", "cuda", TURING, "32-true"), ("auto", "cuda", MIXED, "32-true"),
     ("auto", "cpu", NOTHING, "32-true"), ("auto", "cpu", ZEN4, "bf16-mixed"), ("auto", "mps", APPLE, "32-true"),
     (None, "cuda", AMPERE, "32-true"), (16, "cuda", AMPERE, "16-mixed"), ("bf16", "cpu", NOTHING, "bf16-mixed")],
)  # fmt: skip
def test_precision(requested, accelerator, inventory, expected):
    assert choose_precision(requested, accelerator, inventory) == expected


def test_precision_that_cannot_be():
    with pytest.raises(DeviceError, match="Expected one of"):
        choose_precision("8-true", "cuda", AMPERE)
    with pytest.raises(DeviceError, match="needs a GPU"):
        choose_precision("16-mixed", "cpu", NOTHING)


def test_trainer_arguments_and_description_agree():
    arguments = trainer_arguments(Hardware(precision="auto"), AMPERE)
    assert (arguments["accelerator"], arguments["devices"], arguments["precision"]) == ("cuda", 2, "bf16-mixed")
    rows = describe(AMPERE)
    assert [row["device"] for row in rows] == ["cpu", "cuda:0", "cuda:1"]
    assert [row["used"] for row in rows] == [False, True, True]


def test_this_machine_can_be_described():
    inventory = take_inventory()
    assert inventory.cpu_cores >= 1
    assert bool(inventory.gpus) == torch.cuda.is_available()
    assert sum(row["used"] for row in describe(inventory)) >= 1
