"""Every optimizer beside the real Keras: the same gradients in, the same weights, slots and configs out."""

from __future__ import annotations

import io
from typing import Any

import keras
import numpy as np
import pytest
import torch
from torch import nn

from scene_lightning import optimizers
from scene_lightning.constraints import MaxNorm
from scene_lightning.errors import InputError

SHAPES = [(5, 4), (4,), (3, 3, 2, 4), (4, 6)]
CASES: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {}),
    ("SGD", {"momentum": 0.9, "weight_decay": 0.01}),
    ("SGD", {"momentum": 0.9, "nesterov": True, "use_ema": True, "ema_momentum": 0.5}),
    ("RMSprop", {}),
    ("RMSprop", {"momentum": 0.9}),
    ("RMSprop", {"centered": True, "momentum": 0.5}),
    ("Adam", {}),
    ("Adam", {"amsgrad": True, "epsilon": 0.1}),
    ("Adam", {"clipnorm": 0.5}),
    ("Adam", {"global_clipnorm": 0.5}),
    ("Adam", {"clipvalue": 0.1}),
    ("Adam", {"use_ema": True, "ema_overwrite_frequency": 3}),
    ("Adam", {"gradient_accumulation_steps": 3, "use_ema": True}),
    ("AdamW", {}),
    ("Adamax", {}),
    ("Nadam", {}),
    ("Adagrad", {}),
    ("Adadelta", {"learning_rate": 1.0}),
    ("Ftrl", {}),
    (
        "Ftrl",
        {
            "l1_regularization_strength": 0.01,
            "l2_regularization_strength": 0.01,
            "beta": 0.1,
            "l2_shrinkage_regularization_strength": 0.01,
        },
    ),
    ("Lion", {}),
    ("Lamb", {}),
    ("Adafactor", {}),
    ("Muon", {}),
    ("ScheduleFreeAdamW", {"warmup_steps": 4}),
]


def gradients(rng: np.random.Generator) -> list[np.ndarray]:
    return [(rng.normal(size=s) * 10.0 ** rng.integers(-5, 1)).astype("float32") for s in SHAPES]


def parameters(values: list[np.ndarray]) -> list[nn.Parameter]:
    return [nn.Parameter(torch.tensor(value)) for value in values]


def steps(driver: torch.optim.Optimizer, params: list[nn.Parameter], grads: list[list[np.ndarray]]) -> None:
    for batch in grads:
        for param, grad in zip(params, batch, strict=True):
            param.grad = torch.tensor(grad)
        driver.step()


@pytest.mark.parametrize(("name", "options"), CASES, ids=[f"{n}-{i}" for i, (n, _) in enumerate(CASES)])
def test_ten_steps_equal_keras(name: str, options: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)
    start = [rng.normal(size=s).astype("float32") for s in SHAPES]
    grads = [gradients(rng) for _ in range(10)]
    variables = [keras.Variable(value) for value in start]
    theirs = getattr(keras.optimizers, name)(**options)
    theirs.build(variables)
    params = parameters(start)
    ours = getattr(optimizers, name)(**options)
    driver = ours.torch_optimizer(params)
    for batch in grads:
        theirs.apply([torch.tensor(grad) for grad in batch], variables)
    steps(driver, params, grads)
    # float32 weights of size 1 and steps of 1e-3: a few roundings
    for param, variable in zip(params, variables, strict=True):
        np.testing.assert_allclose(param.detach().numpy(), variable.numpy(), rtol=1e-6, atol=4e-6)
    slots = ours.slot_arrays()
    assert [slot.shape for slot in slots] == [tuple(v.shape) for v in theirs.variables]
    for slot, variable in zip(slots, theirs.variables, strict=True):
        # Ftrl divides a difference of two square roots by the rate: float32 leaves four digits
        np.testing.assert_allclose(slot, variable.numpy(), rtol=2e-5, atol=1e-4 if name == "Ftrl" else 1e-7)


