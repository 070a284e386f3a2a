"""Shards are tar files that others read, and give the tables and pixels of the folder that they were made of."""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import tarfile
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scene_lightning.cli import main as cli
from scene_lightning.data import shard_writer
from scene_lightning.data.cache import cache_images, files_key
from scene_lightning.data.copies import file_digest, find_copies
from scene_lightning.data.decode import DecodeSpec, decode_image, open_as_seen
from scene_lightning.data.image_files import header_size
from scene_lightning.data.overlay import read_overlay
from scene_lightning.data.scan import find_splits, find_training_images
from scene_lightning.data.shard_writer import shard
from scene_lightning.data.shards import INDEX, read_shards
from scene_lightning.data.table import ImageTable
from scene_lightning.errors import DataError

SIZE = 40_000  # bytes a tar file: several of them


def draw(folder: Path, seed: int, count: int = 7) -> None:
    random = np.random.default_rng(seed)
    for name in ("forest", "sea"):
        (folder / name / "deeper").mkdir(parents=True)
        for number in range(count):
            pixels = random.integers(0, 256, (20 + number, 30, 3), dtype=np.uint8)
            place = folder / name / ("deeper" if number % 3 == 0 else "") / f"{number}.{'png' if number % 2 else 'JPG'}"
            exif = Image.Exif()
            exif[0x0112] = 6 if number == 2 else 1  # stored sideways
            Image.fromarray(pixels).save(place, "PNG" if number % 2 else "JPEG", exif=exif)
    shutil.copy(folder / "sea" / "2.JPG", folder / "sea" / "twin.jpg")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    draw(folder / "seg_train", 1)
    draw(folder / "seg_test", 2, 4)
    return folder


@pytest.fixture
def shards(data: Path, tmp_path: Path) -> Path:
    written = shard(str(data), str(tmp_path / "shards"), size_bytes=SIZE)
    assert written.images == (15, 9) and written.tars > 2 and written.kept == 0
    return tmp_path / "shards"


def relative(table: ImageTable) -> list[str]:
    return [os.path.relpath(path, table.root) for path in table.paths]


def assert_same(one: ImageTable, other: ImageTable) -> None:
    assert relative(one) == relative(other)
    assert one.labels.tolist() == other.labels.tolist() and one.class_names == other.class_names
    assert [file_digest(path) for path in one.paths] == [file_digest(path) for path in other.paths]
    assert find_copies(one.paths) == find_copies(other.paths)


def test_the_tables_and_pixels_are_the_folders(data, shards) -> None:
    for folder, table in zip(vars(find_splits(str(data))).values(), read_shards(shards), strict=True):
        assert_same(folder, table)
        for file, member in zip(folder.paths, table.paths, strict=True):
            assert header_size(file) == header_size(member)
            assert np.array_equal(np.asarray(open_as_seen(file)), np.asarray(open_as_seen(member)))
            for fit in ("stretch", "crop", "pad"):
                spec = DecodeSpec.as_seen((16, 24), "rgb", "bilinear", fit)
                assert np.array_equal(decode_image(file, spec), decode_image(member, spec))
    assert_same(find_training_images(str(data)), find_training_images(str(shards)))


def test_the_split_of_undivided_data_is_the_folders(data, tmp_path) -> None:
    """With copies on one side, groups together, and labels corrected when the shards are read."""
    shard(str(data / "seg_train"), str(tmp_path / "shards"), size_bytes=SIZE)
    digest = file_digest(str(data / "seg_train" / "forest" / "1.png"))
    (tmp_path / "labels.csv").write_text(f"hash,action,label\n{digest:016x},relabel,sea\n")
    for options in ({}, {"group_by": r"deeper/(\d)"}):
        folder, sharded = (
            find_splits(str(root), 0.3, 5, read_overlay(tmp_path / "labels.csv"), **options)
            for root in (data / "seg_train", tmp_path / "shards")
        )
        assert_same(folder.train, sharded.train)
        assert_same(folder.validation, sharded.validation)


