"""Search spaces: those that ship, what they draw, and what a wrong one is answered with."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest

from scene_lightning.errors import RecipeError
from scene_lightning.recipes.recipe import Recipe, load_recipe, with_values
from scene_lightning.tuning.space import Space, load_space, space_names

SPACES = Path(__file__).resolve().parents[2] / "configs" / "spaces"
PAPER = load_recipe("paper")


def space_of(tmp_path: Path, text: str, recipe: Recipe = PAPER) -> Space:
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    return load_space(str(tmp_path / "mine.yaml"), recipe)


def drawn(space: Space, times: int) -> list[dict[str, object]]:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    return [space.draw(study.ask()) for _ in range(times)]


@pytest.mark.parametrize("path", sorted(SPACES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_space_that_ships_makes_recipes_and_starts_from_the_papers_own(path: Path, tmp_path: Path) -> None:
    assert path.stem in space_names()
    space = load_space(path.stem, PAPER)
    for values in drawn(space, 40):
        with_values(PAPER, values)  # raises for one that cannot be
    own = space.parameters_of(PAPER)
    fixed = optuna.trial.FixedTrial({"training.optimizer_arguments.weight_decay": 0.01, **own})
    assert with_values(PAPER, space.draw(fixed)).model == PAPER.model
    assert space_of(tmp_path, space.dump()).dimensions == space.dimensions


def test_the_papers_own_list_is_the_papers() -> None:
    keys = set(load_space("paper", PAPER).dimensions)
    named = {"batch_size", "epochs", "filters", "dense", "dropout", "dense_dropout"}
    assert {key.rpartition(".")[2] for key in keys} == named
    assert keys <= set(load_space("default", PAPER).dimensions)


def test_bounds_are_kept(tmp_path: Path) -> None:
    space = space_of(
        tmp_path,
        "learning_rate: {type: float, low: 1e-4, high: 1e-2, log: true}\n"
        "training.batch_size: {type: int, low: 8, high: 24, step: 8}\n"
        "model.dropout: {type: float, low: 0, high: 0.5, step: 0.25}\n"
        "training.optimizer: [adam, sgd]\n"
        "model.dense: {type: categorical, choices: [[], [64, 32]]}\n"
        "model.filters: {type: layers, low: 1, high: 3, width: [4, 6], growth: [1.5, 2], widest: 14}\n",
    )
    recipes = drawn(space, 200)
    rates = [float(values["training.learning_rate"]) for values in recipes]  # type: ignore[arg-type]
    assert all(1e-4 <= rate <= 1e-2 for rate in rates)
    assert 0.3 < sum(rate < 1e-3 for rate in rates) / 200 < 0.7  # half of them in each decade
    assert {values["training.batch_size"] for values in recipes} == {8, 16, 24}
    assert {values["model.dropout"] for values in recipes} == {0.0, 0.25, 0.5}
    assert {values["training.optimizer"] for values in recipes} == {"adam", "sgd"}
    assert {str(values["model.dense"]) for values in recipes} == {"[]", "[64, 32]"}
    expected = {"[4]", "[6]", "[4, 6]", "[4, 8]", "[6, 9]", "[6, 12]", "[4, 6, 9]", "[4, 8, 14]", "[6, 9, 14]"}
    assert {str(values["model.filters"]) for values in recipes} == {*expected, "[6, 12, 14]"}


def test_what_is_set_by_hand_is_not_searched() -> None:
    space = load_space("paper", PAPER)
    left = space.without({"training.epochs", "model"}).dimensions
    assert set(left) == {"training.batch_size"}
    with pytest.raises(RecipeError, match="Nothing is left to search"):
        space.without({"training", "model"})


def test_values_outside_the_space_are_not_started_from(tmp_path: Path) -> None:
    space = space_of(
        tmp_path,
        "epochs: {type: int, low: 1, high: 5}\nfilters: [[8], [32, 64, 128, 256]]\n"
        "dense: {type: layers, low: 1, high: 3, width: [128]}\ndropout: {type: float, low: 0.2, high: 0.3}\n",
    )
    assert space.parameters_of(PAPER) == {"model.filters": "[32, 64, 128, 256]", "model.dropout": 0.2}


def test_a_choice_that_is_wrong_only_beside_others_is_allowed(tmp_path: Path) -> None:
    small = load_recipe("paper", ["input_size=20", "filters=[4]"])
    assert space_of(tmp_path, "filters: [[4], [4, 4, 4, 4, 4, 4]]", small)  # too deep for 20 pixels: fails as a trial


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "training.batchsize: [8, 16]",
            "line 1: training.batchsize: unknown key .* Did you mean 'training.batch_size'",
        ),
        ("batch_size: {type: integer, low: 1, high: 2}", "unknown type 'integer'. Did you mean 'int'"),
        ("batch_size: {low: 1, high: 2}", "no type. Expected one of float, int, categorical, layers"),
        ("batch_size: 16", "expected {type: …} or a list of choices; received 16"),
        ("batch_size: {type: int, low: 1}", "int needs high, e.g. {type: int"),
        ("batch_size: {type: int, low: 1, high: 9, stop: 2}", "int has no 'stop'. Did you mean 'step'"),
        ("batch_size: {type: int, low: 9, high: 1}", "expected low below high; received 9 and 1"),
        ("batch_size: {type: int, low: 1, high: 9.5}", "high: expected a whole number; received 9.5"),
        ("batch_size: {type: int, low: 0, high: 9}", "could become 0. training.batch_size: expected 1 or more"),
        ("batch_size: {type: int, low: 8, high: 30, step: 8}", "do not meet 30. Expected e.g. high: 24"),
        ("batch_size: {type: float, low: 8, high: 16}", "expected a whole number; received 8.0"),
        ("learning_rate: {type: float, low: 0, high: 1, log: true}", "expected low above 0 where log is true"),
        ("learning_rate: {type: float, low: 1, high: 9, log: true, step: 1}", "log and step do not go together"),
        ("learning_rate: {type: float, low: 1e-3, high: 1e-2, log: 1}", "log: expected true or false; received 1"),
        ("dropout: {type: float, low: 0.1, high: 1.2}", "could become 1.2. model.dropout: expected less than 1"),
        ("optimizer: {type: categorical, choices: [adam, adamm]}", "unknown optimizer 'adamm'. Did you mean 'adam'"),
        ("optimizer: {type: categorical, choices: []}", r"choices: expected a list, such as \[1, 2\]; received \[\]"),
        ("optimizer: [adam, adam]", "choices: 'adam' is there twice"),
        ("optimizer: [{a: 1}]", "choices: expected text, numbers"),
        ("filters: {type: layers, low: 3, high: 2, width: [8]}", "low not above high; received 3 and 2"),
        ("filters: {type: layers, low: 1, high: 2, width: [0]}", "width: expected numbers above 0"),
        ("filters: {type: layers, low: 0, high: 2, width: [8]}", "at least 1"),
        ("seed: {type: int, low: 1, high: 9}", "cannot be searched: .*--seed"),
        ("devices: [1, 2]", "cannot be searched: a trial runs on one device"),
        ("data.augmentation: [1, 2]", "is a section. Expected one of its keys: data.augmentation.rotation_range"),
        ("epochs: [1, 2]\ntraining.epochs: [3, 4]", "line 2: .*training.epochs is there already"),
        ("", "is not a search space: expected lines such as"),
        ("- 3", "is not a search space"),
        ("a: [", "is not valid YAML"),
    ],
)
def test_a_wrong_space_gets_what_was_expected(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        space_of(tmp_path, text)


def test_all_problems_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"has 2 problems:\n.*line 1: .*\n.*line 3: "):
        space_of(tmp_path, "epohcs: [1, 2]\nbatch_size: [8, 16]\ndropout: {type: float}\n")


def test_a_space_that_is_not_there() -> None:
    with pytest.raises(
        RecipeError, match=r"No search space 'defualt'. Did you mean 'default'\? Expected one of: default, "
    ):
        load_space("defualt", PAPER)
