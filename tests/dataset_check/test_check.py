"""`check DATA` on generated folders: each fault is found under its kind, and sound data are silent."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import socket
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scene_lightning.cli import main as cli
from scene_lightning.dataset_check.check import CheckReport, check_dataset
from scene_lightning.dataset_check.facts import facts_of
from scene_lightning.dataset_check.tree import read_tree
from scene_lightning.errors import DataError
from tests.conftest import picture

COUNTS = {"buildings": 1448, "forest": 1396, "glacier": 1344, "mountain": 1484, "sea": 1513, "street": 1556}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SCENE_LIGHTNING_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def photograph(path: Path, seed: int, size: tuple[int, int] = (64, 72), **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture(*size, seed)).save(path, **options)
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two classes of four sound photographs in a training and a test half."""
    for number, (split, name) in enumerate((s, c) for s in ("train", "test") for c in ("forest", "sea")):
        for position in range(4):
            photograph(tmp_path / "data" / split / name / f"{position}.png", 100 * number + position)
    return tmp_path / "data"


def kinds(report: CheckReport) -> dict[str, list[str]]:
    """Kind → the paths that it is about, from the data folder on."""
    found: dict[str, list[str]] = {}
    for finding in report.findings:
        found.setdefault(finding.kind, []).extend(os.path.relpath(path, report.data) for path in finding.paths)
    return found


def test_sound_photographs_are_silent(data: Path) -> None:
    report = check_dataset(str(data))
    assert report.findings == []
    assert report.counts == {"test": {"forest": 4, "sea": 4}, "train": {"forest": 4, "sea": 4}}


