"""`serve` on a model that gives a photograph any number of labels: endpoint, its description, heat maps, page."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scene_lightning.cli import main as cli
from scene_lightning.models import load_model
from scene_lightning.serving.torch_model import TorchModel
from tests.browser import browser, hindrances
from tests.serving.conftest import CLASSES, Served, save_tiny, serving
from tests.serving.test_page import cards, give, wait
from tests.serving.uploads import photograph

SEEDS = range(6)


@pytest.fixture(scope="module")
def labels_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose thresholds lie within what it answers, so that photographs have other labels."""
    folder = tmp_path_factory.mktemp("labels")
    for seed in SEEDS:
        (folder / f"{seed}.jpg").write_bytes(photograph(seed))
    plain = save_tiny(folder / "plain.keras", "sigmoid", thresholds=(0.5,) * len(CLASSES))
    rows = predicted(plain, folder)
    middle = [sorted(float(row[name]) for row in rows) for name in CLASSES]
    network = load_model(plain)
    network.image_info = {**network.image_info, "thresholds": [(values[2] + values[3]) / 2 for values in middle]}
    network.save(folder / "tiny.keras")
    return folder / "tiny.keras"


def predicted(model: Path, folder: Path) -> list[dict[str, str]]:
    """What `predict` says of the photographs."""
    names = [str(folder / f"{seed}.jpg") for seed in SEEDS]
    assert cli.run(["predict", str(model), *names, "--out", str(folder / "a.csv"), "--accelerator", "cpu"]) == 0
    with open(folder / "a.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def served(labels_file: Path) -> Iterator[Served]:
    with serving(TorchModel(str(labels_file), "cpu")) as server:
        yield server


def labels_of(server: Served) -> list[dict[str, float]]:
    files = [("files", (f"{seed}.jpg", photograph(seed))) for seed in SEEDS]
    return [one["predicted"] for one in server.http.post("/predict", files=files).json()["results"]]


def test_every_label_over_its_threshold_is_answered_with_its_probability(served: Served, labels_file: Path) -> None:
    answers = labels_of(served)
    rows = predicted(labels_file, labels_file.parent)
    assert [";".join(answer) for answer in answers] == [row["predicted"] for row in rows]
    assert len({row["predicted"] for row in rows}) > 1
    for answer, row in zip(answers, rows, strict=True):
        assert list(answer.values()) == pytest.approx([float(one) for one in row["probability"].split(";") if one])
    thresholds = served.http.get("/health").json()["thresholds"]
    assert list(thresholds) == list(CLASSES) and all(0 < one < 1 for one in thresholds.values())
    description = served.http.get("/openapi.json").json()["components"]["schemas"]
    assert {"LabelsAnswer", "LabelsResult"} <= description.keys() and "Result" not in description
    assert "threshold" in description["LabelsResult"]["properties"]["predicted"]["description"]
    counted = [line for line in served.http.get("/metrics").text.splitlines() if line.startswith("scene_lightning_ans")]
    assert sum(float(line.split()[-1]) for line in counted if "_total" in line) >= sum(map(len, answers))


def test_a_heat_map_is_of_the_label_that_was_asked_for(served: Served) -> None:
    pytest.importorskip("captum")

    def asked(label: str) -> Any:
        return served.http.post(f"/predict?heatmap=true&label={label}", files={"files": photograph()})

    maps = [asked(name).json()["results"][0]["heatmap"] for name in CLASSES[:2]]
    assert all(one.startswith("data:image/jpeg;base64,") for one in maps) and maps[0] != maps[1]
    refused = asked("seas")
    assert refused.status_code == 400 and "Did you mean 'sea'" in refused.json()["error"]["cure"]


def test_the_page_shows_all_labels_and_the_marks_of_their_thresholds(served: Served, tmp_path: Path) -> None:
    pytest.importorskip("captum")
    with browser(tmp_path) as start:
        chrome = start(served.url)
        answers = labels_of(served)
        most = max(SEEDS, key=lambda seed: len(answers[seed]))
        give(chrome, photograph(most), "many.jpg")
        wait(chrome, "1 photograph")
        (card,) = cards(chrome)
        likeliest = sorted(answers[most], key=lambda name: -answers[most][name])
        assert card.find_element("tag name", "h2").text == ", ".join(likeliest)
        bars = card.find_elements("css selector", ".row.first dt")
        assert {bar.text for bar in bars} == set(answers[most]) and len(bars) > 1
        thresholds = served.http.get("/health").json()["thresholds"]
        marks = [mark.get_attribute("style") for mark in card.find_elements("css selector", ".track > i")]
        shown = sorted(float(mark.removeprefix("left: ").removesuffix("%;")) for mark in marks)
        assert shown == pytest.approx(sorted(100 * one for one in thresholds.values()), abs=0.01)
        first, second = card.find_elements("tag name", "button")[:2]
        for button in (first, second):
            button.click()
            for _ in range(100):
                if button.get_attribute("aria-pressed") == "true":
                    break
                time.sleep(0.1)
        assert first.get_attribute("aria-pressed") == "false"
        assert f"what speaks for {second.text.removeprefix('Heat map: ')}" in card.find_element(
            "tag name", "img"
        ).get_attribute("alt")
        assert hindrances(chrome) == []
