"""What recipes can ask for beyond the paper: backbones, schedules, averaged weights, a teacher."""

from __future__ import annotations

import hashlib
import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import scene_lightning as keras
from scene_lightning.data.scan import scan_folder
from scene_lightning.demo_scenes.scenes import draw_scenes
from scene_lightning.errors import InputError, RecipeError
from scene_lightning.inference.evaluate import evaluate
from scene_lightning.inference.model_card import write_card
from scene_lightning.recipes.backbones import BACKBONE
from scene_lightning.recipes.network import build_model, compile_model
from scene_lightning.recipes.recipe import Recipe, load_recipe
from scene_lightning.reports.metrics_file import read_metrics
from scene_lightning.runs.distillation import ANSWERS
from scene_lightning.runs.prepare import prepare_model
from scene_lightning.runs.train import train

SMALL = ["filters=[4]", "dense=[8]", "input_size=24", "batch_size=8", "epochs=2", "precision=32-true"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    draw_scenes(folder, 6, test_per_class=2, predict=1, size=32)
    return folder


def recipe(*overrides: str, config: str = "paper") -> Recipe:
    return load_recipe(config, overrides)


def test_a_run_in_bfloat16_is_judged_as_evaluate_judges_it(data: Path, tmp_path: Path) -> None:
    done = train(str(data), recipe=recipe(*SMALL[:-1], "precision=bf16-mixed"), out=str(tmp_path / "run"))
    assert done.evaluation is not None
    assert done.evaluation == json.loads((tmp_path / "run" / "evaluation.json").read_text())
    again = evaluate(str(done.folder), str(data))
    assert again["loss"] == pytest.approx(done.evaluation["loss"], rel=1e-6)
    assert all(again[key] == done.evaluation[key] for key in ("accuracy", "confusion_matrix", "per_class", "images"))


# -- schedules ---------------------------------------------------------------------------------------------------------


def test_a_cosine_rises_for_the_warm_up_and_falls_to_the_end() -> None:
    wanted = recipe("schedule=cosine", "warmup_epochs=2", "epochs=10", "learning_rate=0.1", "batch_size=10", *SMALL[:3])
    model = build_model(wanted, 3)
    compile_model(model, wanted, images=95)
    schedule = model.optimizer.get_config()["learning_rate"]["config"]
    rates = [float(model.optimizer._learning_rate(step)) for step in range(101)]
    assert schedule["warmup_steps"] == 20
    assert rates[0] == pytest.approx(0.001)
    assert rates[20] == pytest.approx(0.1)
    assert rates[10] == pytest.approx((0.001 + 0.1) / 2)
    assert rates[60] == pytest.approx(0.1 * (0.99 * 0.5 * (1 + math.cos(math.pi / 2)) + 0.01))
    assert rates[100] == pytest.approx(0.001)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("warmup_epochs=1", "a constant rate has no warm-up"),
        ("freeze=true", "the paper's network has no backbone"),
        ("architecture=resnet5", "Did you mean 'resnet50'"),
        ("backbone_rate=0", "more than 0"),
        ("model.dropout=[0.1, 0.2]", "expected one rate, or 4, one for each of model.filters; received 2"),
        ("model.dropout=[0, 0, 0, 1.5]", "expected less than 1; received 1.5"),
        ("model.dropout=[0, 0, 0, -0.5]", "expected 0 or more; received -0.5"),
        ("model.dropout=much", "expected a number from 0 to below 1, or a list of them; received 'much'"),
    ],
)
def test_settings_that_mean_nothing_are_refused(setting: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        recipe(setting)


def test_mixed_targets_need_a_loss_that_takes_them() -> None:
    with pytest.raises(RecipeError, match="Expected loss: categorical_crossentropy"):
        recipe("mixup=0.2", "loss=sparse_categorical_crossentropy")


def test_each_block_may_have_its_own_dropout() -> None:
    model = build_model(recipe("model.dropout=[0, 0.1, 0.2, 0.4]", "dense=[8]", "dense_dropout=0.3"), 6)
    rates = [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
    assert rates == [0.0, 0.1, 0.2, 0.4, 0.3]


# -- averaged weights --------------------------------------------------------------------------------------------------


def test_the_averaged_weights_are_validated_and_kept(data: Path, tmp_path: Path) -> None:
    run = train(str(data), overrides=["ema_momentum=0.9", "learning_rate=0.01", *SMALL], out=str(tmp_path / "run"))
    assert run.evaluation is not None
    best, last = (
        torch.load(run.folder / name, weights_only=True, map_location="cpu") for name in ("best.ckpt", "last.ckpt")
    )
    name = next(key for key in last["state_dict"] if key.endswith("kernel"))
    slots = [state["average"] for state in last["optimizer_states"][0]["state"].values()]
    if best["epoch"] == last["epoch"]:
        assert any(torch.equal(best["state_dict"][name], slot) for slot in slots if slot.shape == slots[0].shape)
    assert not torch.equal(best["state_dict"][name], last["state_dict"][name])


def test_the_best_epoch_is_the_one_that_the_recipe_means(data: Path, tmp_path: Path) -> None:
    for monitor, best in (("val_accuracy", max), ("val_loss", min)):
        run = train(
            str(data),
            overrides=[*SMALL, "epochs=5", "learning_rate=0.00003", "augmentation=off", f"best_by={monitor}"],
            out=str(tmp_path / monitor),
        )
        rows = read_metrics(run.folder / "metrics.csv")
        kept = torch.load(run.folder / "best.ckpt", weights_only=True)["epoch"] + 1
        assert kept == best(rows, key=lambda row: row[monitor])["epoch"]  # the first of equals
    assert kept != max(rows, key=lambda row: row["val_accuracy"])["epoch"]
    with pytest.raises(RecipeError, match="val_accuracy needs metrics"):
        recipe("metrics=[precision]", "best_by=val_accuracy")


def test_a_run_with_averages_resumes_exactly(data: Path, tmp_path: Path) -> None:
    settings = ["ema_momentum=0.9", *SMALL]
    train(str(data), overrides=[*settings, "epochs=2"], out=str(tmp_path / "whole"))
    train(str(data), overrides=[*settings, "epochs=1"], out=str(tmp_path / "parts"))
    train(str(data), overrides=["epochs=2"], resume=str(tmp_path / "parts" / "last.ckpt"))
    whole, parts = (
        torch.load(tmp_path / name / "last.ckpt", weights_only=True)["state_dict"] for name in ("whole", "parts")
    )
    for name, value in whole.items():
        torch.testing.assert_close(parts[name], value, rtol=0, atol=0)


# -- a teacher ---------------------------------------------------------------------------------------------------------


def test_a_teachers_answers_become_targets(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    teacher = train(str(data), overrides=SMALL, out=str(tmp_path / "teacher")).folder
    seen: list[Any] = []
    real = keras.Model.fit

    def noting(self: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append(x.targets.numpy().copy())
        return real(self, x, *args, **kwargs)

    monkeypatch.setattr(keras.Model, "fit", noting)
    student = train(
        str(data),
        overrides=[f"teacher={teacher}", "distillation_weight=0.6", "mixup=0.2", *SMALL],
        out=str(tmp_path / "s"),
    ).folder
    (targets,) = seen
    with np.load(student / ANSWERS) as kept:
        answers = kept["probabilities"]
    labels = targets - 0.6 * answers
    np.testing.assert_allclose(targets.sum(1), 1, atol=1e-5)
    np.testing.assert_allclose(np.sort(labels, axis=1)[:, :-1], 0, atol=1e-6)
    np.testing.assert_allclose(labels.max(1), 0.4, atol=1e-6)
    model = keras.models.load_model(teacher / "best.ckpt")
    table = scan_folder(str(data / "seg_train"))
    image = keras.utils.img_to_array(keras.utils.load_img(table.paths[0], target_size=(24, 24))) / 255
    both = model.predict(np.stack([image, image[:, ::-1]]), verbose=0).mean(0)
    np.testing.assert_allclose(answers[0], both, atol=1e-5)


@pytest.mark.soak
def test_several_teachers_answer_on_average(data: Path, tmp_path: Path) -> None:
    teachers = [
        train(str(data), overrides=[*SMALL, "epochs=1", f"seed={n}"], out=str(tmp_path / f"t{n}")).folder
        for n in (1, 2)
    ]
    answers = []
    for number, chosen in enumerate([f"[{teachers[0]},{teachers[1]}]", str(teachers[0]), str(teachers[1])]):
        overrides = [*SMALL, "epochs=1", f"teacher={chosen}"]
        student = train(str(data), overrides=overrides, out=str(tmp_path / f"student{number}")).folder
        with np.load(student / ANSWERS) as kept:
            answers.append(kept["probabilities"])
    both, first, second = answers
    assert np.abs(first - second).max() > 0.01
    np.testing.assert_allclose(both, (first + second) / 2, atol=1e-6)


@pytest.mark.parametrize("value", ["[]", "[1]", "7"])
def test_a_teacher_is_named(value: str, data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="run folder"):
        train(str(data), overrides=[f"teacher={value}", *SMALL], out=str(tmp_path / "student"))


def test_a_teacher_of_other_classes_is_refused(data: Path, tmp_path: Path) -> None:
    teacher = train(str(data), overrides=[*SMALL, "epochs=1"], out=str(tmp_path / "teacher")).folder
    other = tmp_path / "other"
    draw_scenes(other, 3, test_per_class=1, predict=1, size=32)
    (other / "seg_train" / "sea").rename(other / "seg_train" / "lake")
    (other / "seg_test" / "sea").rename(other / "seg_test" / "lake")
    with pytest.raises(InputError, match="trained on the same classes"):
        train(str(other), overrides=[f"teacher={teacher}", *SMALL], out=str(tmp_path / "student"))


@pytest.mark.soak
def test_files_for_others_name_a_teacher_by_what_it_is_and_by_hash(data: Path, tmp_path: Path) -> None:
    teacher = train(str(data), overrides=[*SMALL, "epochs=1"], out=str(tmp_path / "teacher")).folder
    (tmp_path / "mine.csv").write_text("hash,action\n0000000000000001,drop\n")
    settings = [f"initial_weights={teacher}/best.ckpt", f"teacher=[{teacher}]", f"overlay={tmp_path}/mine.csv"]
    words = [*SMALL, "epochs=1", "precision=32-true"]
    with pytest.raises(InputError, match=r"initial_weights: .* holds another network"):
        train(str(data), overrides=[*words, *settings, "filters=[5]"], out=str(tmp_path / "other"))
    run = train(str(data), overrides=[*words, *settings], out=str(tmp_path / "run")).folder
    model = keras.models.load_model(run / "best.ckpt")
    digest = hashlib.sha256((teacher / "best.ckpt").read_bytes()).hexdigest()[:12]
    assert model._recipe["training"]["teacher"] == [f"paper (paper, SHA-256 {digest})"]
    assert model._recipe["model"]["initial_weights"] == f"paper (paper, SHA-256 {digest})"
    assert model._recipe["data"]["overlay"].startswith("mine.csv (SHA-256 ")
    model.save(tmp_path / "model.safetensors")
    model._recipe["training"]["teacher"] = [str(teacher), str(tmp_path / "gone.ckpt")]  # as earlier versions kept them
    model.save(tmp_path / "old.safetensors")
    write_card(str(tmp_path / "old.safetensors"), str(data), tmp_path / "card.md")
    for file in (run / "best.ckpt", run / "last.ckpt", tmp_path / "model.safetensors", tmp_path / "card.md"):
        assert os.fsencode(tmp_path) not in file.read_bytes(), file
    assert "gone.ckpt" in (tmp_path / "card.md").read_text()
    resumed = train(None, resume=str(run), overrides=["epochs=2"]).folder
    assert len(read_metrics(resumed / "metrics.csv")) == 2
    begun = prepare_model(recipe(*words, settings[0]), model.image_info["class_names"]).get_weights()
    for own, theirs in zip(begun, keras.models.load_model(teacher / "best.ckpt").get_weights(), strict=True):
        np.testing.assert_array_equal(own, theirs)


# -- backbones ---------------------------------------------------------------------------------------------------------


def test_a_backbone_takes_what_its_weights_expect() -> None:
    model = build_model(recipe("architecture=mobilenet_v2", "input_size=64"), 4)
    body = model.get_layer(BACKBONE)
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3)).astype(np.float32)
    ready = keras.applications.mobilenet_v2.preprocess_input(images)
    cut = keras.Model(model.input, model.get_layer("dropout").input)
    np.testing.assert_allclose(
        cut.predict(images / 255, verbose=0), body.predict(ready, verbose=0), rtol=1e-4, atol=1e-5
    )


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """By architecture, settings that start it from a file of weights: it then keeps BatchNormalization's statistics."""
    folder, made = tmp_path_factory.mktemp("weights"), {}
    for name, construct in (
        ("mobilenet_v3_small", keras.applications.MobileNetV3Small),
        ("efficientnet_lite0", keras.applications.EfficientNetLite0),
    ):
        file = str(folder / f"{name}.weights.h5")
        construct(include_top=False, weights=None, input_shape=(32, 32, 3), pooling="avg").save_weights(file)
        small = ["input_size=32", "batch_size=8", "precision=32-true"]
        made[name] = [f"pretrained={file}", f"architecture={name}", *small]
    return made


def test_a_backbone_without_weights_finds_its_own_statistics() -> None:
    model = build_model(recipe("architecture=mobilenet_v3_small", "input_size=32"), 6)
    found = [one for one in model.modules() if isinstance(one, keras.layers.BatchNormalization)]
    assert found and all(one.trainable for one in found)


@pytest.mark.soak
def test_the_head_learns_alone_then_the_backbone_slowly(
    data: Path, tmp_path: Path, started: dict[str, list[str]]
) -> None:
    settings = started["mobilenet_v3_small"]
    wanted = recipe(*settings, "head_epochs=1", "backbone_rate=0.1")
    torch.manual_seed(wanted.training.seed)
    model = build_model(wanted, 6)
    body, head = model.get_layer(BACKBONE), model.get_layer("classes")
    assert not body.trainable_weights
    assert head.trainable_weights
    before = [weight.copy() for weight in body.get_weights()]
    folder = train(str(data), recipe=recipe(*settings, "head_epochs=1", "epochs=1"), out=str(tmp_path / "one")).folder
    frozen = keras.models.load_model(folder / "last.ckpt").get_layer(BACKBONE).get_weights()
    for one, other in zip(before, frozen, strict=True):
        np.testing.assert_array_equal(one, other)  # the same seed made the same first weights, and nothing moved
    folder = train(
        str(data), recipe=recipe(*settings, "head_epochs=1", "epochs=2", "backbone_rate=0.1"), out=str(tmp_path / "two")
    ).folder
    freed = keras.models.load_model(folder / "last.ckpt").get_layer(BACKBONE)
    moved = [not np.array_equal(a, b) for a, b in zip(before, freed.get_weights(), strict=True)]
    assert any(moved)
    assert not all(moved)  # BatchNormalization keeps its statistics


@pytest.mark.soak
def test_the_layers_before_a_named_one_stay_frozen(data: Path, tmp_path: Path, started: dict[str, list[str]]) -> None:
    settings = [*started["efficientnet_lite0"], "freeze=block4", "head_epochs=1", "epochs=2", "learning_rate=0.01"]
    wanted = recipe(*settings)
    torch.manual_seed(wanted.training.seed)
    before = build_model(wanted, 6).get_layer(BACKBONE)
    folder = train(str(data), recipe=wanted, out=str(tmp_path / "run")).folder
    after = keras.models.load_model(folder / "last.ckpt").get_layer(BACKBONE)
    names = [layer.name for layer in before.layers]
    border = names.index("block4a_expand_conv")
    moved = [
        name
        for name, one, other in zip(names, before.layers, after.layers, strict=True)
        if name.endswith("conv") and not np.array_equal(one.get_weights()[0], other.get_weights()[0])
    ]
    assert "top_conv" in moved
    assert not set(moved) & set(names[:border])
    assert [bool(layer.trainable_weights) for layer in after.layers if layer.name.endswith("conv")] == [
        names.index(name) >= border for name in names if name.endswith("conv")
    ]
    for one, other in zip(before.layers, after.layers, strict=True):
        if isinstance(one, keras.layers.BatchNormalization):
            for old, new in zip(one.get_weights(), other.get_weights(), strict=True):
                np.testing.assert_array_equal(old, new)
    with pytest.raises(InputError, match=r"a name that begins with 'blok4'\. Did you mean"):
        build_model(recipe(*settings, "freeze=blok4"), 6)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "lion"])
def test_a_weights_rate_is_scaled_whatever_the_optimizer(optimizer: str) -> None:
    weights = [torch.nn.Parameter(torch.ones(3)) for _ in range(2)]
    weights[1]._learning_rate_factor = 0.25  # type: ignore[attr-defined]
    made = keras.optimizers.get({"class_name": optimizer, "config": {"learning_rate": 0.1, "weight_decay": 0.1}})
    made.apply_gradients([(torch.tensor([1.0, -2.0, 0.5]), weight) for weight in weights])
    torch.testing.assert_close((1 - weights[1]) / (1 - weights[0]), torch.full((3,), 0.25))


def test_grey_images_do_not_go_into_a_backbone() -> None:
    with pytest.raises(InputError, match=r"set data\.color_mode to rgb"):
        build_model(recipe("architecture=vgg16", "color_mode=grayscale", "input_size=64"), 3)
