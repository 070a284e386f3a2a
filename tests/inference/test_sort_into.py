"""`predict --sort-into`: a folder a class, and what a second call does."""

from __future__ import annotations

import csv
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from scene_lightning.cli import main as cli
from scene_lightning.inference import sort_into as sorting
from scene_lightning.reports.prediction_files import Prediction
from tests.inference.conftest import COLOURS, coloured_picture

BLUE = "blue, _b_deep__b_"


def run(model: Path, *words: object) -> int:
    return cli.run(["predict", str(model), *map(str, words)])


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


def rows_of(folder: Path) -> dict[str, dict[str, str]]:
    with open(folder / "predictions.csv", encoding="utf-8", newline="") as file:
        return {row["path"]: row for row in csv.DictReader(file)}


SORTED = {
    "predictions.csv", "red/0.jpg", "red/0-2.jpg", "red/3.jpg", "red/6.jpg", "green/1.jpg", "green/4.jpg",
    f"{BLUE}/2.jpg", f"{BLUE}/5.jpg", "unreadable/broken.jpg",
}  # fmt: skip


def test_copies_lie_in_the_folders_of_their_classes(colour_model: Path, photographs: Path, tmp_path: Path) -> None:
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in photographs.rglob("*.jpg")}
    outputs = ["--out", tmp_path / "p.csv", "--html", tmp_path / "p.html", "--grid", tmp_path / "p.png"]
    assert run(colour_model, photographs, "--sort-into", tmp_path / "sorted", *outputs) == 3
    assert files_in(tmp_path / "sorted") == SORTED
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in photographs.rglob("*.jpg")} == before
    rows = rows_of(tmp_path / "sorted")
    assert list(next(iter(rows.values()))) == ["path", "predicted", "probability", *COLOURS, "error", "file"]
    assert (
        set(rows) == {str(path) for path in before}
        and "not an image" in rows[str(photographs / "b/broken.jpg")]["error"]
    )
    for path, row in rows.items():
        copy = tmp_path / "sorted" / row["file"]
        assert copy.read_bytes() == Path(path).read_bytes() and copy.stat().st_mtime_ns == Path(path).stat().st_mtime_ns
    assert all((tmp_path / f"p.{ending}").stat().st_size for ending in ("csv", "html", "png"))


def test_links_point_to_the_originals(colour_model: Path, photographs: Path, tmp_path: Path) -> None:
    assert run(colour_model, photographs, "--sort-into", tmp_path / "sorted", "--link") == 3
    assert files_in(tmp_path / "sorted") == SORTED
    assert os.readlink(tmp_path / "sorted/green/1.jpg") == str(photographs / "b/1.jpg")


@pytest.mark.parametrize("place", ["../precious.jpg", "red/../../precious.jpg", "elsewhere/precious.jpg"])
def test_a_table_that_leads_elsewhere_moves_nothing_there(
    colour_model: Path, photographs: Path, tmp_path: Path, place: str
) -> None:
    table = tmp_path / "sorted" / "predictions.csv"
    assert run(colour_model, photographs, "--sort-into", table.parent) == 3
    (table.parent / "elsewhere").mkdir()
    precious = (table.parent / place).resolve()
    precious.write_text("not ours")
    table.write_text(table.read_text().replace("green/1.jpg", place))
    assert run(colour_model, photographs, "--sort-into", table.parent) == 3
    assert precious.read_text() == "not ours" and (table.parent / "green/1.jpg").is_file()


@pytest.mark.parametrize("link", [[], ["--link"]])
def test_a_second_call_goes_on(colour_model: Path, photographs: Path, tmp_path: Path, link: list[str]) -> None:
    """What is there stays, what is of another class moves, what is new is added, what is not ours is left alone."""
    words = ["--sort-into", tmp_path / "sorted", *link]
    assert run(colour_model, photographs, *words) == 3
    (tmp_path / "sorted" / "red" / "mine.jpg").write_text("the user's own")
    stays = (tmp_path / "sorted/red/3.jpg").lstat().st_mtime_ns
    (photographs / "b" / "broken.jpg").unlink()
    coloured_picture(photographs / "b" / "broken.jpg", "green", 40)
    coloured_picture(photographs / "a" / "mine.jpg", "red", 41)
    assert run(colour_model, photographs, *words) == 0
    expected = (SORTED - {"unreadable/broken.jpg"}) | {"green/broken.jpg", "red/mine.jpg", "red/mine-2.jpg"}
    assert files_in(tmp_path / "sorted") == expected
    assert (tmp_path / "sorted/red/mine.jpg").read_text() == "the user's own"
    assert (tmp_path / "sorted/red/3.jpg").lstat().st_mtime_ns == stays
    assert run(colour_model, photographs / "a", *words) == 0, "rows of images that are not seen now are kept"
    assert len(rows_of(tmp_path / "sorted")) == 10 and files_in(tmp_path / "sorted") == expected


