"""Images with any number of labels: from labels.csv or from folders to a model, its evaluation and predictions."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from scene_lightning.cli import main as cli
from scene_lightning.data.iterative_split import iterative_parts
from scene_lightning.data.table import ImageTable
from scene_lightning.inference.answers import Answers
from scene_lightning.inference.evaluate import labelled_images
from scene_lightning.inference.label_scores import best_thresholds
from scene_lightning.inference.predictor import Predictor, RunOn
from scene_lightning.inference.temperature import fit_temperature
from scene_lightning.models import load_model
from tests.browser import browser, hindrances, show_as

COLOURS = {"blue": 2, "green": 1, "red": 0}
SMALL = [
    "filters=[8,16]", "dense=[16]", "input_size=24", "batch_size=16", "epochs=12", "learning_rate=0.01", "dropout=0",
    "dense_dropout=0", "precision=32-true", "augmentation=off", "interpolation=bilinear", "recalibrate_batchnorm=true",
]  # fmt: skip


def picture(labels: tuple[str, ...], seed: int) -> Image.Image:
    """Squares in the colours of the labels on grey."""
    random = np.random.default_rng(seed)
    pixels = random.integers(60, 90, (32, 32, 3))
    for name in labels:
        top, left = random.integers(0, 22, 2)
        pixels[top : top + 10, left : left + 10] = 30
        pixels[top : top + 10, left : left + 10, COLOURS[name]] = 240
    return Image.fromarray(pixels.astype(np.uint8))


def some_labels(number: int) -> tuple[str, ...]:
    return tuple(name for place, name in enumerate(COLOURS) if number >> place & 1)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shapes")
    with open(folder / "labels.csv", "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["image_name", "tags"])
        for number in range(160):
            picture(some_labels(number % 8), number).save(folder / f"{number}.png")
            rows.writerow([str(number), " ".join(some_labels(number % 8))])
    return folder


def words(settings: list[str]) -> list[str]:
    return [word for setting in settings for word in ("--set", setting)]


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "run"
    assert cli.run(["train", str(data), *words(SMALL), "--out", str(folder)]) == 0
    return folder


def test_a_run_learns_the_labels_and_keeps_their_thresholds(run: Path) -> None:
    result = json.loads((run / "evaluation.json").read_text())
    assert result["multi_label"] and result["classes"] == ["blue", "green", "red"]
    assert result["mean_average_precision"] > 0.9 and result["f1"] > 0.85
    info = load_model(run / "best.ckpt").image_info
    assert info["thresholds"] == [one["threshold"] for one in result["per_class"].values()]
    assert load_model(run / "best.ckpt").layers[-1].get_config()["activation"] == "sigmoid"
    recipe = (run / "recipe.yaml").read_text()
    assert "multi_label: csv" in recipe and "loss: binary_crossentropy" in recipe


def test_evaluate_and_predict_show_labels(
    data: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["evaluate", str(run), str(data)]) == 0
    shown = capsys.readouterr().out
    assert "all labels right" in shown and "mAP" in shown and "threshold" in shown and "trained on" in shown
    assert cli.run(["predict", str(run), str(data), "--out", str(tmp_path / "a.csv")]) == 0
    with open(tmp_path / "a.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    truth = {f"{number}.png": set(some_labels(number % 8)) for number in range(160)}
    right = [set(filter(None, row["predicted"].split(";"))) == truth[Path(row["path"]).name] for row in rows]
    assert np.mean(right) > 0.7
    assert {"blue", "green", "red"} <= rows[0].keys()
    for row in rows:
        labels = filter(None, row["predicted"].split(";"))
        assert row["probability"] == ";".join(row[name] for name in labels)
    assert cli.run(["predict", str(run), str(data / "7.png"), "--out", str(tmp_path / "a.json")]) == 0
    (one,) = json.loads((tmp_path / "a.json").read_text())
    assert set(one["probabilities"]) == set(COLOURS)
    assert one["predicted"] == {name: one["probabilities"][name] for name in one["predicted"]} and one["predicted"]
    capsys.readouterr()
    assert cli.run(["predict", str(run), str(data / "7.png"), "--top-k", "3"]) == 0
    line = capsys.readouterr().out.splitlines()[1].split()
    assert {name.strip("()") for name in line[1::2]} == set(COLOURS)
    assert {name for name in line[1::2] if name[0] != "("} == set(one["predicted"])


def test_the_page_of_a_run_shows_its_labels(
    data: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (run / "report.html").read_text()
    answers = Answers.read(run / "predictions.csv", load_model(run / "best.ckpt").image_info["thresholds"])
    assert len(answers.paths) == 32 and [answers.names_of(row) for row in answers.truth()] == [
        ";".join(some_labels(int(Path(path).stem) % 8)) for path in answers.paths
    ]
    shown = page_data(page)
    assert len(shown["photographs"]) == 32
    for name, hits, wrong, missed, *_ in shown["photographs"]:
        labels = {shown["classes"][number] for number, _ in [*hits, *missed]}
        assert labels == set(some_labels(int(Path(name).stem) % 8)) and not {
            number for number, _ in [*hits, *wrong]
        } & {number for number, _ in missed}
    missed, wrong = answers.truth() & ~answers.given(), answers.given() & ~answers.truth()
    cells = {(row, column): count for row, column, count in shown["counts"]}
    assert all(cells.get((k, k), 0) == (answers.truth() & answers.given())[:, k].sum() for k in range(3))
    assert sum(cells.get((k, 3), 0) for k in range(3)) == missed[~wrong.any(1)].sum()
    for text in (
        "All labels right",
        "mAP",
        "Figures by label",
        "Labels that occur together",
        "average precision",
        "threshold",
        "of all labels together",
    ):
        assert text in page, text
    other = tmp_path / "other"
    shutil.copytree(run, other)
    worse = Answers(answers.class_names, answers.paths, answers.labels, [0 * row for row in answers.probabilities])
    worse.thresholds = answers.thresholds
    worse.write(other / "predictions.csv")
    assert cli.run(["report", str(run), str(other), "--out", str(tmp_path / "both.html")]) == 0
    both = (tmp_path / "both.html").read_text()
    only = (
        int((~answers.wrong() & answers.truth().any(axis=1)).sum()),
        int((answers.wrong() & ~answers.truth().any(1)).sum()),
    )
    assert [one["total"] for one in page_data(both)["sets"][:2]] == list(only) and only[0] > 10
    assert "exactly the true labels" in both and "F1 by label" in both
    (other / "predictions.csv").unlink()
    assert cli.run(["report", str(other)]) == 0
    assert Answers.read(other / "predictions.csv", answers.thresholds).paths == answers.paths, "answered anew"


def test_mistakes_and_predictions_show_every_label(
    data: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["evaluate", str(run), str(data), "--mistakes", str(tmp_path / "wrong"), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    with open(tmp_path / "wrong" / "mistakes.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == result["mistakes"]["images"] == round(160 * (1 - result["accuracy"])) > 0
    assert list(rows[0]) == ["path", "true", "predicted", "missed", "wrong", *COLOURS]
    for row in rows:
        true, given, missed, wrong = (set(filter(None, row[key].split(";"))) for key in list(row)[1:5])
        assert true == set(some_labels(int(Path(row["path"]).stem) % 8)) != given
        assert missed == true - given and wrong == given - true
    filed = {path.stem for path in (tmp_path / "wrong" / "by_class").iterdir()}
    assert filed == {name for row in rows for name in f"{row['missed']};{row['wrong']}".split(";") if name}
    shown = page_data((tmp_path / "wrong" / "index.html").read_text())
    names = [shown["classes"][one] for one in shown["rows"][0][0]]
    assert set(names) == set(filter(None, rows[0]["predicted"].split(";"))) and len(shown["rows"]) == len(rows)


def test_the_pages_of_labels_work_in_a_browser(data: Path, run: Path, tmp_path: Path) -> None:
    words = [str(data / f"{number}.png") for number in range(16)]
    assert cli.run(["predict", str(run), *words, "--html", str(tmp_path / "page.html")]) == 0
    with browser(tmp_path / "downloads") as start:
        chrome = start(tmp_path / "page.html")
        rows = page_data((tmp_path / "page.html").read_text())["rows"]
        for number, name in enumerate(COLOURS):
            count = sum(number in given for given, *_ in rows)
            chrome.find_element("css selector", f"#class option[value='{number}']").click()
            assert chrome.find_element("id", "count").text == f"{count} of 16 images"
            assert name in chrome.find_element("css selector", ".card").text
        show_as(chrome, scheme="dark", phone=True)
        assert hindrances(chrome) == []
        chrome.get((run / "report.html").as_uri())
        cell = next(one for one in page_data((run / "report.html").read_text())["counts"] if one[0] != one[1])
        button = chrome.find_element("css selector", f".matrix button[data-cell='{cell[0]},{cell[1]}']")
        chrome.execute_script("arguments[0].click()", button)
        assert len(chrome.find_elements("css selector", "dialog figure")) == cell[2] and hindrances(chrome) == []


def test_calibrate_fits_temperature_and_thresholds_and_the_card_shows_them(
    data: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def answered(*words: str) -> Any:
        assert cli.run([*words, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    model = str(tmp_path / "calibrated.keras")
    result = answered("calibrate", str(run), str(data), "--out", model)
    error = result["calibration_error"]  # the temperature is the best for the cross-entropy, and this follows roughly
    assert error["after"] < error["before"] + 0.005 and result["rejection"] is None
    evaluation = answered("evaluate", model, str(data))
    assert {name: one["threshold"] for name, one in evaluation["per_class"].items()} == result["thresholds"]
    assert evaluation["f1"] == pytest.approx(result["f1"]["after"], abs=1e-9) and min(result["f1"].values()) > 0.8
    assert result["f1"]["after"] >= result["f1"]["before"]
    predictor = Predictor.load(model, RunOn(), several_labels=True)
    table = labelled_images(str(data), predictor.info)
    assert table.targets is not None
    assert fit_temperature(predictor.probabilities(table.paths), table.targets) == pytest.approx(1, abs=1e-3)
    card = answered("card", model, str(data), "--out", str(tmp_path / "card.md"))
    assert card["accuracy"] == pytest.approx(evaluation["accuracy"])
    red = evaluation["per_class"]["red"]
    figures = (f"{red[key]:.3f}" for key in ("precision", "recall", "f1", "average_precision", "threshold"))
    assert f"| red | {' | '.join(figures)} | 80 |" in (tmp_path / "card.md").read_text()
    others = tmp_path / "others"
    others.mkdir()
    for number, labels in enumerate([(), (), ("red",)]):
        picture(labels, 1000 + number).save(others / f"{number}.png")
    answered("card", model, str(data), "--others", str(others), "--out", str(tmp_path / "card.md"))
    assert "gets a label all the same" in (text := (tmp_path / "card.md").read_text())
    given = sum(bool(one["predicted"]) for one in answered("predict", model, str(others)))
    assert given >= 1 and f"| `others` | 3 | {given / 3:.1%} |" in text
    assert "## Recipe" in text and "filters: [8, 16]" in text  # it came along in the .keras file


def test_images_are_sorted_into_the_folders_of_their_labels(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "new").mkdir()
    for number in range(8):
        picture(some_labels(number), 2000 + number).save(tmp_path / "new" / f"{number};.png")
    ask = ["predict", str(run), str(tmp_path / "new"), "--sort-into", str(tmp_path / "sorted")]

    def placed() -> set[str]:
        assert cli.run(ask) == 0
        return {str(path.relative_to(tmp_path / "sorted")) for path in (tmp_path / "sorted").rglob("*.png")}

    capsys.readouterr()
    assert cli.run(["predict", str(run), str(tmp_path / "new"), "--json"]) == 0
    answers = {
        Path(one["path"]).stem: [*one["predicted"]] or ["no label"] for one in json.loads(capsys.readouterr().out)
    }
    expected = {f"{label}/{name.replace(';', '_')}.png" for name, labels in answers.items() for label in labels}
    assert placed() == expected and len(expected) > 10
    assert placed() == expected  # again: nothing is doubled
    moved = tmp_path / "new" / "7;.png"
    picture((), 3000).save(moved)
    place = "no label/7_.png"
    assert placed() == {one for one in expected if not one.endswith("/7_.png")} | {place}


def test_stats_count_an_image_for_each_of_its_labels(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["stats", str(data), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["images"] == 160 and [one["count"] for one in found["classes"].values()] == [80, 80, 80]


def test_explain_shows_a_label(data: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("captum", reason="captum is not installed: pip install captum")
    words = [str(data / "7.png"), "--class", "green", "--out", str(tmp_path), "--json"]
    assert cli.run(["explain", str(run), *words]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["class"] == "green" and set(row["predicted"]) <= set(COLOURS)
    assert row["probability"] == pytest.approx(row["predicted"]["green"], abs=1e-5)


def page_data(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="(?:page-)?data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def test_a_run_is_repeated_from_its_record(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["rerun", str(run), "--out", str(tmp_path / "again")]) == 0
    assert "the same numbers as" in capsys.readouterr().out


@pytest.mark.soak
def test_pretrained_features_and_folders_of_labels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(48):
        for name in some_labels(1 + number % 7):
            (tmp_path / "data" / name).mkdir(parents=True, exist_ok=True)
            picture(some_labels(1 + number % 7), number).save(tmp_path / "data" / name / f"{number}.png")
    settings = words(["multi_label=folders", "input_size=32", "precision=bf16-mixed"])
    folder = tmp_path / "run"
    assert cli.run(["train", str(tmp_path / "data"), "--epochs", "1", *settings, "--out", str(folder)]) == 0
    result = json.loads((folder / "evaluation.json").read_text())
    assert result["multi_label"] and result["mean_average_precision"] > 0.5
    with open(folder / "predictions.csv", newline="") as file:  # judged as `predict` answers, in float32
        answers = torch.tensor([[float(row[name]) for name in COLOURS] for row in csv.DictReader(file)])
    assert (answers != answers.bfloat16()).float().mean() > 0.5
    assert cli.run(["evaluate", str(folder), str(tmp_path / "data")]) == 0
    assert "48 images" in capsys.readouterr().out


def test_folds_share_every_label(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words_of = ["train", str(data), "--folds", "2", *words([*SMALL, "epochs=1"]), "--out", str(tmp_path / "folds")]
    assert cli.run(words_of) == 0
    shown = capsys.readouterr().out
    assert "all labels right" in shown and "mAP" in shown and "mean F1" in shown
    summary = json.loads((tmp_path / "folds" / "folds.json").read_text())
    assert 0 < summary["mean_average_precision"]["mean"] <= 1 and [one["images"] for one in summary["runs"]] == [80, 80]
    for fold in ("fold-1", "fold-2"):
        result = json.loads((tmp_path / "folds" / fold / "evaluation.json").read_text())
        assert {one["support"] for one in result["per_class"].values()} == {40}
    assert cli.run([*words_of[:3], "200", *words_of[4:-1], str(tmp_path / "none")]) == 2
    assert "too few for 200 folds" in capsys.readouterr().err


@pytest.mark.soak
def test_networks_are_compared_by_their_labels(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = words(["epochs=1", "input_size=32", "precision=32-true", "filters=[4,4]", "dense=[8]", "batch_size=64"])
    assert cli.run(["compare", str(data), "--models", "paper,mobilenet_v3_small", *settings, "--out", "c"]) == 0
    assert "all right" in capsys.readouterr().out
    with open("c/comparison.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        result = json.loads((tmp_path / "c" / row["model"] / "evaluation.json").read_text())
        assert float(row["mean_average_precision"]) == result["mean_average_precision"]
    assert cli.run(["compare", str(data), "--models", "paper,mobilenet_v3_small", *settings, "--resume", "c"]) == 0


def test_a_search_judges_by_mean_average_precision(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("space.yaml").write_text("learning_rate: [0.001, 0.01]\n")
    settings = [setting for setting in SMALL if not setting.startswith(("learning_rate", "epochs"))]
    tune = ["tune", str(data), "--space", "space.yaml", "--trials", "2", "--epochs", "2", *words(settings)]
    assert cli.run([*tune, "--out", "t"]) == 0
    assert "mAP" in capsys.readouterr().out
    best = json.loads(Path("t/study.json").read_text())["best"]
    assert 0 < best["mean_average_precision"] <= 1 and "accuracy" not in best
    assert "multi_label: csv" in Path("t/best.yaml").read_text()
    assert Path("t/study.csv").read_text().startswith("trial,state,mean_average_precision,")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "DATA", "--class-weight", "balanced"], "training.class_weight need one class an image"),
        (["train", "DATA", "--set", "mixup=0.2"], "data.mixup need one class an image"),
        (["train", "DATA", "--overlay", "OVERLAY"], "data.overlay need one class an image"),
        (["shard", "DATA", "out"], "labels.csv with any number of labels"),
        (["calibrate", "RUN", "DATA", "--rule", "energy", "--out", "x.keras"], "there is no 'unknown' to fit"),
        (["evaluate", "RUN", "DATA", "--overlay", "OVERLAY"], "Correct labels.csv"),
    ],
)
def test_what_needs_one_class_an_image_is_refused(
    words: list[str], message: str, data: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    overlay = data.parent / "overlay.csv"
    overlay.write_text("hash,action\n")
    places = {"DATA": str(data), "RUN": str(run), "OVERLAY": str(overlay)}
    assert cli.run([places.get(word, word) for word in words]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_each_label_has_its_share_on_both_sides_and_copies_stay_together(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    targets = (random.random((300, 5)) < [0.5, 0.3, 0.2, 0.1, 0.04]).astype(np.float32)
    paths = []
    for number in range(300):
        paths.append(str(tmp_path / f"{number}.bin"))
        Path(paths[-1]).write_text(f"{number // 2}" if number < 20 else f"alone {number}")
    table = ImageTable(paths, targets.argmax(1), list("abcde"), str(tmp_path), targets=targets)
    parts = iterative_parts(table, (0.8, 0.2), seed=1)
    assert (parts[:20:2] == parts[1:20:2]).all()
    assert abs((parts == 1).mean() - 0.2) < 0.03
    shares = targets[parts == 1].sum(0) / targets.sum(0)
    assert (np.abs(shares - 0.2) < 0.06).all(), shares
    assert (iterative_parts(table, (0.8, 0.2), seed=1) == parts).all()


def test_the_threshold_is_that_of_the_best_f1() -> None:
    probabilities = np.array([[0.1, 0.9], [0.2, 0.8], [0.3, 0.2], [0.6, 0.1]], np.float32)
    targets = np.array([[0, 1], [1, 1], [1, 0], [1, 0]], np.float32)
    assert best_thresholds(probabilities, targets) == pytest.approx([0.15, 0.5])
