"""torch.compile around the model: the same numbers, asked for or worth it, and the plain way where it fails."""

from __future__ import annotations

import gc
import json
import os
import shutil
import tempfile
import warnings
import weakref
import zipfile
from typing import Any

import numpy as np
import pytest
import torch
from torch._dynamo.utils import counters

import scene_lightning as keras
from scene_lightning import fast
from scene_lightning.fast import compilation as module
from scene_lightning.fast import worth_compiling

needs_compiler = pytest.mark.skipif(
    shutil.which("g++") is None, reason="torch.compile needs a C++ compiler: no g++ here"
)
RNG = np.random.default_rng(0)
X = RNG.random((20, 16, 16, 3), dtype=np.float32)
Y = np.eye(3, dtype=np.float32)[RNG.integers(0, 3, 20)]


def network(jit_compile: Any) -> Any:
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            keras.layers.Conv2D(8, 3, activation="relu", kernel_regularizer="l2"),
            keras.layers.MaxPooling2D(),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.0),
            keras.layers.Flatten(),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.SGD(0.05), "categorical_crossentropy", jit_compile=jit_compile)
    return model


def test_when_it_pays() -> None:
    assert worth_compiling(True, 1, training=True)
    assert worth_compiling(True, None, training=False)
    assert worth_compiling("auto", module.LEAST_SAMPLES, training=False)
    assert not worth_compiling("auto", module.LEAST_SAMPLES - 1, training=False)
    assert not worth_compiling("auto", None, training=False)
    assert not worth_compiling("auto", 10**9, training=True)
    assert not worth_compiling(False, 10**9, training=False)
    with fast.plain_paths():
        assert not worth_compiling(True, 10**9, training=False)


@pytest.mark.parametrize("least_work, compiles", [(1e5, True), (1e12, False)])
def test_by_default_the_work_ahead_decides(monkeypatch: pytest.MonkeyPatch, least_work: float, compiles: bool) -> None:
    shapes = compiled_shapes(monkeypatch, lambda function, **options: function)
    monkeypatch.setattr(module, "LEAST_SAMPLES", 10)
    monkeypatch.setattr(module, "LEAST_WORK", least_work)
    network("auto").predict(X, batch_size=8, verbose=0, accelerator="cpu")
    assert shapes == ([(8, 16, 16, 3)] if compiles else [])  # the first batch is counted, the last is another shape


def compiled_shapes(monkeypatch: pytest.MonkeyPatch, make: Any) -> list[Any]:
    """The shapes of the batches that go through torch.compile, which `make` stands for, from now on."""
    shapes: list[Any] = []

    def noting(function: Any, **options: Any) -> Any:
        made = make(function, **options)

        def call(model: Any, x: Any, training: bool) -> Any:
            shapes.append(tuple(x.shape))
            return made(model, x, training)

        return call

    monkeypatch.setattr(torch, "compile", noting)
    return shapes


def test_anything_else_is_refused() -> None:
    with pytest.raises(keras.errors.InputError, match="jit_compile must be True, False, 'auto' or 'reduce-overhead'"):
        network("always")


@pytest.mark.soak
@needs_compiler
@pytest.mark.parametrize("jit_compile", [True, "reduce-overhead"])
def test_compiled_training_and_prediction_give_the_same_numbers(
    monkeypatch: pytest.MonkeyPatch, jit_compile: Any
) -> None:
    shapes = compiled_shapes(monkeypatch, torch.compile)
    plain, quick = network(False), network(jit_compile)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="torch.compile failed")
        histories = [m.fit(X, Y, batch_size=8, epochs=2, shuffle=False, verbose=0).history for m in (plain, quick)]
        assert shapes == [(8, 16, 16, 3)] * 4  # the last batch, of 4, is not worth compiling again
        weights = [m.get_weights() for m in (plain, quick)]
        quick.set_weights(plain.get_weights())
        answers = [m.predict(X, batch_size=8, verbose=0) for m in (plain, quick)]
        assert len(shapes) == 6
        made = counters["stats"]["unique_graphs"]
        # Compiled code is kept, and answers for the weights of the moment, however they were changed.
        for change in (lambda w: w.mul_(0.5), lambda w: w.data.add_(0.1), lambda w: w.assign(w.numpy() * 2)):
            before = answers[0]
            for one in (plain, quick):
                with torch.no_grad():
                    change(one.layers[0].kernel)
            answers = [m.predict(X, batch_size=8, verbose=0) for m in (plain, quick)]
            assert np.abs(answers[0] - before).max() > 1e-4
            np.testing.assert_allclose(answers[1], answers[0], atol=1e-6)
        assert counters["stats"]["unique_graphs"] == made
        quick.layers[0].register_forward_hook(lambda layer, inputs, outputs: outputs * 0)  # torch must notice
        plain.layers[0].register_forward_hook(lambda layer, inputs, outputs: outputs * 0)
        answers = [m.predict(X, batch_size=8, verbose=0) for m in (plain, quick)]
    np.testing.assert_allclose(histories[1]["loss"], histories[0]["loss"], rtol=1e-5)
    for one, other in zip(*weights, strict=True):
        np.testing.assert_allclose(other, one, atol=1e-5)
    np.testing.assert_allclose(answers[1], answers[0], atol=1e-6)
    assert not any(name.startswith("_compiled") for name in vars(quick))


