"""Feeds damaged files to one reader of the package, guided by coverage: `python readers.py READER COUNT SEED FOLDER`.

atheris (libFuzzer) makes the inputs; each goes to the reader as a file. Allowed is a value or one of the package's own
errors; anything else is written to FOLDER once a kind, and the run goes on. A crash or a hang is for the caller to see:
the input lies in FOLDER/input, the number of inputs so far in FOLDER/count.
"""

from __future__ import annotations

import io
import json
import logging
import mmap
import random
import resource
import shutil
import struct
import sys
import time
import traceback
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import atheris
import h5py
import numpy as np

with atheris.instrument_imports(include=["scene_lightning.saving", "scene_lightning.recipes", "PIL", "yaml"]):
    import PIL.Image
    import yaml  # noqa: F401

    from scene_lightning.applications.building.state_dict_files import read_state
    from scene_lightning.data.decode import DecodeSpec, decode_image
    from scene_lightning.data.statistics import image_size
    from scene_lightning.recipes.recipe import load_recipe
    from scene_lightning.saving import (
        read_keras,
        read_legacy_h5,
        read_saved_model_dir,
        read_tensors,
        read_weights_h5,
        sniff,
        write_tensors,
    )  # fmt: skip
    from scene_lightning.saving.checkpoint import model_section, read_checkpoint, read_model_section, write_checkpoint

import torch

from scene_lightning.errors import SceneLightningError
from scene_lightning.models import load_model

ROOT = Path(__file__).resolve().parents[2]
FILES = ROOT / "tests" / "fixtures" / "keras_files"
MEMORY = 1024 * 2**20  # beyond what the process has when all is imported
SECONDS = 10  # of processor time for one input
HANG = 60  # seconds for one input, before the process is ended with the place where it was
VALUES = [
    None,
    True,
    -1,
    0,
    1,
    3,
    2**31,
    10**18,
    0.5,
    1e308,
    "x",
    "",
    "relu",
    "Dense",
    [],
    {},
    [[]],
    [None, 3],
    {"a": 1},
]
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "ICO", "TGA", "PCX", "DDS", "SGI", "JPEG2000", "MPO")


@dataclass(frozen=True)
class Reader:
    """A reader under test.

    Attributes:
        read: reads a file.
        seeds: sound files to begin with, as bytes.
        place: makes the file at a path from an input; None writes the input as it is.
        is_json: whether inputs are JSON texts, of which values are replaced, beside bytes.
    """

    read: Callable[[Path], Any]
    seeds: Callable[[], list[bytes]]
    place: Callable[[Path, bytes], Path] | None = None
    is_json: bool = False


def _fixtures(*patterns: str) -> Callable[[], list[bytes]]:
    return lambda: [path.read_bytes() for pattern in patterns for path in sorted(FILES.glob(pattern))]


def _with_member(sound: bytes, name: str) -> Callable[[Path, bytes], Path]:
    """Writes a zip that is sound but for one member: damage behind the checksums."""
    with zipfile.ZipFile(io.BytesIO(sound)) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    (key,) = (key for key in members if key.endswith(name))

    def place(path: Path, data: bytes) -> Path:
        with zipfile.ZipFile(path, "w") as archive:
            for member, content in {**members, key: data}.items():
                archive.writestr(member, content)
        return path

    return place


def _member(sound: bytes, name: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(sound)) as archive:
        (key,) = (key for key in archive.namelist() if key.endswith(name))
        return archive.read(key)


def _in_folder(name: str, part: str) -> Callable[[Path, bytes], Path]:
    """Writes a SavedModel that is sound but for one file."""

    def place(path: Path, data: bytes) -> Path:
        folder = path.with_name("saved_model")
        if not folder.exists():
            shutil.copytree(FILES / name, folder)
        (folder / part).write_bytes(data)
        return folder

    return place


def _images() -> list[bytes]:
    """A small picture in each format that PIL writes here, in the colours that it takes."""
    PIL.Image.init()
    seeds = []
    for name in FORMATS:
        for mode in ("RGB", "L", "P", "RGBA", "I;16", "CMYK", "1"):
            picture = PIL.Image.effect_mandelbrot((20, 12), (-2, -1, 1, 1), 20).convert("L")
            picture = picture.convert(mode) if mode != "I;16" else picture.convert("I").convert("I;16")
            exif = PIL.Image.Exif()
            exif[0x0112] = 6
            options: dict[str, Any] = {"exif": exif} if name in ("PNG", "JPEG", "TIFF", "WEBP", "MPO") else {}
            buffer = io.BytesIO()
            try:
                picture.save(buffer, name, **options)
            except (OSError, KeyError, ValueError):
                continue
            seeds.append(buffer.getvalue())
    return seeds


