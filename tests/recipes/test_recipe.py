"""Recipes: what a file and overrides resolve to, and that every problem is named at once."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from scene_lightning.errors import RecipeError
from scene_lightning.recipes.model_schema import smallest_input
from scene_lightning.recipes.recipe import Recipe, dump_recipe, load_recipe, recipe_names, recipe_of
from scene_lightning.recipes.vocabulary import COMMON_ARGUMENTS, LOSSES, METRICS, OPTIMIZER_ARGUMENTS, OPTIMIZERS

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


@pytest.fixture
def write(tmp_path: Path):
    def write(text: str, name: str = "mine.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def problems_of(*arguments) -> str:
    with pytest.raises(RecipeError) as caught:
        load_recipe(*arguments)
    return str(caught.value)


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.y*ml")), ids=lambda path: path.stem)
def test_every_recipe_that_ships_is_valid_and_has_its_header(path: Path):
    recipe = load_recipe(path)
    assert recipe.name == path.stem
    assert path.stem in recipe_names()
    assert load_recipe(path.stem) == recipe
    header = path.read_text(encoding="utf-8").split("name:")[0]
    assert all(word in header for word in ("scene-lightning", "Data:", "ime", "ccuracy"))


def test_paper_recipe_has_the_paper_s_numbers():
    recipe = load_recipe("paper")
    assert recipe.model.filters == (32, 64, 128, 256)
    assert recipe.model.dense == (128,) * 4
    assert (recipe.model.kernel_size, recipe.model.dropout, recipe.model.dense_dropout) == ((3, 3), 0.2, 0.2)
    assert recipe.input_shape == (150, 150, 3)
    assert recipe.data.rescale == 1 / 255
    augmentation = recipe.data.augmentation
    assert (augmentation.shear_range, augmentation.zoom_range, augmentation.horizontal_flip) == (0.2, 0.2, True)
    training = recipe.training
    assert (training.epochs, training.batch_size, training.seed) == (12, 32, 777)
    assert (training.optimizer, training.learning_rate) == ("adam", 1e-3)
    assert (training.loss, training.metrics) == ("categorical_crossentropy", ("accuracy",))
    assert training.precision == "32-true"


def test_a_file_lists_only_what_differs_and_is_named_after_itself(write):
    recipe = load_recipe(write("training:\n  epochs: 3\ndata:\n", "my own.yaml"))
    assert recipe.name == "my-own"
    assert recipe.training.epochs == 3
    assert recipe.model == Recipe().model
    assert recipe.data == Recipe().data
    assert load_recipe(write("", "empty.yaml")).training == Recipe().training


def test_what_is_dumped_loads_to_an_equal_recipe(write):
    overrides = ["cache=off", "zoom_range=[0.5, 1.5]", "brightness_range=[0.2, 1]", "patience=2", "devices=[0, 1]",
                 "width_shift_range=3", "optimizer_arguments={beta_1: 0.8}", "name='1e-3'"]  # fmt: skip
    recipe = load_recipe("demo", overrides)
    assert load_recipe(write(dump_recipe(recipe))) == recipe
    assert recipe.data.augmentation.width_shift_range == 3
    assert isinstance(recipe.data.augmentation.width_shift_range, int)  # pixels, where 3.0 would be a fraction


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("data: {cache: off}", lambda recipe: recipe.data.cache == "off"),
        ("training: {learning_rate: 1e-4}", lambda recipe: recipe.training.learning_rate == 1e-4),
        ("training: {learning_rate: 1}", lambda recipe: recipe.training.learning_rate == 1.0),
        ("data: {rescale: 1/255}", lambda recipe: recipe.data.rescale == 1 / 255),
        ("model: {input_size: 64}", lambda recipe: recipe.model.input_size == (64, 64)),
        ("data: {augmentation: off}", lambda recipe: not recipe.data.augmentation.horizontal_flip),
        ("training: {early_stopping: off}", lambda recipe: recipe.training.early_stopping is None),
        ("training: {optimizer: SGD}", lambda recipe: recipe.training.learning_rate == 0.01),
        ("training: {loss: sparse_categorical_crossentropy}", lambda recipe: recipe.class_mode == "sparse"),
        ("data: {color_mode: grayscale}", lambda recipe: recipe.input_shape == (150, 150, 1)),
        ("training: {seed: 010}", lambda recipe: recipe.training.seed == 10),
    ],
)
def test_values_mean_what_people_write(write, text, read):
    assert read(load_recipe(write(text)))


def test_overrides_take_dotted_and_bare_unique_keys():
    recipe = load_recipe(
        "paper",
        ["training.learning_rate=0.01", "epochs=2", "augmentation=off", "shear_range=5", "early_stopping.patience=3",
         "optimizer_arguments.beta_1=0.8", "filters=[8, 16]"],
    )  # fmt: skip
    assert (recipe.training.learning_rate, recipe.training.epochs) == (0.01, 2)
    assert (recipe.data.augmentation.zoom_range, recipe.data.augmentation.shear_range) == (0.0, 5.0)
    assert recipe.training.early_stopping is not None
    assert recipe.training.early_stopping.patience == 3
    assert recipe.training.optimizer_arguments == {"beta_1": 0.8}
    assert recipe.model.filters == (8, 16)


def test_all_problems_come_at_once_with_their_lines_and_the_nearest_name(write):
    path = write(
        """\
