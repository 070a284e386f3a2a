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
from collections.abc import Callable, Iterator
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


def _damaged(data: bytes, chance: random.Random) -> bytes:
    """A truncation, some flipped bytes, a run of zeros or ones, or a piece doubled."""
    out = bytearray(data)
    kind = chance.randrange(5)
    at = chance.randrange(len(out))
    if kind == 0:
        return bytes(out[:at])
    if kind == 1:
        for _ in range(chance.randrange(1, 20)):
            out[chance.randrange(len(out))] = chance.randrange(256)
    elif kind == 2:
        out[at : at + 8] = bytes([chance.choice([0, 0xFF, 0x7F])]) * 8
    elif kind == 3:
        out[at:at] = out[at : at + chance.randrange(1, 64)]
    else:
        out[chance.randrange(min(2048, len(out)))] ^= 1 << chance.randrange(8)  # headers lie in front
    return bytes(out)


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
    chance = random.Random(name)
    path = tmp_path / name
    refused = 0
    with _memory_limit(500):
        for _ in range(ROUNDS):
            path.write_bytes(_damaged(data, chance))
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
    chance = random.Random(1)
    with zipfile.ZipFile(FIXTURES / "k3_branched.keras") as members:
        sound = {name: members.read(name) for name in members.namelist()}
    path = tmp_path / "m.keras"
    refused = 0
    for name in ("config.json", "model.weights.h5", "metadata.json"):
        for _ in range(ROUNDS // 2):
            with zipfile.ZipFile(path, "w") as out:
                for member, data in sound.items():
                    out.writestr(member, _damaged(data, chance) if member == name else data)
            refused += _is_refused(read_keras, path)
    assert refused >= ROUNDS // 2


def _mutated(value: Any, chance: random.Random) -> Any:
    """One place of a config replaced by something of another type."""
    if chance.random() < 0.15 or not isinstance(value, dict | list) or not value:
        return chance.choice([None, -1, 1e308, "x", [], {}, [[]], {"class_name": 3}, True, ["a", 0, 0], [["a", -1, 0]]])
    if isinstance(value, dict):
        key = chance.choice(list(value))
        return {**value, key: _mutated(value[key], chance)}
    at = chance.randrange(len(value))
    return [*value[:at], _mutated(value[at], chance), *value[at + 1 :]]


@pytest.mark.parametrize("name", ["k2_branched.keras", "k3_branched.keras"])
def test_mutated_configs(name: str, tmp_path: Path) -> None:
    chance = random.Random(name)
    with zipfile.ZipFile(FIXTURES / name) as members:
        sound = {member: members.read(member) for member in members.namelist()}
    config = json.loads(sound["config.json"])
    refused = 0
    for _ in range(ROUNDS):
        with zipfile.ZipFile(tmp_path / "m.keras", "w") as out:
            for member, data in sound.items():
                out.writestr(member, json.dumps(_mutated(config, chance)) if member == "config.json" else data)
        refused += _is_refused(read_keras, tmp_path / "m.keras")
    assert refused >= ROUNDS // 6


@pytest.mark.parametrize(
    "damaged", ["variables/variables.index", "variables/variables.data-00000-of-00001", "keras_metadata.pb"]
)
@pytest.mark.parametrize("name", ["k2_branched_saved_model", "k2_legacy_adam_saved_model"])
def test_damaged_saved_models(damaged: str, name: str, tmp_path: Path) -> None:
    chance = random.Random(damaged)
    folder = tmp_path / "m"
    shutil.copytree(FIXTURES / name, folder)
    data = (folder / damaged).read_bytes()
    refused = 0
    for _ in range(ROUNDS):
        (folder / damaged).write_bytes(_damaged(data, chance))
        refused += _is_refused(read_saved_model_dir, folder)
    assert refused >= ROUNDS // 6


def test_damaged_checkpoints(checkpoint: Path, tmp_path: Path) -> None:
    chance = random.Random(2)
    data = checkpoint.read_bytes()
    with zipfile.ZipFile(checkpoint) as members:
        sound = {name: members.read(name) for name in members.namelist()}
    refused = 0
    for number in range(ROUNDS):
        if number % 2:
            (tmp_path / "m.ckpt").write_bytes(_damaged(data, chance))
        else:
            with zipfile.ZipFile(tmp_path / "m.ckpt", "w") as out:
                for member, content in sound.items():
                    out.writestr(member, _damaged(content, chance) if member.endswith("data.pkl") else content)
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
    with pytest.raises(FileFormatError, match="objects"):
        read_checkpoint(tmp_path / "objects.ckpt")
    with pytest.raises(FileFormatError, match="list"):
        read_checkpoint(tmp_path / "list.ckpt")
    with pytest.raises(FileFormatError, match="another program"):
        read_model_section(read_checkpoint(tmp_path / "foreign.ckpt"))
    with pytest.raises(FileFormatError, match="No such file"):
        read_checkpoint(tmp_path / "none.ckpt")
    with pytest.raises(FileFormatError, match="Update"):
        read_model_section({"scene_lightning": {"format": 99}})


def _zip_with(path: Path, edit: Callable[[zipfile.ZipFile], None]) -> Path:
    with zipfile.ZipFile(FIXTURES / "k3_sequential.keras") as members, zipfile.ZipFile(path, "w") as out:
        for name in members.namelist():
            out.writestr(name, members.read(name))
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
    with pytest.raises(FileFormatError, match=r"config\.json"), zipfile.ZipFile(tmp_path / "n.keras", "w") as out:
        out.writestr("metadata.json", "{}")
        out.close()
        read_keras(tmp_path / "n.keras")


def test_deep_and_endless_json_is_refused(tmp_path: Path) -> None:
    for text in ("[" * 100_000, '{"a":' * 500 + "1" + "}" * 500, '{"class_name": 1}', "[]", "{", "1" * 6000, "\xff"):
        with zipfile.ZipFile(tmp_path / "m.keras", "w") as out:
            out.writestr("config.json", text)
            out.writestr("model.weights.h5", b"")
        with pytest.raises(FileFormatError):
            read_keras(tmp_path / "m.keras")


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
    uses = [found.start() for found in re.finditer(re.escape(heap), data)]
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
    config = {
        "class_name": "Sequential",
        "config": {"layers": [{"class_name": "Dense", "config": {"activation": inner}}]},
    }
    with pytest.raises(FileFormatError, match="code"):
        refuse_unsafe(config)
    refuse_unsafe({"class_name": "Sequential", "config": {"layers": []}})


def test_image_info_is_checked(tmp_path: Path) -> None:
    with zipfile.ZipFile(FIXTURES / "k3_sequential.keras") as members:
        sound = {name: members.read(name) for name in members.namelist()}
    for info in ({"class_names": 3}, {"input_size": [10**9, 1]}, {"rescale": "x"}, {"color_mode": 1}, []):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as out:
            for name, data in sound.items():
                ours = json.dumps({"scene_lightning": {"image_info": info}})
                out.writestr(name, ours if name == "metadata.json" else data)
        (tmp_path / "m.keras").write_bytes(buffer.getvalue())
        with pytest.raises(FileFormatError, match="image_info"):
            read_keras(tmp_path / "m.keras")


def test_a_zip_header_that_lies_about_sizes(tmp_path: Path) -> None:
    data = bytearray((FIXTURES / "k3_sequential.keras").read_bytes())
    at = data.index(b"PK\x01\x02")
    for offset in (20, 24):  # compressed and real size in the central directory
        edited = bytearray(data)
        edited[at + offset : at + offset + 4] = struct.pack("<I", 0xFFFFFFF0)
        (tmp_path / "m.keras").write_bytes(edited)
        with pytest.raises(FileFormatError):
            read_keras(tmp_path / "m.keras")