def test_an_overlay_is_written_into_the_shards(data, tmp_path, capsys) -> None:
    digests = [file_digest(str(data / "seg_train" / "forest" / name)) for name in ("1.png", "4.JPG")]
    (tmp_path / "labels.csv").write_text(f"hash,action,label\n{digests[0]:016x},relabel,sea\n{digests[1]:016x},drop,\n")
    words = ["shard", str(data), str(tmp_path / "shards"), "--overlay", str(tmp_path / "labels.csv")]
    assert cli.run(words) == 0
    assert "1 relabelled, 1 left out" in capsys.readouterr().out
    folder = find_splits(str(data), overlay=read_overlay(tmp_path / "labels.csv"))
    assert_same(folder.train, find_splits(str(tmp_path / "shards")).train)


def test_others_read_the_tar_files(data, shards) -> None:
    """By WebDataset's rule: members that follow each other and are called alike up to the first dot are a sample."""
    seen = set()
    for half, name in (("seg_train", "train"), ("seg_test", "val")):
        for path in sorted(shards.glob(f"{name}-*.tar")):
            samples: dict[str, dict[str, bytes]] = defaultdict(dict)
            keys = []
            with tarfile.open(path) as tar:
                for member in tar:
                    key, _, ending = member.name.partition(".")
                    keys.append(key)
                    assert member.isfile() and ending not in samples[key]
                    samples[key][ending] = tar.extractfile(member).read()  # type: ignore[union-attr]
            assert keys == sorted(keys) and path.stat().st_size <= SIZE
            for sample in samples.values():
                about = json.loads(sample.pop("json"))
                assert int(sample.pop("cls")) == about["label"] == ["forest", "sea"].index(about["class"])
                ((ending, content),) = sample.items()
                assert content == (data / half / about["path"]).read_bytes()
                assert about["path"].lower().endswith(ending) and ending in ("jpg", "png")
                Image.open(io.BytesIO(content)).load()
                seen.add((half, about["path"]))
    assert len(seen) == 15 + 9


def test_the_webdataset_package_reads_them(data, shards) -> None:
    webdataset = pytest.importorskip("webdataset")
    tars = sorted(map(str, shards.glob("train-*.tar")))
    samples = list(webdataset.WebDataset(tars, shardshuffle=False).decode("rgb8"))
    assert len(samples) == 15
    for sample in samples:
        (pixels,) = (sample[ending] for ending in ("jpg", "png") if ending in sample)
        file = Image.open(data / "seg_train" / sample["json"]["path"]).convert("RGB")
        assert np.array_equal(pixels, np.asarray(file)) and sample["cls"] == sample["json"]["label"]


def test_the_same_images_make_the_same_files(data, shards, tmp_path) -> None:
    shard(str(data), str(tmp_path / "again"), size_bytes=SIZE)
    shard(str(shards), str(tmp_path / "of shards"), size_bytes=SIZE)
    for other in ("again", "of shards"):
        assert {file.name: file.read_bytes() for file in (tmp_path / other).iterdir()} == {
            file.name: file.read_bytes() for file in shards.iterdir()
        }
    shard(str(data), str(tmp_path / "seed"), size_bytes=SIZE, seed=1)
    assert (tmp_path / "seed" / "train-000000.tar").read_bytes() != (shards / "train-000000.tar").read_bytes()


def test_a_path_in_a_tar_travels_to_another_process(shards) -> None:
    table = read_shards(shards)[0]
    again = pickle.loads(pickle.dumps(table.paths))
    assert again == table.paths and [one.read_bytes() for one in again] == [one.read_bytes() for one in table.paths]
    assert files_key(again, 0) == files_key(table.paths, 0) != files_key(list(map(str, table.paths)), 0)