model:
  droput: 0.3
  dropout: 1
  filters: [32, -1]
  channels: 3
data:
  cache: of
training:
  epochs: 0
  epochs: 2.5
  optimizer: adm
  loss: crossentropi
  learning_rate: -0.1
  input_size: 64
  horizontal_flip: yes
trainin: {}
"""
    )
    message = problems_of(path, ["training.batch_size=none", "foo=1", "patience"])
    for expected in (
        "line 2: model.droput: unknown key. Did you mean 'dropout'?",
        "line 3: model.dropout: expected less than 1; received 1",
        "line 4: model.filters.1: expected 1 or more; received -1.",
        "line 5: model.channels: unknown key. The number of channels follows from data.color_mode.",
        "line 7: data.cache: expected 'auto', 'off', 'ram' or 'disk'; received 'of'. Did you mean 'off'?",
        "line 10: training.epochs: this key is already on line 9.",
        "line 10: training.epochs: expected a whole number; received 2.5.",
        "line 11: training.optimizer: unknown optimizer 'adm'. Did you mean 'adam'?",
        "line 12: training.loss: unknown loss 'crossentropi'.",
        "line 13: training.learning_rate: expected more than 0; received -0.1.",
        "line 14: training.input_size: unknown key. Did you mean 'model.input_size'?",
        "line 15: training.horizontal_flip: unknown key. Did you mean 'data.augmentation.horizontal_flip'?",
        "line 16: trainin: unknown key. Did you mean 'training'?",
        "--set training.batch_size=none: training.batch_size: expected a whole number; received 'none'.",
        "--set foo=1: unknown key 'foo'.",
        "--set patience: expected key=value",
    ):
        assert expected in message
    assert f"{path} has 16 problems:" in message


def test_images_too_small_for_the_network_are_told_the_least_size():
    assert smallest_input(4, (3, 3), (2, 2)) == (46, 46)
    assert load_recipe("paper", ["input_size=46"]).model.input_size == (46, 46)
    message = problems_of("paper", ["input_size=[150, 45]"])
    assert "150 x 45 is too small for 4 blocks" in message
    assert "at least 46 x 46" in message
    assert "too small for 8 blocks" in problems_of("paper", ["filters=[1, 1, 1, 1, 1, 1, 1, 1]"])


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("zoom_range=1", "from 0 to below 1"),
        ("zoom_range=[1.2, 0.8]", "[lowest, highest]"),
        ("brightness_range=0.5", "[lowest, highest]"),
        ("width_shift_range=wide", "fraction of the side"),
        ("shear_range=-1", "0 or more"),
        ("fill_mode=nearst", "Did you mean 'nearest'?"),
        ("rescale=1/0", "a number or a fraction"),
        ("learning_rate=.nan", "a finite number"),
        ("devices=0", "expected auto, a number of devices"),
        ("deterministic=yes", "true, false or warn"),
        ("training.seed=-1", "0 or more"),
        ("training.metrics=[acuracy]", "Did you mean 'accuracy'?"),
        ("optimizer_arguments={beta1: 0.9}", "Did you mean 'beta_1'?"),
        ("optimizer_arguments={clipnorm: 1, clipvalue: 1}", "only one of clipnorm, clipvalue"),
        ("optimizer_arguments={learning_rate: 1}", "training.learning_rate"),
        ("name=../x", "letters, digits"),
        ("training=3", "a mapping"),
        ("data.augmentation=[1]", "a mapping"),
        ("model.dense=128", "expected a list"),
        ("epochs=[1", "not valid YAML"),
    ],
)
def test_impossible_values_are_refused(override, expected):
    assert expected in problems_of("paper", [override])


def test_smoothing_needs_a_loss_that_has_it():
    assert load_recipe("paper", ["label_smoothing=0.1"]).training.label_smoothing == 0.1
    assert "has no label smoothing" in problems_of("paper", ["loss=hinge", "label_smoothing=0.1"])


def _laughs(form):
    """A billion laughs: each line has nine of the line before it."""
    lines = [f"l{n}: &l{n} " + form.format(", ".join([f"*l{n - 1}"] * 9)) for n in range(1, 30)]
    return "\n".join(["l0: &l0 {b: 1}", *lines, ""])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("- a\n- b\n", "expected 'key: value' lines; received list"),
        ("just words", "received str"),
        ("training:\n  epochs: [1\nx: 2\n", "not valid YAML: line 3"),
        ("a: !!python/object:os.system x", "not valid YAML: line 1"),
        ("a: \x00", "not valid YAML"),
        ("[" * 3000, "nested too deeply"),
        ("a: 1\n---\nb: 2\n", "not valid YAML"),
        ("training: &a\n  optimizer_arguments: *a\n", "contains itself"),
        ("1: 2\n", "line 1: 1: unknown key"),
        ("training: {seed: " + "9" * 5000 + "}", "not valid YAML"),
        (_laughs("[{}]") + "training: {class_weight: *l29}\n", "more than 100000 values"),
        (_laughs("{{a: 1, <<: [{}]}}") + "training: {optimizer_arguments: *l29}\n", "more than 100000 values"),
        ("x" * 300_000, "300000 letters"),
        ("x" * 2_000_000, "2000000 bytes"),
        ("".join(f"k{n}: 1\n" for n in range(100)), "and 50 more"),
    ],
)
def test_what_is_no_recipe_gets_one_clear_error(write, text, expected):
    assert expected in problems_of(write(text))


def test_names_files_and_folders_that_are_not_there(tmp_path, monkeypatch):
    assert "Did you mean 'paper'?" in problems_of("papr")
    assert "Expected one of: " in problems_of(tmp_path / "no.yaml")
    assert "No recipe" in problems_of(tmp_path)
    (tmp_path / "latin.yaml").write_bytes(b"name: caf\xe9\n")
    assert "expected UTF-8 text" in problems_of(tmp_path / "latin.yaml")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "paper").mkdir()  # a run folder of that name must not hide the recipe
    assert load_recipe("paper").name == "paper"


def test_the_names_that_recipes_know_are_keras_names():
    keras = pytest.importorskip("keras")
    for name, rate in OPTIMIZERS.items():
        optimizer = keras.optimizers.get(name)
        arguments = inspect.signature(type(optimizer).__init__).parameters
        assert float(optimizer.learning_rate) == pytest.approx(rate)
        assert {*OPTIMIZER_ARGUMENTS[name], *COMMON_ARGUMENTS} <= arguments.keys()
    for name in LOSSES:
        if not name.startswith("m3ce"):  # of a paper, not of Keras
            assert keras.losses.get(name) is not None
    for name in METRICS:
        if name not in ("accuracy", "acc"):  # compile() resolves these two from the shapes
            assert keras.metrics.get(name) is not None


def test_checking_a_recipe_does_not_import_torch():
    code = "import sys, scene_lightning.recipes.recipe as r; r.load_recipe('paper'); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=CONFIGS.parent)


@pytest.mark.parametrize("name", recipe_names())
def test_the_recipe_in_a_checkpoint_takes_overrides_as_a_file_does(name: str) -> None:
    data = load_recipe(name).model_dump(mode="json")
    overrides = [("training.epochs", 99), "data.augmentation=off"]
    expected = load_recipe(name, ["training.epochs=99", "augmentation=off"])
    assert recipe_of(data, overrides, "last.ckpt") == expected == load_recipe(name, overrides)
    with pytest.raises(RecipeError, match=r"last.ckpt has a problem:\n  --set epochs=0: training.epochs: expected 1"):
        recipe_of(data, [("epochs", 0)], "last.ckpt")


def test_keys_by_their_earlier_names_still_work_and_are_noted_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("scene_lightning.recipes.recipe._noted", set())
    (tmp_path / "old.yaml").write_text("training: {ema: 0.9, progressive: [0.5, 1], teacher_share: 0.4}\n")
    for _ in range(2):
        training = load_recipe(tmp_path / "old.yaml", ["recalculate_batchnorm=true"]).training
        assert (training.ema_momentum, training.progressive_resizing) == (0.9, (0.5, 1.0))
        assert (training.distillation_weight, training.recalibrate_batchnorm) == (0.4, True)
    noted = capsys.readouterr().err.splitlines()
    assert len(noted) == 4 and "note: the recipe key 'ema' is called 'ema_momentum' now" in noted[0]
