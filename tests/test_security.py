"""What SECURITY.md promises: each line names tests that are there; no reader runs code or believes in sizes."""

from __future__ import annotations

import ast
import io
import json
import os
import pickle
import re
import resource
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import scene_lightning as keras
from scene_lightning.applications.building.state_dict_files import read_state
from scene_lightning.errors import InputError, SceneLightningError
from scene_lightning.recipes.recipe import load_recipe
from scene_lightning.runs.resume_checkpoint import Resume
from scene_lightning.saving.checkpoint import model_section

ROOT = Path(__file__).resolve().parents[1]
PROMISES = [line for line in (ROOT / "SECURITY.md").read_text(encoding="utf-8").splitlines() if line.startswith("| ")][
    1:
]


@pytest.mark.parametrize("line", PROMISES, ids=lambda line: line.split(" | ")[0].strip("| ")[:40])
def test_each_promise_names_tests_that_are_there(line: str) -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", line.rpartition(" | ")[2] or line)
    assert named, line
    for file, function in named:
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        functions = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        assert (function in functions) if function else any(name.startswith("test_") for name in functions), file


class _Hostile:
    """Makes the folder "ran" when a pickle of it is read."""

    def __reduce__(self) -> Any:
        return os.mkdir, ("ran",)


def _checkpoint() -> bytes:
    buffer = io.BytesIO()
    torch.save({"state_dict": {"w": _Hostile()}}, buffer)
    return buffer.getvalue()


def _old_checkpoint() -> bytes:
    buffer = io.BytesIO()
    torch.save({"state_dict": {"w": _Hostile()}}, buffer, _use_new_zipfile_serialization=False)
    return buffer.getvalue()


def _keras_file(layer: dict[str, Any]) -> bytes:
    config = {"module": "keras", "class_name": "Sequential", "config": {"name": "s", "layers": [layer]}}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("metadata.json", "{}")
        archive.writestr("model.weights.h5", b"")
    return buffer.getvalue()


def _arrays() -> bytes:
    import numpy as np

    buffer = io.BytesIO()
    np.savez(buffer, x=np.array([_Hostile()], dtype=object))
    return buffer.getvalue()


CODE: dict[str, tuple[str, Callable[[], bytes]]] = {
    "checkpoint": ("m.ckpt", _checkpoint),
    "checkpoint of old torch": ("m.ckpt", _old_checkpoint),
    "pickle": ("m.pkl", lambda: pickle.dumps(_Hostile())),
    "pickle named .keras": ("m.keras", lambda: pickle.dumps(_Hostile())),
    "pickle named .h5": ("m.h5", lambda: pickle.dumps(_Hostile())),
    "pickle named .safetensors": ("m.safetensors", lambda: pickle.dumps(_Hostile())),
    "NumPy objects": ("m.npz", _arrays),
    "a function of os as a layer": (
        "m.keras",
        lambda: _keras_file({"module": "os", "class_name": "mkdir", "config": {"path": "ran"}}),
    ),
    "a function of os as an activation": (
        "m.keras",
        lambda: _keras_file(
            {
                "module": "keras.layers",
                "class_name": "Dense",
                "config": {"units": 1, "activation": {"module": "os", "class_name": "function", "config": "mkdir"}},
            }
        ),
    ),
}


@pytest.mark.parametrize("case", CODE)
@pytest.mark.parametrize("safe_mode", [True, False])
def test_no_model_file_runs_code(case: str, safe_mode: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    name, make = CODE[case]
    (tmp_path / name).write_bytes(make())
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    for read in (
        lambda: keras.models.load_model(name, safe_mode=safe_mode),
        lambda: model.load_weights(name),
        lambda: Resume.read(name),
    ):
        with pytest.raises(SceneLightningError):
            read()
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "text", ["a: !!python/object/apply:os.mkdir [ran]", "!!python/object/new:os.mkdir [ran]", "a: !ran x"]
)
def test_no_recipe_runs_code(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "r.yaml").write_text(text)
    with pytest.raises(InputError, match="not valid YAML"):
        load_recipe("r.yaml")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("kind", ["one value for all", "sparse"])
def test_a_checkpoint_cannot_pretend_to_hold_a_network(kind: str, tmp_path: Path) -> None:
    """A tensor that shows more values than the file stores gives no leave to allocate as many."""
    units = 2**31
    shown = (
        torch.zeros(1).expand(4, units)
        if kind == "one value for all"
        else torch.sparse_coo_tensor(torch.zeros(2, 1, dtype=torch.long), torch.ones(1), (4, units))
    )
    small = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="wide")])
    config = json.loads(
        json.dumps(keras.utils.serialize_keras_object(small)).replace('"units": 3', f'"units": {units}')
    )
    section = model_section(model_config=config)
    torch.save({"state_dict": {"wide.kernel": shown}, "scene_lightning": section}, tmp_path / "m.ckpt")
    assert (tmp_path / "m.ckpt").stat().st_size < 20_000
    with pytest.raises(InputError, match="more weights than the file holds"):
        keras.models.load_model(tmp_path / "m.ckpt")


@pytest.mark.parametrize("kind", ["packed", "declares a text of 4 GB"])
def test_published_weights_cannot_grow(kind: str, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    torch.save({"w": torch.zeros(2**20)}, buffer, _use_new_zipfile_serialization=kind == "packed")
    path = tmp_path / "net.pth"
    if kind == "packed":
        with zipfile.ZipFile(buffer) as stored, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
            for name in stored.namelist():
                packed.writestr(name, stored.read(name))
    else:
        text = b"X\x10\x00\x00\x00protocol_version"
        assert text in buffer.getvalue()
        path.write_bytes(buffer.getvalue().replace(text, b"X\xff\xff\xff\xff" + text[5:]))
    most = resource.getrlimit(resource.RLIMIT_AS)
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + 2**30, most[1]))
    try:
        with pytest.raises(InputError, match=r"net\.pth") as caught:
            read_state(path)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, most)
    assert not isinstance(caught.value.__cause__, MemoryError)