def _decode(path: Path) -> None:
    for exif in (True, False):
        decode_image(str(path), DecodeSpec((8, 8), "rgb", "bilinear", "pad" if exif else "stretch", exif, exif))


def _saved(write: Callable[[Path], None]) -> bytes:
    path = Path(sys.argv[4]) / "seed"
    write(path)
    return path.read_bytes()


def _checkpoint() -> bytes:
    section = model_section(model_config={"class_name": "Sequential", "config": {}}, image_info={"input_size": [8, 8]})
    whole = {"state_dict": {"w": torch.ones(3, 2), "n": torch.tensor(3)}, "epoch": 1, "scene_lightning": section}
    return _saved(lambda path: write_checkpoint(path, whole))


def _tensors() -> list[bytes]:
    """A file with its checksum, and one without: what lies behind it is changed, too."""
    section = model_section(model_config={"class_name": "Sequential", "config": {}})
    whole = {"state_dict": {"w": torch.ones(3, 2), "n": torch.tensor(3)}, "scene_lightning": section}
    whole_file = _saved(lambda path: write_tensors(path, whole))
    return [whole_file, whole_file.replace(b"sha256", b"sha257")]


def _state_dicts() -> list[bytes]:
    seeds = []
    for is_zip in (True, False):
        buffer = io.BytesIO()
        torch.save({"w": torch.ones(3, 2), "n": torch.tensor(3)}, buffer, _use_new_zipfile_serialization=is_zip)
        seeds.append(buffer.getvalue())
    return seeds


def _read_checkpoint(path: Path) -> None:
    read_model_section(read_checkpoint(path), path)


def _recipes() -> list[bytes]:
    seeds = [path.read_bytes() for path in sorted((ROOT / "configs").glob("*.yaml"))]
    return [
        *seeds,
        b"training:\n  epochs: 3\n",
        b"model: {filters: [8, 16], head: &a [1]}\ndata: *a\n",
        b"%YAML 1.2\n---\n",
    ]


def _config_reader(name: str, read: Callable[[Path], Any]) -> Reader:
    sound = (FILES / name).read_bytes()
    return Reader(read, lambda: [_member(sound, "config.json")], _with_member(sound, "config.json"), is_json=True)


def _legacy_config_reader(name: str) -> Reader:
    """The config in the attributes of an .h5 file, up to a loaded model."""
    with h5py.File(FILES / name) as file:
        config = file.attrs["model_config"]

    def place(path: Path, data: bytes) -> Path:
        shutil.copy(FILES / name, path)
        with h5py.File(path, "r+") as file:
            file.attrs["model_config"] = np.void(data) if b"\0" in data else data or b" "
        return path

    seed = config if isinstance(config, bytes) else config.encode()
    return Reader(load_model, lambda: [seed], place, is_json=True)


def _checkpoint_config_reader() -> Reader:
    """The config in a checkpoint, up to a loaded model."""
    with zipfile.ZipFile(FILES / "k3_branched.keras") as archive:
        config = archive.read("config.json")
    model = load_model(FILES / "k3_branched.keras")
    state = {name: value.detach() for name, value in model.state_dict().items()}

    def place(path: Path, data: bytes) -> Path:
        section = model_section(model_config={"x": 0})
        section["model_config"] = data.decode("utf-8", "replace")
        write_checkpoint(path, {"state_dict": state, "scene_lightning": section})
        return path

    return Reader(load_model, lambda: [config], place, is_json=True)


def _checkpoint_reader() -> Reader:
    sound = _checkpoint()
    return Reader(_read_checkpoint, lambda: [_member(sound, "data.pkl")], _with_member(sound, "data.pkl"))


BUNDLE, METADATA = "k2_sequential_saved_model", "keras_metadata.pb"
READERS: dict[str, Callable[[], Reader]] = {
    "image": lambda: Reader(_decode, _images),
    "image_size": lambda: Reader(lambda path: image_size(str(path)), _images),
    "recipe": lambda: Reader(load_recipe, _recipes),
    "kind": lambda: Reader(sniff, _fixtures("*.keras", "k3_sequential.h5")),
    "keras": lambda: Reader(read_keras, _fixtures("*.keras")),
    "keras_config": lambda: _config_reader("k3_branched.keras", read_keras),
    "keras2_config": lambda: _config_reader("k2_branched.keras", read_keras),
    "keras_model": lambda: _config_reader("k3_sequential.keras", load_model),
    "keras_graph": lambda: _config_reader("k3_branched.keras", load_model),
    "keras2_graph": lambda: _config_reader("k2_branched.keras", load_model),
    "legacy_h5_graph": lambda: _legacy_config_reader("k2_branched.h5"),
    "legacy_h5_model": lambda: _legacy_config_reader("k2_legacy_adam.h5"),
    "checkpoint_graph": _checkpoint_config_reader,
    "legacy_h5": lambda: Reader(read_legacy_h5, _fixtures("k2_*.h5", "k3_sequential.h5", "k3_branched.h5")),
    "weights_h5": lambda: Reader(read_weights_h5, _fixtures("*.weights.h5")),
    "checkpoint": lambda: Reader(_read_checkpoint, lambda: [_checkpoint()]),
    "checkpoint_pickle": _checkpoint_reader,
    "state_dict": lambda: Reader(lambda path: read_state(path.rename(path.with_suffix(".pth"))), _state_dicts),
    "safetensors": lambda: Reader(read_tensors, _tensors),
    "saved_model_index": lambda: _part("variables/variables.index"),
    "saved_model_data": lambda: _part("variables/variables.data-00000-of-00001"),
    "saved_model_metadata": lambda: _part(METADATA),
}