# -- interruption ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "end", [KeyboardInterrupt, OSError(28, "No space left on device")], ids=["Ctrl-C", "full disk"]
)
def test_an_interrupted_shard_goes_on(end, data, shards, tmp_path, monkeypatch, capsys) -> None:
    out, own, count = tmp_path / "out", shard_writer._add_image, [0]

    def add_image(*words):
        count[0] += 1
        if count[0] == 12:
            raise end
        return own(*words)

    monkeypatch.setattr(shard_writer, "_add_image", add_image)
    assert cli.run(["shard", str(data), str(out), "--size", "40kB"]) == (130 if end is KeyboardInterrupt else 2)
    assert ("No space left" in capsys.readouterr().err) == (end is not KeyboardInterrupt)
    assert not (out / INDEX).exists() and not list(out.glob(".*.partial"))
    assert cli.run(["train", str(out), "--out", str(tmp_path / "run")]) == 2
    assert "was interrupted. Repeat its command" in capsys.readouterr().err
    (out / ".train-000001.tar.0123abcd.partial").write_bytes(b"of a killed process")
    complete = {path: path.stat().st_ino for path in out.glob("*.tar")}
    assert cli.run(["shard", str(data), str(out), "--size", "40kB"]) == 0
    assert f"{len(complete)} of the tar files were complete already" in capsys.readouterr().out
    assert complete == {path: path.stat().st_ino for path in complete}
    assert {file.name: file.read_bytes() for file in out.iterdir()} == {
        file.name: file.read_bytes() for file in shards.iterdir()
    }


