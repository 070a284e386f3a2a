"""`train DATA` without a recipe chooses one for the images and the time, says so, and keeps to its budget."""

from __future__ import annotations

import json
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from scene_lightning.cli import main as cli
from scene_lightning.data.scan import find_splits
from scene_lightning.demo_scenes.scenes import draw_scenes
from scene_lightning.errors import InputError, RecipeError
from scene_lightning.models import Model
from scene_lightning.recipes.model_schema import seen_size
from scene_lightning.recipes.recipe import load_recipe
from scene_lightning.reports.metrics_file import read_metrics
from scene_lightning.runs import budget, choose_recipe
from scene_lightning.runs.budget import Clock
from scene_lightning.runs.choose_recipe import choose
from scene_lightning.runs.fit_classifier import fitted_classifier
from scene_lightning.runs.run_record import TrainingInterrupted
from scene_lightning.runs.train import train

SMALL = ["filters=[4]", "dense=[8]", "input_size=24", "batch_size=8", "precision=32-true"]
QUICK = ["input_size=32", "batch_size=8", "precision=32-true"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    draw_scenes(folder, 6, test_per_class=2, predict=1, size=32)
    return folder


def words(settings: list[str]) -> list[str]:
    return [word for setting in settings for word in ("--set", setting)]


def weights(file: Path) -> dict[str, torch.Tensor]:
    return torch.load(file, weights_only=True)["state_dict"]


# -- the choice --------------------------------------------------------------------------------------------------------


def test_the_choice_is_said_and_recorded(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    assert cli.run(["train", str(data), "--epochs", "2", *words(QUICK), "--out", str(run)]) == 0
    told = capsys.readouterr().out
    assert "chosen    efficientnet_lite0 (ImageNet's weights, 32 x 32 pixels)" in told
    recipe = load_recipe(str(run / "recipe.yaml"))
    assert recipe.model.architecture == "efficientnet_lite0" and recipe.model.pretrained is True
    assert recipe.name == "auto" and recipe.training.epochs == 2
    assert json.loads((run / "run.json").read_text())["chosen"] in told


@pytest.mark.soak
def test_a_chosen_recipe_can_be_repeated(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    assert cli.run(["train", str(data), "--epochs", "2", *words(QUICK), "--out", str(run)]) == 0
    assert cli.run(["rerun", str(run), "--out", str(tmp_path / "again")]) == 0
    assert "the same numbers as" in capsys.readouterr().out


def test_the_time_decides_between_frozen_features_and_fine_tuning(data: Path) -> None:
    table = find_splits(str(data), 0.2, 777).train
    settings = [*QUICK, ("training.budget", "10m")]
    tuned = choose(table, 12, settings, Clock())
    assert tuned.recipe.model.freeze == "block4" and tuned.recipe.model.head_epochs == 1
    assert tuned.recipe.training.epochs == 1 + choose_recipe._MOST_EPOCHS
    assert "epochs of fine-tuning" in tuned.why and "timed here" in tuned.why and "of the 10m" in tuned.why
    frozen = choose(table, 12, settings, Clock(spent=599))
    assert frozen.recipe.model.freeze is True and frozen.recipe.training.epochs == 1
    assert "no time for fine-tuning" in frozen.why


def test_without_weights_it_is_the_papers_network(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose_recipe, "weights_at_hand", lambda: [])
    table = find_splits(str(data), 0.2, 777).train
    chosen = choose(table, 12, [], Clock())
    assert chosen.recipe == load_recipe("paper")
    assert 'pip install "scene-lightning[backbones]"' in chosen.why
    short = choose(table, 12, [("training.budget", "5s")], Clock(spent=2))
    assert short.recipe.training.epochs == 1


@pytest.mark.parametrize(
    ("setting", "why"),
    [
        ("filters=[4]", "model.filters was set"),
        ("color_mode=grayscale", "it takes grayscale images"),
        ("recalibrate_batchnorm=true", "does not take the given settings"),
    ],
)
def test_settings_of_the_papers_network_choose_it(data: Path, setting: str, why: str) -> None:
    chosen = choose(find_splits(str(data), 0.2, 777).train, 12, [setting], Clock())
    assert chosen.recipe.model.architecture == "paper" and why in chosen.why


@pytest.mark.soak
def test_a_backbone_from_random_weights_is_trained_as_a_whole(data: Path, tmp_path: Path) -> None:
    settings = words(["input_size=32", "epochs=1", "batch_size=16"])
    assert (
        cli.run(["train", str(data), "--model", "mobilenet_v3_small", *settings, "--out", str(tmp_path / "run")]) == 0
    )
    model = load_recipe(str(tmp_path / "run" / "recipe.yaml")).model
    assert model.pretrained is False and model.freeze is False and model.backbone_rate == 1


def test_a_frozen_backbone_needs_weights(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["train", str(data), "--model", "efficientnet_lite0", "--freeze"]) == 2
    message = capsys.readouterr().err
    assert "random weights" in message and "--pretrained" in message and "scene-lightning[backbones]" in message
    for settings in (["architecture=vgg16", "freeze=block2"], ["architecture=vgg16", "fit_classifier=true"]):
        with pytest.raises(RecipeError, match="random weights"):
            load_recipe("paper", settings)


# -- the budget --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("span", ["soon", "10", "0m", "-5m"])
def test_a_budget_is_a_span_of_time(data: Path, span: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["train", str(data), f"--budget={span}"]) == 2
    assert "expected a time such as 90s, 10m or 1.5h" in capsys.readouterr().err


def test_a_run_ends_within_its_budget_and_can_be_repeated(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(budget, "SECONDS_TO_END", 1.0)
    own = Model.training_step

    def slow(self: Model, batch: object, batch_idx: int = 0) -> object:
        time.sleep(0.02)
        return own(self, batch, batch_idx)

    monkeypatch.setattr(Model, "training_step", slow)
    run, settings = tmp_path / "run", words([*SMALL, "epochs=1000"])
    began = time.monotonic()
    assert cli.run(["train", str(data), *settings, "--config", "paper", "--budget", "3s", "--out", str(run)]) == 0
    assert time.monotonic() - began < 3.3 + 1.5  # what else this machine does
    assert "budget    3s are up in epoch" in capsys.readouterr().out
    ended = load_recipe(str(run / "recipe.yaml")).training.max_steps
    assert ended and {"best.ckpt", "evaluation.json", "metrics.csv"} <= {path.name for path in run.iterdir()}
    assert torch.load(run / "last.ckpt", weights_only=True)["global_step"] == ended
    monkeypatch.undo()
    assert cli.run(["rerun", str(run), "--out", str(tmp_path / "again")]) == 0
    assert "the same numbers as" in capsys.readouterr().out
    for name, value in weights(run / "last.ckpt").items():
        assert torch.equal(value, weights(tmp_path / "again" / "last.ckpt")[name])
    assert cli.run(["train", "--resume", str(run)]) == 2
    assert "--budget" in capsys.readouterr().err
    more = read_metrics(run / "metrics.csv")[-1]["epoch"] + 2
    assert cli.run(["train", "--resume", str(run), "--budget", "10m", "--epochs", str(more)]) == 0
    assert read_metrics(run / "metrics.csv")[-1]["epoch"] == more


def test_a_named_recipe_has_as_many_epochs_as_there_is_time_for(data: Path) -> None:
    table, settings = find_splits(str(data), 0.2, 777).train, [*SMALL, ("training.budget", "1h")]
    recipe = load_recipe("paper", [*settings, "epochs=5"])
    assert choose_recipe.in_time(recipe, table, 12, settings, Clock()).training.epochs == 5
    assert choose_recipe.in_time(recipe, table, 12, settings, Clock(spent=3596)).training.epochs == 1


def test_images_that_grow_are_timed_as_well(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps run in the largest size; of a run in which half of them have a ninth of the pixels, 5/9 of that count."""
    timed, own = [], choose_recipe.try_batch_sizes

    def ten_images_a_second(model: Any, feed_of: Any, sizes: Any, **options: Any) -> Any:
        for trial in own(model, feed_of, sizes, **options):  # the steps are taken, whatever they cost here
            timed.append(feed_of(8).progressive_sizes.sizes)
            yield replace(trial, images_per_second=10.0)

    monkeypatch.setattr(choose_recipe, "try_batch_sizes", ten_images_a_second)
    table = find_splits(str(data), 0.2, 777).train
    recipe = load_recipe("paper", [*SMALL, "input_size=96", "filters=[4, 4]", "progressive_resizing=[0.3334, 1]"])
    speed = choose_recipe._speed(recipe, table)
    assert len(timed) == 1 and len(timed[0]) == 1 and timed[0] == [seen_size(recipe.model)]
    assert speed.training == pytest.approx(5 / 9 / 10, rel=0.02)


def test_folds_have_no_budget(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["train", str(data), "--folds", "2", "--budget", "5m"]) == 2
    assert "--budget is the time of one run" in capsys.readouterr().err


# -- the classifier on frozen features ---------------------------------------------------------------------------------


@pytest.mark.soak
def test_the_classifier_is_fitted_to_the_features_of_one_pass(data: Path, tmp_path: Path) -> None:
    settings = [*QUICK, "freeze=true", "head_epochs=0", "epochs=1", "warmup_epochs=0", "augmentation=off"]
    fitted = train(str(data), "transfer", overrides=[*settings, "fit_classifier=true"], out=str(tmp_path / "fitted"))
    assert fitted.evaluation is not None and fitted.evaluation["accuracy"] >= 0.6  # one such epoch of steps: under 0.4


@pytest.mark.soak
def test_a_run_cut_off_among_frozen_features_ends_as_a_whole_one(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = [*QUICK, "head_epochs=1", "fit_classifier=true", "epochs=2", "freeze=block7", "save_every=1 steps"]
    whole = train(str(data), "transfer", overrides=settings, out=str(tmp_path / "whole")).folder
    own, count = Model.training_step, [0]

    def struck(self: Model, batch: object, batch_idx: int = 0) -> object:
        count[0] += 1
        if count[0] == 3:
            signal.raise_signal(signal.SIGTERM)
        return own(self, batch, batch_idx)

    monkeypatch.setattr(Model, "training_step", struck)
    with pytest.raises(TrainingInterrupted):
        train(str(data), "transfer", overrides=settings, out=str(tmp_path / "cut"))
    monkeypatch.undo()
    train(None, resume=str(tmp_path / "cut"))
    for name, value in weights(whole / "last.ckpt").items():
        assert torch.equal(value, weights(tmp_path / "cut" / "last.ckpt")[name]), name


@pytest.mark.parametrize("several_labels", [False, True])
def test_the_fit_is_that_of_scikit_learn(several_labels: bool) -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    random = np.random.default_rng(0)
    x = random.normal(2, 3, (400, 5)).astype(np.float32)
    truth = x @ random.normal(size=(5, 3)) - 4
    y = (truth > 0).astype(np.float32) if several_labels else np.eye(3, dtype=np.float32)[truth.argmax(1)]
    kernel, bias = fitted_classifier(
        torch.from_numpy(x), torch.from_numpy(y), torch.ones(400), 3, several_labels=several_labels
    )
    ours = x @ kernel.numpy() + bias.numpy()
    scaled = (x - x.mean(0)) / x.std(0)
    if several_labels:
        fits = [linear_model.LogisticRegression(C=1 / (2 * 400 * 1e-4)).fit(scaled, y[:, one]) for one in range(3)]
        theirs = np.stack([fit.decision_function(scaled) for fit in fits], 1)
    else:
        fit = linear_model.LogisticRegression(C=1 / (2 * 400 * 1e-4), max_iter=1000).fit(scaled, y.argmax(1))
        theirs = fit.decision_function(scaled)
        ours, theirs = ours - ours.mean(1, keepdims=True), theirs - theirs.mean(1, keepdims=True)
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.999
    np.testing.assert_allclose(ours, theirs, rtol=0.05, atol=0.3)


def test_fitting_needs_frozen_epochs() -> None:
    with pytest.raises(RecipeError, match="no epoch trains the classifier alone"):
        load_recipe("transfer", ["fit_classifier=true", "head_epochs=0"])
    with pytest.raises((RecipeError, InputError)):
        load_recipe("paper", ["fit_classifier=true"])