def test_an_interrupted_call_is_repeated(
    colour_model: Path, photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    write = sorting.SortInto.write

    def interrupted(self: sorting.SortInto, prediction: object) -> None:
        write(self, prediction)  # type: ignore[arg-type]
        written.append("one")
        if len(written) == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(sorting.SortInto, "write", interrupted)
    assert run(colour_model, photographs, "--sort-into", tmp_path / "sorted") == 130
    assert len(files_in(tmp_path / "sorted")) == 5 and not list(tmp_path.rglob("*.partial"))
    monkeypatch.setattr(sorting.SortInto, "write", write)
    assert run(colour_model, photographs, "--sort-into", tmp_path / "sorted") == 3
    assert files_in(tmp_path / "sorted") == SORTED


def test_what_the_model_rejects_has_a_folder_of_its_own(tmp_path: Path) -> None:
    """Beside a class that has that name, too."""
    coloured_picture(tmp_path / "a.jpg", "red", 0)
    for names, folder in ((["a", "b"], "unknown"), (["Unknown", "b"], "_unknown")):
        with sorting.SortInto(str(tmp_path / folder), names) as sorter:
            sorter.write(Prediction(str(tmp_path / "a.jpg"), "unknown", np.array([0.6, 0.4], np.float32)))
        assert files_in(tmp_path / folder) == {"predictions.csv", f"{folder}/a.jpg"}
        assert sorter.in_words().endswith(f": 1 {folder}")


def test_a_folder_within_the_images_is_not_read_again(
    colour_model: Path, photographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photographs)
    for _ in range(2):
        assert run(colour_model, ".", "--sort-into", "sorted") == 3
        assert files_in(photographs / "sorted") == SORTED


def test_images_of_an_archive_are_copied(colour_model: Path, photographs: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(photographs / "a" / "0.jpg", "../../evil.jpg")
        archive.write(photographs / "b" / "1.jpg", "inside/1.JPG")
    assert run(colour_model, tmp_path / "a.zip", "--sort-into", tmp_path / "sorted", "--link") == 0
    assert files_in(tmp_path / "sorted") == {"predictions.csv", "red/evil.jpg", "green/1.JPG"}
    assert not (tmp_path / "sorted/red/evil.jpg").is_symlink()
    assert (tmp_path / "sorted/green/1.JPG").read_bytes() == (photographs / "b/1.jpg").read_bytes()


@pytest.mark.parametrize(("name", "content", "expected"), [
    ("https://example.org/x/photo?size=3", b"", "photo.png"), ("-", b"", "image.png"),
    ("a.zip/" + "é" * 300, b"", None),
    ("dir/.hidden.jpg", None, "hidden.jpg"), ("https://example.org/", b"", "image.png"),
    ("a/b\\..\\c.jpg", None, "b_.._c.jpg"),
])  # fmt: skip
def test_names_of_what_has_no_file(name: str, content: bytes | None, expected: str | None, tmp_path: Path) -> None:
    if content is not None:
        coloured_picture(tmp_path / "p.png", "red", 0)
        content = (tmp_path / "p.png").read_bytes()
    made = sorting._file_name(name, content)
    assert made == expected if expected else len(os.fsencode(made)) < 240
    (tmp_path / made).write_text("can be made")


@pytest.mark.parametrize("name", ["../up", "..", "a/b", "", ".git", "predictions.csv", "con\n", "x" * 3])
def test_class_names_lead_nowhere_else(name: str) -> None:
    made = sorting.folder_name(name)
    assert made and "/" not in made and not made.startswith(".") and made != "predictions.csv" and made.isprintable()


def test_other_folders_are_refused(
    colour_model: Path, photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "predictions.csv").write_text("path,true,predicted,probability,a\n")
    (tmp_path / "classes").mkdir()
    (tmp_path / "classes" / "predictions.csv").write_text("path,predicted,probability,a,b,error,file\n")
    for words, message in (
        (["--sort-into", photographs], "holds other files"), (["--sort-into", tmp_path / "file"], "is a file"),
        (["--sort-into", tmp_path / "no" / "where"], "Make it first"), (["--link"], "--sort-into"),
        (["--sort-into", tmp_path / "other"], "another table"), (["--explain"], "--html"),
        (["--sort-into", tmp_path / "classes"], "a model of other classes"),
    ):  # fmt: skip
        assert run(colour_model, photographs, *words) == 2
        assert message in capsys.readouterr().err