def test_what_changed_meanwhile_is_written_anew(tmp_path, monkeypatch) -> None:
    draw(tmp_path / "data", 1)
    monkeypatch.setattr(shard_writer, "_write_index", lambda *words: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        shard(str(tmp_path / "data"), str(tmp_path / "out"), size_bytes=SIZE)
    monkeypatch.undo()
    (tmp_path / "data" / "sea" / "twin.jpg").write_bytes((tmp_path / "data" / "forest" / "1.png").read_bytes())
    written = shard(str(tmp_path / "data"), str(tmp_path / "out"), size_bytes=SIZE)
    assert written.kept < written.tars
    (table,) = read_shards(tmp_path / "out")
    files = [tmp_path / "data" / path for path in relative(table)]
    assert [path.read_bytes() for path in table.paths] == [file.read_bytes() for file in files]  # type: ignore[attr-defined]


# -- bad input ---------------------------------------------------------------------------------------------------------


def rewritten(shards: Path, line: int, change) -> None:
    lines = (shards / INDEX).read_text().splitlines()
    values = json.loads(lines[line])
    lines[line] = json.dumps(change(values) or values)
    (shards / INDEX).write_text("\n".join(lines) + "\n")


def cell(number: int, value: object):
    return lambda row: [*row[:number], value, *row[number + 1 :]]


BAD_ROWS = {
    "a tar that is not there": (cell(0, 99), "outside its tar"),
    "a tar of the other half": (cell(0, -1), "outside its tar"),
    "an offset before the file": (cell(1, -1), "outside its tar"),
    "an offset behind it": (cell(1, 10**12), "outside its tar"),
    "a size of gigabytes": (cell(2, 2**40), "outside its tar"),
    "a number that is none": (cell(1, "512"), "other values"),
    "true": (cell(0, True), "other values"),
    "an unknown class": (cell(3, 2), "no such class"),
    "no hash": (cell(4, "ward"), "invalid literal"),
    "a path upwards": (cell(5, "../../etc/passwd"), "leaves the folder"),
    "an absolute path": (cell(5, "/etc/passwd"), "leaves the folder"),
    "a row too short": (lambda row: row[:3], "not enough values"),
    "a mapping": (lambda row: {"py/object": "os.system"}, "not enough values"),
}


@pytest.mark.parametrize("name", BAD_ROWS)
def test_a_bad_row_is_one_clear_line(name, shards, tmp_path, capsys) -> None:
    change, message = BAD_ROWS[name]
    rewritten(shards, 1, change)
    assert cli.run(["train", str(shards), "--out", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and INDEX in error and message in error and "Make the shards again" in error
    assert not (tmp_path / "run").exists()


def header_of(**values: object):
    return lambda header: {**header, **values}


def test_a_bad_index_is_one_clear_line(shards) -> None:
    whole = (shards / INDEX).read_text()
    bad = {
        "not the beginning": ["", "[]\n", "{}\n", "\0\n", "[" * 100_000, whole.replace("train-0", "../train-0"),
                              whole.replace('"seg_train"', '".."'), whole.replace('"images": 15', '"images": -1')],
        "cut short": [whole[: whole.rindex("\n", 0, -1) + 1], whole.replace('"images": 9', '"images": 999999999999')],
        "more rows": [whole + whole.splitlines()[-1]],
        "its format is 2": [whole.replace('"format": 1', '"format": 2')],
        "is damaged": [whole[:-9]],
    }  # fmt: skip
    for message, texts in bad.items():
        for text in texts:
            (shards / INDEX).write_text(text)
            with pytest.raises(DataError, match=message):
                read_shards(shards)
    (shards / INDEX).write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="not the beginning of an index"):
        read_shards(shards)


def test_a_tar_that_is_missing_or_truncated_is_one_clear_line(shards) -> None:
    tar = shards / "val-000000.tar"
    content = tar.read_bytes()
    tar.write_bytes(content[:-1000])
    with pytest.raises(DataError, match=r"val-000000.tar' is truncated or was changed: it has .* and was written with"):
        read_shards(shards)
    tar.unlink()
    with pytest.raises(DataError, match=r"val-000000.tar' is missing"):
        read_shards(shards)
    os.mkfifo(tar)
    with pytest.raises(DataError, match="not a regular file"):
        read_shards(shards)


def test_an_altered_image_is_named_and_left_out(shards) -> None:
    table = read_shards(shards)[0]
    member = table.paths[3]
    content = bytearray(Path(member.tar).read_bytes())  # type: ignore[attr-defined]
    content[member.offset + 100] ^= 1  # type: ignore[attr-defined]
    Path(member.tar).write_bytes(content)  # type: ignore[attr-defined]
    spec = DecodeSpec.as_seen((16, 16), "rgb", "bilinear")
    (unreadable,) = cache_images(table, spec, "off").unreadable
    assert unreadable.path == member and "is damaged or was changed, at byte" in unreadable.reason
    with pytest.raises(DataError, match=r"Cannot read image .*damaged or was changed"):
        cache_images(table, spec, "ram", strict=True)
    Path(member.tar).unlink()  # type: ignore[attr-defined]
    with pytest.raises(DataError, match="has gone"):
        decode_image(member, spec)


def test_places_that_shard_does_not_write_to(data, shards, tmp_path, capsys) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("years")
    (tmp_path / "file").write_text("")
    for out, message in (
        (data / "shards", "lies in the data folder"),
        (shards, "holds shards already"),
        (tmp_path / "full", "not empty: it holds 'thesis.tex'"),
        (tmp_path / "file", "is a file"),
    ):
        assert cli.run(["shard", str(data), str(out)]) == 2
        assert message in capsys.readouterr().err
    assert os.listdir(tmp_path / "full") == ["thesis.tex"]
    for words, message in (
        (["shard", str(data), str(tmp_path / "new"), "--size", "12 apples"], "--size: expected a size"),
        (["shard", str(tmp_path / "none"), str(tmp_path / "new")], "No folder"),
        (["check", str(shards)], "holds shards. Check the folder"),
    ):
        assert cli.run(words) == 2
        assert message in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_stats_and_evaluate_read_shards(data, shards, capsys) -> None:
    assert cli.run(["stats", str(data), "--json"]) == 0
    folder = json.loads(capsys.readouterr().out)
    assert cli.run(["stats", str(shards), "--json"]) == 0
    sharded = json.loads(capsys.readouterr().out)
    for half in ("seg_train", "seg_test"):
        assert sharded["splits"][half]["classes"] == folder["splits"][half]["classes"]
