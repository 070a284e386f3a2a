"""Damaged and hostile files of every format: one clear FileFormatError or success, never another exception, quickly."""

from __future__ import annotations

import io
import json
import random
import re
import resource
import shutil
import struct
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scene_lightning.errors import FileFormatError
from scene_lightning.saving import (
    read_keras,
    read_legacy_h5,
    read_saved_model_dir,
    read_weights_h5,
    refuse_unsafe,
    sniff,
)
from scene_lightning.saving._hdf5 import SafeFile
from scene_lightning.saving.checkpoint import model_section, read_checkpoint, read_model_section, write_checkpoint

FIXTURES = Path(__file__).parent.parent / "fixtures" / "keras_files"
ROUNDS = 60


def _is_refused(read: Callable[[Path], Any], path: Path) -> bool:
    """Whether it is refused in the one proper way; any other error is raised."""
    try:
        read(path)
    except FileFormatError as error:
        assert 0 < len(str(error)) < 1500 and not isinstance(error.__cause__, MemoryError)
        return True
    return False


@contextmanager
def _memory_limit(mib: int) -> Iterator[None]:
    """Allocations that take this process more than `mib` beyond what it has now raise MemoryError."""
    if not Path("/proc/self/statm").exists():
        yield
        return
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (now + mib * 2**20, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _damaged(data: bytes, rng: random.Random) -> bytes:
    """A truncation, some flipped bytes, a run of zeros or ones, or a piece doubled."""
    out = bytearray(data)
    kind = rng.randrange(5)
    at = rng.randrange(len(out))
    if kind == 0:
        return bytes(out[:at])
    if kind == 1:
        for _ in range(rng.randrange(1, 20)):
            out[rng.randrange(len(out))] = rng.randrange(256)
    elif kind == 2:
        out[at : at + 8] = bytes([rng.choice([0, 0xFF, 0x7F])]) * 8
    elif kind == 3:
        out[at:at] = out[at : at + rng.randrange(1, 64)]
    else:
        out[rng.randrange(min(2048, len(out)))] ^= 1 << rng.randrange(8)  # headers lie in front
    return bytes(out)


def _members(path: Path) -> dict[str, bytes]:
    """What a zip file holds, by name."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _write_zip(path: Path, members: Mapping[str, bytes | str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ckpt") / "m.ckpt"
    section = model_section(model_config={"class_name": "Sequential", "config": {}}, image_info={"input_size": [8, 8]})
    write_checkpoint(path, {"state_dict": {"w": torch.ones(3, 2)}, "epoch": 1, "scene_lightning": section})
    return path


@pytest.mark.parametrize(
    ("read", "name"),
    [
        (read_keras, "k3_sequential.keras"),
        (read_keras, "k2_branched.keras"),
        (read_weights_h5, "k3_sequential.weights.h5"),
        (read_legacy_h5, "k2_branched.h5"),
        (read_legacy_h5, "k3_sequential.h5"),
    ],
)
def test_damaged_keras_files(read: Callable[[Path], Any], name: str, tmp_path: Path) -> None:
    data = (FIXTURES / name).read_bytes()
    rng = random.Random(name)
    path = tmp_path / name
    refused = 0
    with _memory_limit(500):
        for _ in range(ROUNDS):
            path.write_bytes(_damaged(data, rng))
            refused += _is_refused(read, path)
            _is_refused(sniff, path)
    assert refused >= ROUNDS // 3
    path.write_bytes(data)
    assert not _is_refused(read, path) and not _is_refused(sniff, path)


def test_the_limit_of_memory_is_one() -> None:
    with _memory_limit(100), pytest.raises(MemoryError):
        bytearray(400 * 2**20)


def test_damaged_weights_inside_a_sound_zip(tmp_path: Path) -> None:
    """Byte flips in the whole file mostly stop at the zip's checksums; here the members are edited behind them."""
    rng = random.Random(1)
    sound = _members(FIXTURES / "k3_branched.keras")
    refused = 0
    for name in ("config.json", "model.weights.h5", "metadata.json"):
        for _ in range(ROUNDS // 2):
            members = {**sound, name: _damaged(sound[name], rng)}
            refused += _is_refused(read_keras, _write_zip(tmp_path / "m.keras", members))
    assert refused >= ROUNDS // 2


def _mutated(value: Any, rng: random.Random) -> Any:
    """One place of a config replaced by something of another type."""
    if rng.random() < 0.15 or not isinstance(value, dict | list) or not value:
        return rng.choice([None, -1, 1e308, "x", [], {}, [[]], {"class_name": 3}, True, ["a", 0, 0], [["a", -1, 0]]])
    if isinstance(value, dict):
        key = rng.choice(list(value))
        return {**value, key: _mutated(value[key], rng)}
    at = rng.randrange(len(value))
    return [*value[:at], _mutated(value[at], rng), *value[at + 1 :]]


@pytest.mark.parametrize("name", ["k2_branched.keras", "k3_branched.keras"])
def test_mutated_configs(name: str, tmp_path: Path) -> None:
    rng = random.Random(name)
    sound = _members(FIXTURES / name)
    config = json.loads(sound["config.json"])
    refused = 0
    for _ in range(ROUNDS):
        members = {**sound, "config.json": json.dumps(_mutated(config, rng))}
        refused += _is_refused(read_keras, _write_zip(tmp_path / "m.keras", members))
    assert refused >= ROUNDS // 6


@pytest.mark.parametrize(
    "damaged", ["variables/variables.index", "variables/variables.data-00000-of-00001", "keras_metadata.pb"]
)
@pytest.mark.parametrize("name", ["k2_branched_saved_model", "k2_legacy_adam_saved_model"])
def test_damaged_saved_models(damaged: str, name: str, tmp_path: Path) -> None:
    rng = random.Random(damaged)
    folder = tmp_path / "m"
    shutil.copytree(FIXTURES / name, folder)
    data = (folder / damaged).read_bytes()
    refused = 0
    for _ in range(ROUNDS):
        (folder / damaged).write_bytes(_damaged(data, rng))
        refused += _is_refused(read_saved_model_dir, folder)
    assert refused >= ROUNDS // 6


def test_damaged_checkpoints(checkpoint: Path, tmp_path: Path) -> None:
    rng = random.Random(2)
    data = checkpoint.read_bytes()
    sound = _members(checkpoint)
    pickled = next(name for name in sound if name.endswith("data.pkl"))
    refused = 0
    for number in range(ROUNDS):
        if number % 2:
            (tmp_path / "m.ckpt").write_bytes(_damaged(data, rng))
        else:
            _write_zip(tmp_path / "m.ckpt", {**sound, pickled: _damaged(sound[pickled], rng)})
        refused += _is_refused(lambda path: read_model_section(read_checkpoint(path), path), tmp_path / "m.ckpt")
    assert refused >= ROUNDS // 2


def test_checkpoint_round_trip_and_refusals(checkpoint: Path, tmp_path: Path) -> None:
    read = read_checkpoint(checkpoint)
    assert torch.equal(read["state_dict"]["w"], torch.ones(3, 2))
    section = read_model_section(read, checkpoint)
    assert section["model_config"]["class_name"] == "Sequential" and section["image_info"] == {"input_size": [8, 8]}
    torch.save({"state_dict": {}, "model": Path("x")}, tmp_path / "objects.ckpt")
    torch.save([1], tmp_path / "list.ckpt")
    torch.save({"state_dict": {}}, tmp_path / "foreign.ckpt")
    refusals = {"objects": "objects", "list": "list", "foreign": "another program", "none": "No such file"}
    for name, message in refusals.items():
        with pytest.raises(FileFormatError, match=message):
            read_model_section(read_checkpoint(tmp_path / f"{name}.ckpt"))
    with pytest.raises(FileFormatError, match="Update"):
        read_model_section({"scene_lightning": {"format": 99}})


def _zip_with(path: Path, edit: Callable[[zipfile.ZipFile], None]) -> Path:
    with zipfile.ZipFile(_write_zip(path, _members(FIXTURES / "k3_sequential.keras")), "a") as out:
        edit(out)
    return path


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_hostile_zips_are_refused(tmp_path: Path) -> None:
    for name in ("../evil", "/etc/evil", "a/../../evil", "C:evil", "assets\\..\\evil"):
        with pytest.raises(FileFormatError, match="leaves its folder"):
            read_keras(_zip_with(tmp_path / "m.keras", lambda out, name=name: out.writestr(name, "x")))  # type: ignore[misc]
    with pytest.raises(FileFormatError, match="twice"):
        read_keras(_zip_with(tmp_path / "m.keras", lambda out: out.writestr("config.json", "{}")))
    bomb = zipfile.ZipInfo("assets/bomb")
    bomb.compress_type = zipfile.ZIP_DEFLATED
    with pytest.raises(FileFormatError, match="bomb"):
        read_keras(_zip_with(tmp_path / "m.keras", lambda out: out.writestr(bomb, bytes(50 * 2**20))))
    data = bytearray((FIXTURES / "k3_sequential.keras").read_bytes())
    at = data.index(b"PK\x01\x02")
    data[at + 8] |= 1  # the encryption flag of the first member
    (tmp_path / "m.keras").write_bytes(data)
    with pytest.raises(FileFormatError, match="encrypted"):
        read_keras(tmp_path / "m.keras")
    with pytest.raises(FileFormatError, match=r"config\.json"):
        read_keras(_write_zip(tmp_path / "n.keras", {"metadata.json": "{}"}))


def test_deep_and_endless_json_is_refused(tmp_path: Path) -> None:
    for text in ("[" * 100_000, '{"a":' * 500 + "1" + "}" * 500, '{"class_name": 1}', "[]", "{", "1" * 6000, "\xff"):
        path = _write_zip(tmp_path / "m.keras", {"config.json": text, "model.weights.h5": b""})
        with pytest.raises(FileFormatError):
            read_keras(path)


def _h5_with(path: Path, edit: Callable[[h5py.Group], None]) -> Path:
    with h5py.File(path, "w") as file:
        edit(file.create_group("layers/dense/vars"))
    return path


def test_hostile_hdf5_is_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["x"] = np.ones(3)

    def soft(group: h5py.Group) -> None:
        group["1"] = np.ones(2)
        group["0"] = h5py.SoftLink("/layers/dense/vars/1")

    def external(group: h5py.Group) -> None:
        group["0"] = h5py.ExternalLink(str(secret), "x")

    def external_data(group: h5py.Group) -> None:
        group.create_dataset("0", (3,), "f8", external=[(str(secret), 0, 24)])

    def virtual(group: h5py.Group) -> None:
        layout = h5py.VirtualLayout((3,), "f8")
        layout[:] = h5py.VirtualSource(str(secret), "x", (3,))
        group.create_virtual_dataset("0", layout)

    def shape_bomb(group: h5py.Group) -> None:
        group.create_dataset("0", (2**40,), "f8", chunks=(1024,), compression="gzip")

    def never_stored(group: h5py.Group) -> None:
        group.create_dataset("0", (2**32,), "f8")

    def packed_bomb(group: h5py.Group) -> None:
        group.create_dataset("0", data=np.zeros(2**24, "u1"), chunks=(2**24,), compression="gzip")

    def objects(group: h5py.Group) -> None:
        group["0"] = np.array(["a", "b"], dtype=object)

    def cycle(group: h5py.Group) -> None:
        group.parent["again"] = group.parent

    def gap(group: h5py.Group) -> None:
        group["0"] = np.ones(2)
        group["2"] = np.ones(2)

    for edit in (soft, external, external_data, virtual, shape_bomb, never_stored, packed_bomb, objects, cycle, gap):
        with pytest.raises(FileFormatError):
            read_weights_h5(_h5_with(tmp_path / f"{edit.__name__}.h5", edit))


def test_a_text_heap_that_never_ends_is_refused_before_the_library_follows_it(tmp_path: Path) -> None:
    data = bytearray((FIXTURES / "k3_sequential.h5").read_bytes())
    at = data.index(b"GCOL\x01") + 16
    data[at : at + 2] = bytes(2)  # free space …
    data[at + 8 : at + 16] = bytes(8)  # … of no size
    (tmp_path / "m.h5").write_bytes(data)
    with pytest.raises(FileFormatError, match="heap"):
        read_legacy_h5(tmp_path / "m.h5")


@given(length=st.integers(301, 2**32 - 1), which=st.sampled_from(["model_config", "keras_version"]))
def test_a_text_that_declares_more_than_is_stored_is_refused_before_it_is_read(length: int, which: str) -> None:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.attrs["model_config"] = "x" * 300
        file.attrs["keras_version"] = "3.15.0"
    data = bytearray(buffer.getvalue())
    heap = data.index(b"GCOL\x01").to_bytes(8, "little")
    uses = [match.start() for match in re.finditer(re.escape(heap), data)]
    at = {int.from_bytes(data[use - 4 : use], "little"): use for use in uses}[300 if which == "model_config" else 6]
    SafeFile(bytes(data)).file.close()
    data[at - 4 : at] = length.to_bytes(4, "little")
    with pytest.raises(FileFormatError, match="more than are stored"):
        SafeFile(bytes(data))


def test_a_chunk_that_inflates_beyond_its_size_is_refused(tmp_path: Path) -> None:
    import zlib

    def edit(group: h5py.Group) -> None:
        data = group.create_dataset("0", (1024,), "u1", chunks=(1024,), compression="gzip")
        data.id.write_direct_chunk((0,), zlib.compress(bytes(64 * 2**20)))

    with pytest.raises(FileFormatError, match="bomb"):
        read_weights_h5(_h5_with(tmp_path / "m.h5", edit))


def test_gzip_packed_weights_are_read(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((64, 64)).astype("float32")
    path = _h5_with(
        tmp_path / "m.h5",
        lambda group: group.create_dataset("0", data=values, compression="gzip", shuffle=True) and None,
    )
    assert np.array_equal(read_weights_h5(path).weights.all_arrays()[0], values)


def test_bfloat16_is_read_as_float32(tmp_path: Path) -> None:
    def edit(group: h5py.Group) -> None:
        bits = (np.array([1.0, -2.5], "float32").view("uint32") >> 16).astype("uint16")
        group.create_dataset("0", data=bits.view("V2"))
        group["0"].attrs["dtype"] = "bfloat16"

    assert read_weights_h5(_h5_with(tmp_path / "m.h5", edit)).weights.all_arrays()[0].tolist() == [1.0, -2.5]


def test_saved_model_sizes_are_checked(tmp_path: Path) -> None:
    shutil.copytree(FIXTURES / "k2_sequential_saved_model", tmp_path / "m")
    index = tmp_path / "m/variables/variables.index"
    data = index.read_bytes()
    index.write_bytes(data[:-48] + b"\xff" * 9 + b"\x01" + bytes(30) + data[-8:])
    with pytest.raises(FileFormatError):
        read_saved_model_dir(tmp_path / "m")
    index.write_bytes(data)
    (tmp_path / "m/variables/variables.data-00000-of-00001").write_bytes(b"short")
    with pytest.raises(FileFormatError, match="incomplete"):
        read_saved_model_dir(tmp_path / "m")
    (tmp_path / "m/variables/variables.data-00000-of-00001").unlink()
    with pytest.raises(FileFormatError):
        read_saved_model_dir(tmp_path / "m")


def test_code_in_configs_is_refused() -> None:
    inner = {"class_name": "__lambda__", "config": {"name": "evil", "code": "4wEAAAA="}}
    layers = [{"class_name": "Dense", "config": {"activation": inner}}]
    with pytest.raises(FileFormatError, match="code"):
        refuse_unsafe({"class_name": "Sequential", "config": {"layers": layers}})
    refuse_unsafe({"class_name": "Sequential", "config": {"layers": []}})


def test_image_info_is_checked(tmp_path: Path) -> None:
    sound = _members(FIXTURES / "k3_sequential.keras")
    for info in ({"class_names": 3}, {"input_size": [10**9, 1]}, {"rescale": "x"}, {"color_mode": 1}, []):
        ours = json.dumps({"scene_lightning": {"image_info": info}})
        path = _write_zip(tmp_path / "m.keras", {**sound, "metadata.json": ours})
        with pytest.raises(FileFormatError, match="image_info"):
            read_keras(path)


def test_a_zip_header_that_lies_about_sizes(tmp_path: Path) -> None:
    data = bytearray((FIXTURES / "k3_sequential.keras").read_bytes())
    at = data.index(b"PK\x01\x02")
    for offset in (20, 24):  # compressed and real size in the central directory
        edited = bytearray(data)
        edited[at + offset : at + offset + 4] = struct.pack("<I", 0xFFFFFFF0)
        (tmp_path / "m.keras").write_bytes(edited)
        with pytest.raises(FileFormatError):
            read_keras(tmp_path / "m.keras")
