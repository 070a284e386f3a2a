"""What every test may count on: Keras on the torch backend, one thread, fresh names, the marker `cuda`, photographs."""

from __future__ import annotations

import gc
import os
import signal

os.environ["KERAS_BACKEND"] = "torch"  # before anything imports keras
# On a machine with a GPU: Keras on the processor, whose arrays NumPy can read, and products in whole float32.
os.environ.setdefault("KERAS_TORCH_DEVICE", "cpu")
os.environ.setdefault("NVIDIA_TF32_OVERRIDE", "0")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # tiny arrays: more threads only wait for one another, in children too
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read once, at CUDA's start: for deterministic=True

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # started by a shell's `&`: the tests' programs would be deaf too
    signal.signal(signal.SIGINT, signal.default_int_handler)

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import numpy as np

# torch and Keras are imported where they are used: the process that deals tests to others needs neither.


def pytest_configure(config: pytest.Config) -> None:
    """Few examples, the same in every run; SCENE_LIGHTNING_EXAMPLES=300 (`make parity`) draws so many, new ones."""
    if config.getoption("numprocesses", None) and not os.environ.get("PYTEST_XDIST_WORKER"):
        return
    import hypothesis

    examples = int(os.environ.get("SCENE_LIGHTNING_EXAMPLES", "0"))
    hypothesis.settings.register_profile(
        "scene_lightning",
        max_examples=examples or 8,
        derandomize=not examples,
        database=None,
        deadline=None,
        print_blob=True,
        suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.function_scoped_fixture],
    )
    hypothesis.settings.load_profile("scene_lightning")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # First what trains in forked processes: after torch.export and the like, which leave autograd's threads, none can.
    forks = {path: "ddp_fork" in path.read_text(encoding="utf-8") for path in {item.path for item in items}}
    items.sort(key=lambda item: not forks[item.path])
    import torch

    if torch.cuda.is_available():
        return
    no_cuda = pytest.mark.skip(reason="needs a CUDA GPU: torch.cuda.is_available() is false here")
    for item in items:
        if "cuda" in item.keywords:
            item.add_marker(no_cuda)


def pytest_collection_finish() -> None:
    """What was imported and collected stays: no search for garbage (0.3 s each) looks at it again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def intel_dir() -> Path:
    """The Intel scenes: a folder that holds `seg_train` and `seg_test`. Tests that need real photographs ask for it."""
    named = os.environ.get("SCENE_LIGHTNING_DATA")
    beside = Path(__file__).resolve().parents[1] / ".." / "shared" / "data" / "intel"
    folder = Path(named) if named else beside.resolve()
    if not (folder / "seg_train").is_dir() or not (folder / "seg_test").is_dir():
        pytest.skip(
            f"no real photographs in {folder if named else 'SCENE_LIGHTNING_DATA (not set)'}: set "
            "SCENE_LIGHTNING_DATA to a folder that holds seg_train and seg_test"
        )
    return folder


def picture(height: int, width: int, seed: int) -> np.ndarray:
    """A generated photograph (H, W, 3), uint8: smooth shapes with fine grain, so that interpolation can go wrong."""
    import numpy as np
    from PIL import Image

    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(0, 256, (6, 6, 3), dtype=np.uint8)).resize((width, height), 3)
    grain = random.integers(-25, 26, (height, width, 3))
    return (np.asarray(coarse).astype(int) + grain).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def pictures() -> Callable[[int, int, int], np.ndarray]:
    """(count, H, W) → (count, H, W, 3) uint8."""
    import numpy as np

    return lambda count, height, width: np.stack([picture(height, width, seed) for seed in range(count)])


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    """root/{forest,glacier,sea}: 5, 4 and 6 images of several sizes and formats, beside things that are none."""
    from PIL import Image

    root = tmp_path / "scenes"
    for place, (name, count) in enumerate({"forest": 5, "glacier": 4, "sea": 6}.items()):
        (root / name).mkdir(parents=True)
        for number in range(count):
            ending = "png" if number == 1 else "jpg"
            Image.fromarray(picture(20 + number, 24, 10 * place + number)).save(root / name / f"{number}.{ending}")
    (root / "sea" / ".DS_Store").write_bytes(b"\0" * 8)
    (root / "sea" / "notes.txt").write_text("no image")
    (root / ".ipynb_checkpoints").mkdir()
    Image.fromarray(picture(8, 8, 0)).save(root / ".ipynb_checkpoints" / "hidden.jpg")
    return root


@pytest.fixture(autouse=True)
def _same_start() -> None:
    """Every test starts from the same seed and the first automatic names, here and in the real Keras."""
    import keras
    import torch

    from scene_lightning._naming import reset_names

    reset_names()
    keras.utils.clear_session(free_memory=False)
    torch.manual_seed(0)