def _part(part: str) -> Reader:
    return Reader(read_saved_model_dir, _fixtures(f"{BUNDLE}/{part}"), _in_folder(BUNDLE, part))


def mutated_json(data: bytes, max_size: int, seed: int) -> bytes:
    """A JSON text with one to three values replaced, dropped or doubled; of other bytes, libFuzzer's mutation."""
    rng = random.Random(seed)
    if rng.random() < 0.2:
        return bytes(atheris.Mutate(data, max_size))
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return bytes(atheris.Mutate(data, max_size))
    for _ in range(rng.randrange(1, 4)):
        value = _mutated(value, rng)
    return json.dumps(value).encode()[:max_size]


def _mutated(value: Any, rng: random.Random) -> Any:
    if rng.random() < 0.1 or not isinstance(value, dict | list) or not value:
        return rng.choice(VALUES)
    places = list(value) if isinstance(value, dict) else range(len(value))
    at = rng.choice(places)
    other = value.copy()
    if rng.random() < 0.1:
        del other[at]
    elif rng.random() < 0.1:
        other[at] = value[rng.choice(places)]
    else:
        other[at] = _mutated(value[at], rng)
    return other


class Trial:
    """Runs one reader on one input after the other, and keeps what it finds.

    Args:
        reader: what is tried.
        folder: where findings go.
        count: the end of the run, in inputs.
    """

    def __init__(self, reader: Reader, folder: Path, count: int) -> None:
        self.reader, self.folder, self.end = reader, folder, count
        (folder / "count").write_bytes(bytes(8))
        with open(folder / "count", "r+b") as file:
            self.counter = mmap.mmap(file.fileno(), 8)
        self.done = 0

    def one(self, data: bytes) -> None:
        """Read one input."""
        if self.done >= self.end:
            return
        path = self.folder / "input"
        path.write_bytes(data)
        if self.reader.place is not None:
            path = self.reader.place(self.folder / "made", data)
        before = time.process_time()
        try:
            self.reader.read(path)
        except SceneLightningError as error:
            if isinstance(error.__cause__, MemoryError):
                self.keep(error.__cause__, data)
        except Exception as error:
            self.keep(error, data)
        if time.process_time() - before > SECONDS:
            self.keep(TimeoutError(f"{time.process_time() - before:.0f} s of processor time"), data)
        self.done += 1
        self.counter[:] = struct.pack("<Q", self.done)

    def keep(self, error: BaseException, data: bytes) -> None:
        """Write an input, the first of its kind: the type of the error and the line that raised it."""
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "scene_lightning" in frame.filename]
        where = f"{Path(frames[-1].filename).name}-{frames[-1].lineno}" if frames else "nowhere"
        file = self.folder / f"found-{type(error).__name__}-{where}"
        if not file.exists():
            file.write_bytes(data)
            text = "".join(traceback.format_exception(error))[-3000:]
            file.with_name(f"{file.name}.txt").write_text(text, encoding="utf-8", errors="backslashreplace")


def main() -> None:
    """The run that the command line names."""
    name, count, seed, folder = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
    warnings.simplefilter("ignore")
    logging.disable(logging.ERROR)
    torch.set_num_threads(1)
    reader = READERS[name]()
    corpus = folder / "corpus"
    corpus.mkdir(exist_ok=True)
    for number, data in enumerate(reader.seeds()):
        (corpus / f"seed{number}").write_bytes(data)
    trial = Trial(reader, folder, count)
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
    options = [
        f"-runs={count}",
        f"-seed={seed}",
        "-rss_limit_mb=0",
        f"-timeout={HANG}",
        "-max_len=65536",
        "-len_control=0",
    ]
    options += ["-detect_leaks=0", "-print_final_stats=0", "-verbosity=0", f"-artifact_prefix={folder}/"]
    mutate = {"custom_mutator": mutated_json} if reader.is_json else {}
    atheris.Setup([sys.argv[0], *options, str(corpus)], trial.one, **mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