@pytest.mark.parametrize(("name", "options"), CASES, ids=[f"{n}-{i}" for i, (n, _) in enumerate(CASES)])
def test_config_goes_both_ways(name: str, options: dict[str, Any]) -> None:
    ours = getattr(optimizers, name)(**options)
    reference = getattr(keras.optimizers, name)(**options).get_config()
    theirs = getattr(keras.optimizers, name).from_config(ours.get_config())
    assert {k: v for k, v in theirs.get_config().items() if k != "name"} == {
        k: v for k, v in reference.items() if k != "name"
    }
    back = optimizers.deserialize({"class_name": name, "module": "keras.optimizers", "config": reference})
    assert {**back.get_config(), "name": ""} == {**ours.get_config(), "name": ""}
    assert optimizers.serialize(ours)["module"] == "keras.optimizers"


def test_every_exported_optimizer_is_compared() -> None:
    exported = {
        name
        for name in optimizers.__all__
        if isinstance(getattr(optimizers, name), type) and issubclass(getattr(optimizers, name), optimizers.Optimizer)
    }
    spellings = {name for name in exported if name.islower()}
    assert exported - spellings - {"Optimizer"} == {name for name, _ in CASES}
    assert not [n for n in dir(keras.optimizers) if not n.startswith("_") and not hasattr(optimizers, n)]


@pytest.mark.parametrize(("name", "options"), CASES, ids=[f"{n}-{i}" for i, (n, _) in enumerate(CASES)])
def test_a_resumed_run_is_the_uninterrupted_one(name: str, options: dict[str, Any]) -> None:
    rng = np.random.default_rng(1)
    start = [rng.normal(size=s).astype("float32") for s in SHAPES]
    grads = [gradients(rng) for _ in range(6)]
    whole = parameters(start)
    steps(getattr(optimizers, name)(**options).torch_optimizer(whole), whole, grads)
    first = parameters(start)
    driver = getattr(optimizers, name)(**options).torch_optimizer(first)
    steps(driver, first, grads[:4])
    saved = io.BytesIO()
    torch.save(driver.state_dict(), saved)
    saved.seek(0)
    second = parameters([p.detach().numpy() for p in first])
    driver = getattr(optimizers, name)(**options).torch_optimizer(second)
    driver.load_state_dict(torch.load(saved, weights_only=True))
    steps(driver, second, grads[4:])
    for a, b in zip(whole, second, strict=True):
        assert torch.equal(a, b)


def one(optimizer: Any, grads: list[float], start: float = 0.0) -> float:
    param = nn.Parameter(torch.tensor(start))
    for grad in grads:
        optimizer.apply_gradients([(torch.tensor(grad), param)])
    return float(param.detach())


@pytest.mark.parametrize(
    ("make", "grad", "expected"),
    [
        (lambda: optimizers.RMSprop(), 1.0, -7.37738e-3),
        (lambda: optimizers.RMSprop(), 1e-3, -5.73479e-3),
        (lambda: optimizers.RMSprop(), 1e-4, -9.39952e-4),
        (lambda: optimizers.RMSprop(), 1e-5, -9.48595e-5),
        (lambda: optimizers.Adam(), 1.0, -2.99997e-3),
        (lambda: optimizers.Adam(), 1e-3, -2.99277e-3),
        (lambda: optimizers.Adam(), 1e-4, -2.92951e-3),
        (lambda: optimizers.Adam(), 1e-5, -2.42250e-3),
        (lambda: optimizers.SGD(optimizers.schedules.ExponentialDecay(1.0, 1, 0.5)), 1.0, -1.75),
    ],
)
def test_golden_values(make: Any, grad: float, expected: float) -> None:
    assert one(make(), [grad] * 3) == pytest.approx(expected, rel=5e-6)


def test_the_first_adam_step_has_kerass_float32_powers() -> None:
    assert one(optimizers.Adam(), [1.0]) == pytest.approx(-9.9999015e-4, rel=1e-7)