def test_cuda_graphs_are_asked_for_and_their_outputs_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """A replay writes where the outputs of the one before lie: a stand-in does that here."""
    asked, memory = [], torch.empty(8, 3)

    def replaying(function: Any, **options: Any) -> Any:
        asked.append(options.get("mode"))

        def call(model: Any, x: Any, training: bool) -> Any:
            outputs = function(model, x, training)
            return outputs if training else memory.copy_(outputs)

        return call

    monkeypatch.setattr(torch, "compile", replaying)
    graphs, plain = network("reduce-overhead"), network(False)
    answers = graphs.predict(X[:16], batch_size=8, verbose=0)
    np.testing.assert_allclose(answers, plain.predict(X[:16], batch_size=8, verbose=0), rtol=1e-6)
    graphs.fit(X[:16], Y[:16], batch_size=8, verbose=0)
    assert asked == ["reduce-overhead"] * 2
    graphs.save(tmp_path / "graphs.keras")
    with zipfile.ZipFile(tmp_path / "graphs.keras") as file:  # Keras knows no modes
        assert json.loads(file.read("config.json"))["compile_config"]["jit_compile"] is True


@pytest.mark.cuda
@pytest.mark.parametrize("jit_compile", [True, "reduce-overhead"])
def test_compiled_on_a_gpu(jit_compile: Any) -> None:
    plain, quick = network(False), network(jit_compile)
    options = {"batch_size": 4, "verbose": 0, "accelerator": "cuda", "devices": 1}
    fit = {"validation_data": (X, Y), "epochs": 3, "shuffle": False, **options}
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="torch.compile failed")
        histories = [m.fit(X, Y, **fit).history for m in (plain, quick)]
        answers = [m.predict(X, **options) for m in (plain, quick)]
    for name, values in histories[0].items():
        np.testing.assert_allclose(histories[1][name], values, rtol=1e-3, err_msg=name)
    np.testing.assert_allclose(answers[1], answers[0], atol=1e-3)


def test_what_is_compiled_is_kept_as_long_as_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    shapes = compiled_shapes(monkeypatch, lambda function, **options: made.append(1) or function)
    model = network(True)
    for batch in (X[:8], X[:8], X, X[:4]):  # 20 in batches of 8 and 4
        model.predict(batch, batch_size=8, verbose=0)
    assert made == [1]
    assert shapes == [(8, 16, 16, 3)] * 4 + [(4, 16, 16, 3)]
    model.evaluate(X[:8], Y[:8], verbose=0)
    model.fit(X[:8], Y[:8], validation_data=(X[:8], Y[:8]), epochs=2, verbose=0)
    model.fit(X[:8], Y[:8], verbose=0)
    assert made == [1, 1]
    assert shapes[5:] == [(8, 16, 16, 3)] * 6
    kept = weakref.ref(model)
    del model
    gc.collect()
    assert kept() is None


def test_where_it_fails_the_model_runs_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(function: Any, **options: Any) -> Any:
        def call(*inputs: Any) -> Any:
            raise RuntimeError("Compiler: no g++\nand a long tail")

        return call

    monkeypatch.setattr(torch, "compile", failing)
    plain, quick = network(False), network(True)
    expected = plain.predict(X, verbose=0)
    with pytest.warns(UserWarning, match=r"torch.compile failed \(RuntimeError: Compiler: no g\+\+\)") as found:
        answers = quick.predict(X, batch_size=4, verbose=0)
    assert len([w for w in found if "torch.compile" in str(w.message)]) == 1
    np.testing.assert_allclose(answers, expected, atol=1e-6)


def test_where_the_gradient_cannot_be_compiled_the_model_trains_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    from torch._dynamo.backends.common import aot_autograd

    def no_gradient(graph: Any, inputs: Any) -> Any:
        raise ImportError("half a file")

    make, backend = torch.compile, aot_autograd(fw_compiler=lambda graph, inputs: graph, bw_compiler=no_gradient)
    monkeypatch.setattr(torch, "compile", lambda function, **options: make(function, dynamic=False, backend=backend))
    plain, quick = network(False), network(True)
    fit: dict[str, Any] = {"batch_size": 4, "shuffle": False, "verbose": 0}
    with pytest.warns(UserWarning, match=r"torch.compile failed .*half a file"):
        history = quick.fit(X, Y, **fit).history
    np.testing.assert_allclose(history["loss"], plain.fit(X, Y, **fit).history["loss"], rtol=1e-5)


@pytest.mark.parametrize("given", [None, "own"])
def test_inductors_files_are_kept_where_the_user_says_or_in_the_cache(
    given: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("SCENE_LIGHTNING_CACHE", str(tmp_path / "cache"))
    # what torch has put there by itself, as some of its imports do
    torchs_own = f"{tempfile.gettempdir()}/torchinductor_me"
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / given) if given else torchs_own)
    monkeypatch.setattr(torch, "compile", lambda function, **options: function)
    network(True).predict(X, verbose=0)
    expected = tmp_path / given if given else tmp_path / "cache" / "inductor"
    assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == str(expected)


def test_files_say_what_was_asked_for_and_loading_decides_anew(tmp_path: Any) -> None:
    """Keras resolves "auto" to True on TensorFlow and writes that: nobody asked for a minute of compiling."""
    network(True).save(tmp_path / "always.keras")
    with zipfile.ZipFile(tmp_path / "always.keras") as file:
        assert json.loads(file.read("config.json"))["compile_config"]["jit_compile"] is True
    assert keras.models.load_model(tmp_path / "always.keras").jit_compile == "auto"
