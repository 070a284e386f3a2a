"""What a process of the command line imports for one prediction, and that it is whole nevertheless."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

PROGRAM = """
import sys
from scene_lightning.cli import main
try:
    main.main(sys.argv[1:])
finally:
    print(*sorted(sys.modules), file=sys.stderr)
"""
NOT_NEEDED = {
    "matplotlib", "onnx", "onnxruntime", "optuna", "pandas", "scene_lightning.applications",
    "scene_lightning.demo_scenes", "scene_lightning.exporters", "scene_lightning.runs", "scene_lightning.tuning",
    "scipy.signal", "sklearn", "tensorboard", "torchvision", "torch._dynamo", "transformers",
}  # fmt: skip


@pytest.mark.soak
def test_a_prediction_imports_nothing_of_training_nor_of_pictures(tmp_path: Path) -> None:
    photograph = tmp_path / "photograph.png"
    Image.fromarray(np.full((32, 32, 3), 128, np.uint8)).save(photograph)
    words = [sys.executable, "-c", PROGRAM, "predict", "scenes", str(photograph)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert "photograph.png" in done.stdout
    modules = set(done.stderr.split())
    assert "torchmetrics" in modules
    assert not modules & NOT_NEEDED


COMPILER = """
import sys
from scene_lightning.cli import lean_imports
lean_imports.allow()
import scene_lightning.cli.pipeline
import torch
from lightning.fabric.wrappers import OptimizedModule
assert "torch._dynamo" not in sys.modules
plain = torch.nn.Linear(2, 2)
compiled = torch.compile(plain, backend="eager")
assert isinstance(compiled, OptimizedModule) and not isinstance(plain, OptimizedModule)
assert compiled(torch.ones(1, 2)).shape == (1, 2)
"""


@pytest.mark.soak
def test_the_compiler_is_whole_where_it_is_wanted() -> None:
    subprocess.run([sys.executable, "-c", COMPILER], check=True)