@pytest.mark.parametrize(("nesterov", "expected"), [(False, -0.8719), (True, -1.07971)])
def test_momentum_keeps_the_rate_of_its_step(nesterov: bool, expected: float) -> None:
    optimizer = optimizers.SGD(0.1, momentum=0.9, nesterov=nesterov)
    param = nn.Parameter(torch.tensor(0.0))
    for i, grad in enumerate((1.0, 2.0, -1.0, 0.5)):
        if i == 2:
            optimizer.learning_rate = 0.01
        optimizer.apply_gradients([(torch.tensor(grad), param)])
    assert float(param.detach()) == pytest.approx(expected, abs=1e-5)


def test_clipping_golden_values() -> None:
    a, b = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(2))
    optimizers.SGD(1.0, clipnorm=1.0).apply([torch.tensor([3.0, 4.0]), torch.tensor([0.3, 0.4])], [a, b])
    assert torch.allclose(a, torch.tensor([-0.6, -0.8]))
    assert torch.allclose(b, torch.tensor([-0.3, -0.4]))
    a, b = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(2))
    optimizers.SGD(1.0, global_clipnorm=1.0).apply([torch.tensor([3.0, 4.0]), torch.tensor([0.0, 12.0])], [a, b])
    assert torch.allclose(a, -torch.tensor([3.0, 4.0]) / 13)
    assert torch.allclose(b, -torch.tensor([0.0, 12.0]) / 13)