@pytest.fixture
def odd(data: Path) -> Path:
    """A class folder with each odd file that there is."""
    folder = data / "train" / "sea"
    (folder / "empty.jpg").touch()
    (folder / "text.jpg").write_text("no image\n")
    (folder / "hi.jpg").write_text("hi")
    (folder / "page.jpg").write_text("<html><body>404</body></html>")
    cut = photograph(folder / "cut.jpg", 900).read_bytes()
    (folder / "cut.jpg").write_bytes(cut[: len(cut) // 2])
    cut = photograph(folder / "cut.png", 911).read_bytes()
    (folder / "cut.png").write_bytes(cut[: len(cut) // 2])
    photograph(folder / "png.jpg", 901, format="PNG")
    image = Image.fromarray(picture(64, 72, 902))
    image.convert("CMYK").save(folder / "cmyk.jpg")
    image.quantize(64).save(folder / "palette.png")
    image.convert("L").save(folder / "grey.png")
    Image.fromarray(np.dstack([picture(64, 72, 903), np.full((64, 72), 200, np.uint8)])).save(folder / "alpha.png")
    Image.fromarray(picture(64, 72, 904)[..., 0].astype(np.uint16) * 257).save(folder / "deep.png")
    frames = [Image.fromarray(picture(64, 72, seed)) for seed in (905, 906)]
    frames[0].save(folder / "frames.gif", save_all=True, append_images=frames[1:])
    frames[1].save(folder / "pages.tif", save_all=True, append_images=frames[:1])
    exif = Image.Exif()
    exif[0x0112] = 6
    photograph(folder / "turned.jpg", 907, exif=exif)
    photograph(folder / "tiny.png", 908, (1, 1))
    photograph(folder / "strip.png", 909, (10, 9000))
    photograph(folder / "a.jfif", 910, format="JPEG")
    (folder / "notes.txt").write_text("notes")
    Image.new("1", (14_000, 14_000)).save(folder / "bomb.png")
    return data


def test_each_odd_file_is_found_under_its_kind(odd: Path, recwarn: pytest.WarningsRecorder) -> None:
    found = kinds(check_dataset(str(odd)))

    def names(kind: str) -> set[str]:
        return {os.path.basename(path) for path in found.get(kind, ())}

    assert names("empty_file") == {"empty.jpg"}
    assert names("not_an_image") == {"text.jpg", "hi.jpg", "page.jpg"}
    assert names("truncated") == {"cut.jpg", "cut.png"}
    assert names("wrong_extension") == {"png.jpg"}
    assert names("cmyk") == {"cmyk.jpg"}
    assert names("palette") == {"palette.png", "frames.gif"}
    assert names("greyscale") == {"grey.png"}
    assert names("transparency") == {"alpha.png"}
    assert names("sixteen_bit") == {"deep.png"}
    assert names("animated") == {"frames.gif"}
    assert names("multi_page") == {"pages.tif"}
    assert names("exif_rotation") == {"turned.jpg"}
    assert names("tiny") == {"tiny.png", "strip.png"}
    assert names("huge") == names("odd_proportions") == {"strip.png"}
    assert names("unlisted_extension") == {"a.jfif"}
    assert names("other_file") == {"notes.txt"}
    assert names("decompression_bomb") == {"bomb.png"}
    assert not recwarn.list


def test_reasons_and_cures_are_sentences(odd: Path) -> None:
    report = check_dataset(str(odd))
    by_name = {os.path.basename(finding.paths[0]): finding for finding in report.of("error")}
    assert by_name["page.jpg"].reason == "It is a web page."
    assert by_name["text.jpg"].reason == "It is a text."
    assert all(finding.reason.endswith((".", "?")) and finding.cure.endswith(".") for finding in report.findings)
    assert by_name["cut.jpg"].classes == ("sea",) and by_name["cut.jpg"].splits == ("train",)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no FIFOs")
def test_links_pipes_and_sockets_are_named_and_never_opened(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = data / "train" / "sea"
    os.mkfifo(folder / "pipe.jpg")
    monkeypatch.chdir(folder)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket.jpg")
        (folder / "gone.jpg").symlink_to("nowhere.jpg")
        (folder / "circle.jpg").symlink_to("circle.jpg")
        (folder / "loop").symlink_to(".")
        (folder / "elsewhere").symlink_to(data / "train" / "forest")
        report = check_dataset(str(data))
    found = kinds(report)
    assert found["special_file"] == ["train/sea/pipe.jpg", "train/sea/socket.jpg"]
    assert found["dangling_link"] == ["train/sea/gone.jpg"]
    assert found["link_loop"] == ["train/sea/circle.jpg", "train/sea/loop"]
    assert found["linked_folder"] == ["train/sea/elsewhere"]
    assert report.counts["train"]["sea"] == 8  # four of its own, four behind the link, none twice


def test_strange_names_are_told_and_can_be_printed(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = os.fsencode(data / "train" / "sea")
    for number, name in enumerate((b"caf\xe9.png", b"two\nlines.png", b"-rf.png", b" blank.png")):
        image = data / f"{number}.png"
        photograph(image, 600 + number)
        shutil.move(os.fsencode(image), os.path.join(folder, name))
    assert len(check_dataset(str(data)).findings) == 4
    assert cli.run(["check", str(data), "--out", str(data.parent / "all.csv")]) == 0
    assert "strange_name" in capsys.readouterr().out
    rows = list(csv.DictReader((data.parent / "all.csv").open(encoding="utf-8")))
    assert any("caf\\udce9.png" in row["path"] for row in rows)
    assert any("two\\nlines.png" in row["path"] for row in rows)


def test_what_programs_leave_behind_is_no_class(data: Path) -> None:
    for folder in ("__MACOSX", "train/.ipynb_checkpoints", "train/sea/.ipynb_checkpoints", "train/__MACOSX"):
        photograph(data / folder / "0.png", 1)
    for file in ("train/.DS_Store", "train/sea/Thumbs.db", "train/sea/._0.png"):
        (data / file).write_bytes(b"\x00\x05\x16\x07")
    report = check_dataset(str(data))
    assert len(kinds(report)["stray"]) == 7 and list(kinds(report)) == ["stray"]
    assert report.counts["train"] == {"forest": 4, "sea": 4}


def copy(data: Path, original: str, *to: str) -> None:
    for one in to:
        shutil.copy(data / original, data / one)


def test_exact_copies_by_where_they_lie(data: Path) -> None:
    copy(data, "train/sea/0.png", "train/sea/copy.png")
    copy(data, "train/sea/1.png", "train/forest/copy.png")
    copy(data, "train/sea/2.png", "test/sea/copy.png")
    Image.open(data / "train/sea/3.png").save(data / "train/sea/other.bmp")  # equal pixels, another file
    found = kinds(check_dataset(str(data)))
    assert found == {
        "duplicate": ["train/sea/0.png", "train/sea/copy.png", "train/sea/3.png", "train/sea/other.bmp"],
        "duplicate_across_classes": ["train/forest/copy.png", "train/sea/1.png"],
        "duplicate_across_splits": ["test/sea/copy.png", "train/sea/2.png"],
    }


def test_near_copies_are_recompressed_resized_or_brighter(data: Path) -> None:
    with Image.open(data / "train/sea/0.png") as image:
        image.save(data / "train/sea/a.jpg", quality=60)
    with Image.open(data / "train/sea/1.png") as image:
        image.resize((50, 46)).save(data / "train/forest/b.png")
    with Image.open(data / "train/sea/2.png") as image:
        image.point(lambda level: int(level * 0.8)).save(data / "test/forest/c.png")
    report = check_dataset(str(data))
    assert kinds(report) == {
        "near_duplicate": ["train/sea/0.png", "train/sea/a.jpg"],
        "near_duplicate_across_classes": ["train/forest/b.png", "train/sea/1.png"],
        "near_duplicate_across_splits": ["test/forest/c.png", "train/sea/2.png"],
    }
    severe = {finding.kind: finding.severity for finding in report.findings}
    assert severe["near_duplicate_across_splits"] == severe["near_duplicate_across_classes"] == "error"


def test_films_whose_frames_are_all_alike_are_one_group(data: Path) -> None:
    frame = picture(64, 72, 4321)
    for number in range(300):
        frame[number % 64, number % 72] ^= 64
        Image.fromarray(frame).save(data / "train/sea" / f"frame{number:03}.png")
    [finding] = check_dataset(str(data)).of("note")
    assert finding.kind == "near_duplicate" and len(finding.paths) == 300 and finding.figures["bits"] <= 60


def test_copies_are_told_by_the_picture_not_by_how_it_is_stored(data: Path) -> None:
    with Image.open(data / "train/sea/0.png") as image:
        exif = Image.Exif()
        exif[0x0112] = 6  # to be turned by 90 degrees clockwise
        image.transpose(Image.Transpose.ROTATE_90).save(data / "test/sea/turned.png", exif=exif)
    found = kinds(check_dataset(str(data)))
    assert found["duplicate_across_splits"] == ["test/sea/turned.png", "train/sea/0.png"]


def test_pictures_in_which_nothing_can_be_seen(data: Path) -> None:
    def put(name: str, pixels: np.ndarray) -> None:
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(data / "train" / "sea" / name)

    random = np.random.default_rng(0)
    put("dark.png", random.integers(0, 40, (64, 64, 3)))
    put("white.png", random.integers(247, 256, (64, 64, 3)))
    put("plain.png", np.full((64, 64, 3), 120))
    ramp = np.linspace(40, 200, 256)[None, :, None] * np.ones((256, 1, 3)) + random.integers(-9, 9, (256, 256, 3))
    put("blurred.png", ramp)
    found = kinds(check_dataset(str(data)))
    assert "train/sea/dark.png" in found["dark"]
    assert found["overexposed"] == ["train/sea/white.png"]
    assert found["low_information"] == ["train/sea/plain.png"]
    assert "train/sea/blurred.png" in found["blurred"] and "train/sea/0.png" not in found["blurred"]
    assert not any(kind.startswith("near_duplicate") for kind in found)


def test_faults_of_folders_and_classes(tmp_path: Path, data: Path) -> None:
    wrapped = check_dataset(str(tmp_path / "data" / ".."))  # holds `data`, and nothing else that is seen
    assert wrapped.of("error")[0].kind == "one_level_too_high"
    assert f"Did you mean {str(tmp_path / 'data' / '..' / 'data')!r}?" in wrapped.of("error")[0].reason
    assert wrapped.images == 16

    shutil.rmtree(data / "test" / "sea")
    (data / "test" / "empty").mkdir()
    photograph(data / "train" / "loose.png", 1)
    found = kinds(check_dataset(str(data)))
    assert set(found) == {"class_missing_from_split", "empty_class", "loose_image"}

    alone = tmp_path / "alone"
    photograph(alone / "sea" / "a.png", 5)
    assert set(kinds(check_dataset(str(alone)))) == {"single_class"}
    for seed in range(7):
        photograph(alone / "forest" / f"{seed}.png", 10 + seed)
    assert set(kinds(check_dataset(str(alone)))) == {"imbalance"}
    (tmp_path / "none").mkdir()
    assert set(kinds(check_dataset(str(tmp_path / "none")))) == {"no_classes"}
    with pytest.raises(DataError, match=r"Did you mean 'alone'\?"):
        check_dataset(str(tmp_path / "alon"))


def test_splits_are_known_whatever_their_case(tmp_path: Path) -> None:
    for number, split in enumerate(("Train", "TEST")):
        for position, name in enumerate(("forest", "sea")):
            photograph(tmp_path / "data" / split / name / "a.png", 10 * number + position)
    assert check_dataset(str(tmp_path / "data")).counts == {
        "TEST": {"forest": 1, "sea": 1},
        "Train": {"forest": 1, "sea": 1},
    }


def test_a_second_look_examines_what_has_changed_alone(data: Path, own_cache: Path) -> None:
    first = check_dataset(str(data))
    assert first.known == 0
    photograph(data / "train" / "sea" / "0.png", 555)
    second = check_dataset(str(data))
    assert second.known == len(second.files) - 1
    assert second.facts[0] == first.facts[0] and second.facts != first.facts
    kept = next(own_cache.glob("check-*.json"))
    kept.write_text(kept.read_text()[:1000])  # a damaged record is as none
    assert check_dataset(str(data)).known == 0
    assert check_dataset(str(data)).facts == second.facts


def test_an_interrupted_look_is_not_lost(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = read_tree(str(data))
    done: list[int] = []

    def interrupted(number: int) -> None:
        done.append(number)
        if len(done) == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        facts_of(tree.files, str(data), interrupted)
    assert 0 < check_dataset(str(data)).known < len(tree.files)


def test_json_strict_and_csv(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy(data, "train/sea/0.png", "test/sea/copy.png")
    out = data.parent / "findings.csv"
    assert cli.run(["check", str(data), "--json", "--out", str(out)]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["errors"] == 1 and answer["warnings"] == 0 and answer["images"] == 17
    [finding] = answer["findings"]
    assert finding["kind"] == "duplicate_across_splits" and finding["splits"] == ["test", "train"]
    rows = list(csv.DictReader(out.open(encoding="utf-8")))
    assert [row["path"] for row in rows] == finding["paths"] and {row["group"] for row in rows} == {"1"}
    assert cli.run(["check", str(data), "--strict"]) == 1
    os.remove(data / "test" / "sea" / "copy.png")
    assert cli.run(["check", str(data), "--strict"]) == 0
    capsys.readouterr()
    for words, message in (
        ([str(data / "nowhere")], "No folder"),
        ([str(data), "--out", str(data / "nowhere" / "all.csv")], "No folder .*nowhere.* to write"),
        ([str(data), "--out", str(data)], "is a folder. Expected the name of a file"),
    ):
        assert cli.run(["check", *words]) == 2
        shown = capsys.readouterr()
        assert re.match(f"error: .*{message}", shown.err) and not shown.out


def test_the_table_fits_80_columns(odd: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photograph(odd / "train" / ("long" * 30) / ("name" * 40 + ".png"), 3)
    (odd / "train" / ("long" * 30) / "text.png").write_text("x")
    assert cli.run(["check", str(odd)]) == 0
    shown = capsys.readouterr().out
    lines = shown.splitlines()
    assert max(map(len, lines[1:])) <= 80  # the first names the folder, however long its name is
    assert "truncated" in shown and "cut.jpg" in shown


@pytest.mark.soak
def test_the_intel_scenes_hold_what_docs_check_says(intel_dir: Path) -> None:
    """Every pair of docs/check.md, and no other: the table there is the truth, looked at picture by picture."""
    page = (Path(__file__).parents[2] / "docs" / "check.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\w+) \| `(.+)` \|$", page, re.MULTILINE)
    listed = {(kind, *names.split("` `")) for kind, names in rows}
    report = check_dataset(str(intel_dir))
    found = {
        (finding.kind, *(os.path.relpath(path, intel_dir) for path in finding.paths))
        for finding in report.findings
        if "duplicate" in finding.kind
    }
    assert sum(kind == "duplicate_across_classes" for kind, *_ in listed) == 5
    assert sum(kind.startswith("duplicate") for kind, *_ in listed) == 7
    assert found >= {row for row in listed if row[0].startswith("duplicate")}
    if report.counts == {"seg_test": dict.fromkeys(report.counts["seg_test"], 150), "seg_train": COUNTS}:
        assert found == listed  # the subset that the page is about
