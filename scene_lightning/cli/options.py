"""The arguments and options that several commands share, and how options override a recipe. No torch here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from scene_lightning.cli.arguments import check_data, check_model, complete_model, complete_recipe, complete_run
from scene_lightning.compat.command import PRECISIONS

if TYPE_CHECKING:
    from scene_lightning.recipes.recipe import Override


def recipe_option(purpose: str, *, default: str = "paper") -> Any:
    """The option `--config`, whose help lists the package's recipes.

    Args:
        purpose: what the recipe is for; its help begins with it.
        default: what is taken without the option, as the help names it.
    """
    chosen = "auto, " if default.startswith("auto") else ""
    recipes = f"{chosen}paper, scenes-large, best, transfer, demo, or a YAML file"
    chosen = "auto, " if default.startswith("auto") else ""
    recipes = f"{chosen}paper, scenes-large, best, transfer, demo, or a YAML file"
    return typer.Option(
        metavar="NAME|FILE", help=f"{purpose}: {recipes}.  [default: {default}]", autocompletion=complete_recipe
    )


ModelFile = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        callback=check_model,
        autocompletion=complete_model,
        help="A model file (.ckpt, .keras, .h5, .safetensors, .onnx), a run folder (its best.ckpt), or a model of the "
        "package: scenes, scenes-large.",
    ),
]
DataFolder = Annotated[str, typer.Argument(metavar="DATA", callback=check_data, help="The folder of images.")]
Accelerator = Annotated[str | None, typer.Option(metavar="NAME", help="auto, cpu, cuda or mps.  [default: auto]")]
Devices = Annotated[
    str | None,
    typer.Option(metavar="N", help="How many devices share the images, -1 for all, or which: 0,1.  [default: 1]"),
]
Precision = Annotated[str | None, typer.Option(metavar="NAME", help=f"{PRECISIONS}.  [default: 32-true]")]
RecipePrecision = Annotated[str | None, typer.Option(metavar="NAME", help=f"{PRECISIONS}.  [default: the recipe's]")]
Epochs = Annotated[int | None, typer.Option(min=1, metavar="N", help="Passes over the data.  [default: the recipe's]")]
Budget = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Be done within 90s, 10m, 1.5h.  [default: no limit; planned for 20m]"),
]
Seed = Annotated[int | None, typer.Option(min=0, metavar="N", help="Random seed.  [default: the recipe's]")]
BatchSize = Annotated[int | None, typer.Option(min=1, metavar="N", help="Images per batch.  [default: 32]")]
Strict = Annotated[bool, typer.Option("--strict", help="Stop at an unreadable image instead of skipping it.")]
OverlayFile = Annotated[
    str | None,
    typer.Option("--overlay", metavar="FILE.csv", help="Corrected labels: what was decided on check's page."),
]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Change one setting of the recipe, e.g. --set dropout=0.3. Repeatable."
    ),
]
OutFolder = Annotated[
    str | None, typer.Option("--out", metavar="DIR", help="The run's folder.  [default: runs/<recipe>-<date>-<time>]")
]
Config = Annotated[str | None, recipe_option("Recipe")]
TrainingData = Annotated[
    str, typer.Argument(metavar="DATA", callback=check_data, help="A folder of images, as for train.")
]
RunFolder = Annotated[
    str,
    typer.Argument(metavar="RUN", autocompletion=complete_run, help="A run's folder: a training finished or running."),
]


def overrides(settings: list[str] | None, **options: Any) -> list[Override]:
    """The recipe overrides that stand for the options given; --set comes last and so wins.

    Args:
        settings: what was given with --set, as KEY=VALUE; None for nothing.
        **options: an option's name and value; None for one that was not given.
    """
    section = {
        **dict.fromkeys(("val_split", "overlay"), "data"),
        **dict.fromkeys(("architecture", "pretrained", "freeze", "head_epochs", "backbone_rate"), "model"),
    }
    named: list[Override] = []
    for key, value in options.items():
        path = f"{section.get(key, 'training')}.{key}"
        if key in ("devices", "class_weight"):  # text that stands for a number, a list or a mapping, as in --set
            named += [f"{path}={value}"] if value is not None else []
        elif value is not None:
            named.append((path, value))
    return [*named, *(settings or [])]


def backbone(model: str | None, pretrained: bool, freeze: bool) -> dict[str, Any]:
    """What `--model`, `--pretrained` and `--freeze` change in a recipe; untrained backbones learn at the full rate.

    Args:
        model: the network's name, or None.
        pretrained, freeze: whether the flags were given.
    """
    changes: dict[str, Any] = {"architecture": model, "freeze": True if freeze else None}
    if pretrained:
        changes["pretrained"] = True
    elif model is not None:
        changes.update(pretrained=False, head_epochs=0, backbone_rate=1.0)
    return changes