def test_weight_decay_golden_value_and_exclusion() -> None:
    assert one(optimizers.Adam(0.1, weight_decay=0.1), [0.0], start=1.0) == pytest.approx(0.99)
    kernel, bias = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    optimizer = optimizers.SGD(0.1, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    driver = optimizer.torch_optimizer([("dense/kernel", kernel), ("dense/bias", bias)])
    kernel.grad = bias.grad = torch.zeros(2)
    driver.step()
    assert torch.allclose(kernel, torch.tensor(0.95))
    assert torch.allclose(bias, torch.tensor(1.0))


def test_constraints_are_applied_after_the_step() -> None:
    param = nn.Parameter(torch.ones(4, 1))
    param._constraint = MaxNorm(1.0)  # type: ignore[attr-defined]
    optimizers.SGD(0.1).apply([torch.zeros(4, 1)], [param])
    assert float(param.detach().norm()) == pytest.approx(1.0, rel=1e-6)


def test_closures_frozen_weights_and_missing_gradients() -> None:
    trained, frozen, unused = (nn.Parameter(torch.ones(2)) for _ in range(3))
    frozen.requires_grad_(False)
    driver = optimizers.Adam(0.1).torch_optimizer([trained, frozen, unused])

    def closure() -> torch.Tensor:
        driver.zero_grad()
        loss = (trained * frozen).sum()
        loss.backward()
        return loss

    assert float(driver.step(closure)) == 2.0
    assert torch.allclose(trained, torch.tensor(0.9), atol=1e-5)
    assert torch.equal(frozen, torch.ones(2))
    assert torch.equal(unused, torch.ones(2))
    assert len(driver.keras.slot_arrays()) == 2 + 2 * 2  # none for the frozen weight, as in Keras
    frozen.requires_grad_(True)
    driver.step(closure)
    assert not torch.equal(frozen, torch.ones(2))


def test_slots_load_from_keras_and_training_goes_on_alike() -> None:
    rng = np.random.default_rng(2)
    start = [rng.normal(size=s).astype("float32") for s in SHAPES]
    variables = [keras.Variable(value) for value in start]
    theirs = keras.optimizers.Adam()
    theirs.build(variables)
    grads = [gradients(rng) for _ in range(6)]
    for batch in grads[:3]:
        theirs.apply([torch.tensor(grad) for grad in batch], variables)
    params = parameters([variable.numpy() for variable in variables])
    ours = optimizers.Adam()
    driver = ours.torch_optimizer(params)
    ours.load_slot_arrays([variable.numpy() for variable in theirs.variables])
    assert int(ours.iterations) == 3
    for batch in grads[3:]:
        theirs.apply([torch.tensor(grad) for grad in batch], variables)
    steps(driver, params, grads[3:])
    for param, variable in zip(params, variables, strict=True):
        np.testing.assert_allclose(param.detach().numpy(), variable.numpy(), atol=5e-7)
    with pytest.raises(InputError, match="variables"):
        ours.load_slot_arrays([np.zeros(1)])


class Halving(optimizers.Optimizer):
    """A user's own optimizer, as Keras' guide writes one."""

    def build(self, variables: Any) -> None:
        super().build(variables)
        self.sums = [self.add_variable_from_reference(v, name="sum") for v in variables]

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        total = self.sums[self._get_variable_index(variable)]
        self.assign_add(total, gradient)
        self.assign_sub(variable, learning_rate * total)


def test_a_users_optimizer_works() -> None:
    param = nn.Parameter(torch.zeros(1))
    optimizer = Halving(learning_rate=0.5)
    driver = optimizer.torch_optimizer([param])
    steps(driver, [param], [[np.ones(1, "float32")]] * 2)
    assert float(param.detach()) == -1.5
    assert [array.tolist() for array in optimizer.slot_arrays()] == [2, 0.5, [2.0]]


def test_slots_stay_the_same_tensors_when_they_are_moved() -> None:
    param = nn.Parameter(torch.zeros(2))
    driver = optimizers.Adam().torch_optimizer([param])
    momentum = driver.state[param]["momentum"]
    driver.state[param]["momentum"] = torch.ones(2)  # what Lightning does when it moves an optimizer
    assert torch.equal(momentum, torch.ones(2))


def test_foreach_and_fused_adam_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    start = [rng.normal(size=s).astype("float32") for s in SHAPES]
    grads = [gradients(rng) for _ in range(5)]
    fused, plain = parameters(start), parameters(start)
    steps(optimizers.Adam(amsgrad=True).torch_optimizer(fused), fused, grads)
    monkeypatch.setattr("scene_lightning.optimizers.adaptive._fusable", lambda *_: False)
    steps(optimizers.Adam(amsgrad=True).torch_optimizer(plain), plain, grads)
    for a, b in zip(fused, plain, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-6)


def test_the_order_of_a_kernel_in_memory_changes_no_step() -> None:
    rng = np.random.default_rng(3)
    start = torch.tensor(rng.normal(size=(3, 2, 5, 4)), dtype=torch.float32)
    grads = torch.tensor(rng.normal(size=(5, *start.shape)), dtype=torch.float32)
    plain = nn.Parameter(start.clone())
    kernel = nn.Parameter(start.permute(3, 0, 1, 2).contiguous().permute(1, 2, 3, 0))
    for param in (plain, kernel):
        optimizer = optimizers.Adam(amsgrad=True)
        optimizer.build([param])
        for grad in grads:
            optimizer.apply_gradients([(grad.permute(1, 0, 2, 3).contiguous().permute(1, 0, 2, 3), param)])
    assert kernel.stride() != plain.stride() and torch.equal(kernel, plain)


def test_state_of_another_network_is_refused() -> None:
    a, b = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(3))
    state = optimizers.Adam().torch_optimizer([a]).state_dict()
    with pytest.raises(InputError, match="saved"):
        optimizers.Adam().torch_optimizer([b]).load_state_dict(state)
    with pytest.raises(InputError, match="weights"):
        optimizers.Adam().torch_optimizer([a, b]).load_state_dict(state)


@pytest.mark.cuda
def test_ten_steps_on_the_gpu_equal_the_cpu() -> None:
    rng = np.random.default_rng(4)
    start = [rng.normal(size=s).astype("float32") for s in SHAPES]
    grads = [gradients(rng) for _ in range(10)]
    for name, options in CASES:
        cpu = parameters(start)
        gpu = [nn.Parameter(torch.tensor(value).cuda()) for value in start]
        here, there = (getattr(optimizers, name)(**options) for _ in range(2))
        driver = there.torch_optimizer(gpu)
        steps(here.torch_optimizer(cpu), cpu, grads)
        for batch in grads:
            for param, grad in zip(gpu, batch, strict=True):
                param.grad = torch.tensor(grad).cuda()
            driver.step()
        for a, b in zip(cpu, gpu, strict=True):
            torch.testing.assert_close(a, b.cpu(), rtol=1e-5, atol=1e-5, msg=name)
