"""Corrections of labels by the images' content: what they change in tables, runs, evaluations and Keras' loaders."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import scene_lightning as keras
from scene_lightning.cli import main as cli
from scene_lightning.data.copies import file_digest
from scene_lightning.data.overlay import read_overlay
from scene_lightning.data.scan import find_splits, find_training_images, scan_folder
from scene_lightning.errors import DataError, InputError
from scene_lightning.feeds.folder import ImageFolderDataModule
from scene_lightning.inference.held_out import held_out_images
from scene_lightning.inference.predictor import Predictor, RunOn

TINY = [
    "filters=[4]", "dense=[]", "dropout=0", "input_size=[8, 8]", "data.augmentation=off", "epochs=1", "batch_size=8",
    "accelerator=cpu", "data.cache=ram",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SCENE_LIGHTNING_RUN_FOLDER", raising=False)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """{train,val}/{drop,forest,sea}: 6 and 3 images each; a class may be called as an action is."""
    random = np.random.default_rng(0)
    for split, count in (("train", 6), ("val", 3)):
        for name in ("drop", "forest", "sea"):
            (tmp_path / "data" / split / name).mkdir(parents=True)
            for number in range(count):
                pixels = random.integers(0, 256, (9, 9, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / "data" / split / name / f"{number}.png")
    return tmp_path / "data"


def digest(path: Path) -> str:
    return f"{file_digest(str(path)):016x}"


def write(path: Path, *rows: str) -> str:
    path.write_text("hash,action,label,split,path,note\n" + "".join(f"{row}\n" for row in rows))
    return str(path)


@pytest.fixture
def overlay(data: Path, tmp_path: Path) -> str:
    """Two relabelled (one to the class `drop`), two dropped, one kept, and one of an image that is nowhere."""
    train, val = data / "train", data / "val"
    return write(
        tmp_path / "labels.csv",
        f'{digest(train / "sea" / "0.png")},relabel,forest,,train/sea/0.png,"a wood, seen from the sea"',
        f"{digest(train / 'sea' / '1.png')},relabel,drop,,,",
        f"{digest(train / 'forest' / '2.png')},drop,,,,",
        f"{digest(val / 'sea' / '0.png')},drop,,,,",
        f"{digest(val / 'sea' / '1.png').upper()},keep,,,,",
        "0123456789abcdef,drop,,,,",
    )


# -- tables ------------------------------------------------------------------------------------------------------------


def test_labels_are_corrected_and_images_left_out(data: Path, overlay: str) -> None:
    before = {path: path.read_bytes() for path in data.rglob("*.png")}
    corrections = read_overlay(overlay)
    splits = find_splits(str(data), overlay=corrections)
    assert splits.train.counts() == {"drop": 7, "forest": 6, "sea": 4}
    assert splits.validation.counts() == {"drop": 3, "forest": 3, "sea": 2}
    label_of = {str(Path(path).relative_to(data)): splits.train.class_names[label]
                for path, label in zip(splits.train.paths, splits.train.labels, strict=True)}  # fmt: skip
    assert (label_of["train/sea/0.png"], label_of["train/sea/1.png"]) == ("forest", "drop")
    assert label_of["train/sea/2.png"] == "sea" and "train/forest/2.png" not in label_of
    assert corrections.in_words() == f"{overlay}: 2 relabelled, 2 left out, no image here for 1 of its 6 rows"
    assert before == {path: path.read_bytes() for path in data.rglob("*.png")}, "the images are never touched"


def test_an_image_is_known_wherever_it_lies_and_whatever_it_is_called(data: Path, overlay: str) -> None:
    shutil.move(data / "train" / "sea" / "0.png", data / "train" / "drop" / "another name.png")
    table = find_training_images(str(data), read_overlay(overlay))
    label = table.labels[table.paths.index(str(data / "train" / "drop" / "another name.png"))]
    assert table.class_names[label] == "forest"


def test_a_row_may_count_for_one_split_alone(data: Path, tmp_path: Path) -> None:
    leaked = data / "val" / "forest" / "0.png"
    shutil.copy(leaked, data / "train" / "forest" / "leaked.png")
    rows = [f"{digest(leaked)},drop,,train,,", f"{digest(leaked)},relabel,sea,,,"]
    splits = find_splits(str(data), overlay=read_overlay(write(tmp_path / "labels.csv", *rows)))
    assert len(splits.train) == 18 and splits.validation.counts() == {"drop": 3, "forest": 2, "sea": 4}


def test_class_folders_alone_are_corrected_before_they_are_split(data: Path, overlay: str) -> None:
    splits = find_splits(str(data / "train"), 0.5, overlay=read_overlay(overlay))
    assert len(splits.train) + len(splits.validation) == 17
    totals = {name: splits.train.counts()[name] + count for name, count in splits.validation.counts().items()}
    assert totals == {"drop": 7, "forest": 6, "sea": 4}


def test_removing_a_row_takes_it_back(data: Path, overlay: str, tmp_path: Path) -> None:
    empty = write(tmp_path / "none.csv")
    plain, corrected = find_splits(str(data)), find_splits(str(data), overlay=read_overlay(empty))
    assert plain.train.paths == corrected.train.paths and plain.train.labels.tolist() == corrected.train.labels.tolist()


def test_no_class_may_lose_its_last_image(data: Path, tmp_path: Path) -> None:
    rows = [f"{digest(path)},drop,,,," for path in (data / "val" / "sea").iterdir()]
    overlay = write(tmp_path / "labels.csv", *rows)
    with pytest.raises(DataError, match=r"No image of .*val' is left of class 'sea' after the corrections of .*labels"):
        find_splits(str(data), overlay=read_overlay(overlay))


HASH = "0123456789abcdef"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"line 1: the column 'hash' is missing"),
        ("hash;action\n", r"line 1: no column is called 'hash;action'.*commas between"),
        ("hash,acton\n", r"line 1: no column is called 'acton'.* Did you mean 'action'\?"),
        ("hash,label\n", r"line 1: the column 'action' is missing"),
        ("hash,action,hash\n", r"line 1: two columns are called 'hash'"),
        (f"hash,action\n{HASH}\n", r"line 2: 1 cells\. Expected 2"),
        (f"hash,action\n\n{HASH},drop,sea\n", r"line 3: 3 cells\. Expected 2"),
        ("hash,action\n1.23457E+15,drop\n", r"line 2: '1\.23457E\+15' is no hash.*spreadsheet"),
        (f"hash,action\n{HASH},delete\n", r"line 2: 'delete' is no action\. Expected relabel, drop, keep"),
        (f"hash,action,label\n{HASH},relabel,\n", r"line 2: relabel needs a label"),
        (f"hash,action\n{HASH},drop\n{HASH},keep\n", r"line 3: line 2 says something else of the same image"),
        (f'hash,action\n{HASH},"drop\n', r"line 2: unexpected end of data"),
    ],
)
def test_a_faulty_row_is_named_by_its_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        read_overlay(tmp_path / "labels.csv")


def test_an_unknown_class_is_named_by_its_line(data: Path, tmp_path: Path) -> None:
    overlay = write(tmp_path / "labels.csv", "", f"{HASH},relabel,forrest,,,")
    with pytest.raises(DataError, match=r"labels\.csv', line 3: no class 'forrest'\..* Did you mean 'forest'\?"):
        find_splits(str(data), overlay=read_overlay(overlay))


def test_what_is_no_overlay(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("")
    (tmp_path / "photo.png").write_bytes(b"\x89PNG\r\n\x1a\n\xff\xfe")
    with pytest.raises(DataError, match=r"No overlay '.*label\.csv'\. Did you mean 'labels\.csv'\?"):
        read_overlay(tmp_path / "label.csv")
    with pytest.raises(DataError, match=r"photo\.png' is no text in UTF-8"):
        read_overlay(tmp_path / "photo.png")
    with pytest.raises(DataError, match=r"Cannot read the overlay"):
        read_overlay(tmp_path)


def test_a_spreadsheets_byte_order_mark_and_line_ends(data: Path, tmp_path: Path) -> None:
    row = f"{digest(data / 'train' / 'sea' / '0.png')},drop"
    (tmp_path / "labels.csv").write_bytes(f"\ufeffhash,action\r\n{row}\r\n{row}\r\n".encode())
    assert len(find_training_images(str(data), read_overlay(tmp_path / "labels.csv"))) == 17


# -- train and evaluate ------------------------------------------------------------------------------------------------


def train(data: Path, out: Path, *more: str) -> int:
    settings = [word for setting in TINY for word in ("--set", setting)]
    return cli.run(["train", str(data), "--out", str(out), *settings, *more])


def test_a_run_trains_on_corrected_labels_and_keeps_them(
    data: Path, overlay: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assert train(data, run, "--overlay", overlay) == 0
    shown = capsys.readouterr().out
    assert "17 images to train on, 8 to validate on" in shown
    assert "2 relabelled, 2 left out, no image here for 1 of its 6 rows" in shown
    assert f"overlay: {overlay}" in (run / "recipe.yaml").read_text()
    assert (run / "labels.csv").read_text() == Path(overlay).read_text()
    assert json.loads((run / "evaluation.json").read_text())["images"] == 8

    Path(overlay).unlink()  # what the run kept suffices to go on, and to be repeated
    assert cli.run(["rerun", str(run), "--out", str(tmp_path / "again")]) == 0
    assert f"the same numbers as {run}" in capsys.readouterr().out
    assert cli.run(["train", str(data), "--resume", str(run / "last.ckpt"), "--epochs", "2"]) == 0
    assert "17 images to train on" in capsys.readouterr().out
    write(Path(overlay), f"{HASH},drop,,,,")
    assert cli.run(["train", str(data), "--resume", str(run), "--epochs", "3"]) == 2
    assert "holds others now. Go on with --overlay" in capsys.readouterr().err


def test_folds_and_recipes_read_it(
    data: Path, overlay: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(data, tmp_path / "run", "--set", f"overlay={overlay}", "--folds", "2") == 0
    assert "17 images in 2 folds" in capsys.readouterr().out
    assert (tmp_path / "run" / "labels.csv").read_text() == Path(overlay).read_text()


def test_a_faulty_overlay_is_told_before_anything_is_written(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    overlay = write(tmp_path / "labels.csv", f"{HASH},relabel,see,,,")
    assert train(data, tmp_path / "run", "--overlay", overlay) == 2
    assert "line 2: no class 'see'. Expected one of drop, forest, sea. Did you mean 'sea'?" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_evaluate_judges_by_corrected_labels(
    data: Path, overlay: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, wrong = tmp_path / "run", data / "val" / "forest" / "0.png"
    assert train(data, run) == 0
    capsys.readouterr()

    def evaluate(*more: str) -> dict:
        assert cli.run(["evaluate", str(run), str(data), "--json", *more]) == 0
        return json.loads(capsys.readouterr().out)

    matrix = np.array(evaluate()["confusion_matrix"])
    corrected = evaluate("--overlay", write(tmp_path / "one.csv", f"{digest(wrong)},relabel,sea,,,"))
    moved = np.array(corrected["confusion_matrix"]) - matrix
    assert moved.sum(axis=1).tolist() == [0, -1, 1] and abs(moved).sum() == 2
    assert corrected["overlay"].endswith("1 relabelled, 0 left out")
    for path in (data / "val" / "sea").iterdir():
        path.unlink()
    (data / "val" / "sea").rmdir()  # an image may be given a class of the model that has no folder here
    assert evaluate("--overlay", str(tmp_path / "one.csv"))["per_class"]["sea"]["support"] == 1
    assert cli.run(["evaluate", str(run), str(data), "--overlay", overlay]) == 0
    assert f"overlay   {overlay}: 0 relabelled" in capsys.readouterr().out


def test_what_was_held_out_is_found_again(data: Path, overlay: str, tmp_path: Path) -> None:
    """A folder that the training divided by itself is divided as it was, after the same corrections."""
    assert train(data / "train", tmp_path / "run", "--overlay", overlay, "--val-split", "0.45") == 0
    predictor = Predictor.load(str(tmp_path / "run"), RunOn("cpu"))
    with (tmp_path / "run" / "images.csv").open() as file:
        validated = [row["image"] for row in csv.DictReader(file) if row["role"] == "validated on"]
    assert held_out_images(predictor, str(data / "train")).paths == validated and len(validated) == 8
    Path(overlay).unlink()
    assert held_out_images(predictor, str(data / "train")).paths == validated  # by the copy in the run's folder
    (tmp_path / "run" / "labels.csv").unlink()
    with pytest.raises(InputError, match=r"labels\.csv \(SHA-256 .*, which are not there\. Its run's folder"):
        held_out_images(predictor, str(data / "train"))


# -- Keras' loaders ----------------------------------------------------------------------------------------------------


def test_flow_from_directory(data: Path, overlay: str) -> None:
    flow = keras.preprocessing.image.ImageDataGenerator().flow_from_directory(
        str(data / "train"), class_mode="sparse", shuffle=False, target_size=(9, 9), batch_size=17, overlay=overlay
    )
    assert flow.samples == len(flow.filepaths) == 17 and flow.class_indices == {"drop": 0, "forest": 1, "sea": 2}
    assert np.bincount(flow.classes).tolist() == [7, 6, 4]
    images, labels = flow[0]
    place = flow.filenames.index("sea/0.png")
    assert labels[place] == 1
    assert np.array_equal(images[place], np.asarray(Image.open(data / "train" / "sea" / "0.png"), np.float32))


@pytest.mark.parametrize("folders", [("",), ("train", "val")])
def test_the_folder_module(
    data: Path, overlay: str, folders: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    module = ImageFolderDataModule(*(data / name for name in folders), target_size=(9, 9), cache="off", overlay=overlay)
    assert module.train_images.table.counts() == {"drop": 7, "forest": 6, "sea": 4}
    assert module.validation_images.table.counts() == {"drop": 3, "forest": 3, "sea": 2}
    assert "2 relabelled, 2 left out" in capsys.readouterr().out


def test_image_dataset_from_directory(data: Path, overlay: str) -> None:
    dataset = keras.utils.image_dataset_from_directory(str(data / "train"), image_size=(9, 9), seed=0, overlay=overlay)
    labels = np.concatenate([np.asarray(batch) for _, batch in dataset])
    assert len(dataset.file_paths) == 17 and np.bincount(labels).tolist() == [7, 6, 4]
    with pytest.raises(InputError, match=r"`overlay` corrects labels"):
        keras.utils.image_dataset_from_directory(str(data / "train"), labels=None, overlay=overlay)


def test_the_hash_is_that_of_a_runs_images(data: Path, tmp_path: Path) -> None:
    assert train(data, tmp_path / "run") == 0
    listed = (tmp_path / "run" / "images.csv").read_text()
    assert all(digest(Path(path)) in listed for path in scan_folder(str(data / "train")).paths)
