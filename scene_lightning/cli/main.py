"""The command line: declares the commands and options, and turns every error into one line and an exit status.

Nothing here imports torch: a command imports the pipeline when it runs, so that `--help` answers at once.
Exit status: 0 done, 2 bad input (one line says what and the cure), 3 done but for images that `predict` could not read,
130 interrupted, 143 ended by SIGTERM, 1 a fault of this program.
"""

from __future__ import annotations

import errno
import os
import sys
import traceback
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from scene_lightning import __version__
from scene_lightning._terminal import end_open_line
from scene_lightning.cli import (
    arguments,
    average,
    calibrate,
    check,
    comparing,
    evaluate,
    explain,
    export,
    finders,
    inspection,
    model_card,
    output,
    predict,
    process,
    report,
    serve,
    shard,
    tuning,
)
from scene_lightning.cli.options import (
    Accelerator,
    Budget,
    Epochs,
    JsonFlag,
    OutFolder,
    OverlayFile,
    RecipePrecision,
    Seed,
    Settings,
    Strict,
    backbone,
    overrides,
    recipe_option,
)
from scene_lightning.errors import InputError, SceneLightningError

_settings = {"debug": False}

app = typer.Typer(
    name="scene-lightning",
    help="Train image classifiers on folders of photographs, evaluate them, and classify new images.",
    epilog="Start with `scene-lightning demo`: it needs no data. Then `scene-lightning train DATA`. "
    "A Keras script or notebook runs unchanged with `python -m scene_lightning script.py`.",
    rich_markup_mode=None,  # plain help: importing rich would take longer than everything else together
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


def main(args: list[str] | None = None) -> NoReturn:
    """Run the command line and exit: the entry point of `scene-lightning` and `python cli.py`.

    Args:
        args: the words after the program's name; None takes them from `sys.argv`.
    """
    process.prepare()
    sys.exit(run(sys.argv[1:] if args is None else args))


def run(args: list[str]) -> int:
    """Run one command; every error becomes one line on stderr.

    Args:
        args: the words after the program's name.

    Returns:
        The exit status: 0 done, 1 a fault of this program, 2 bad input, 130 interrupted.
    """
    _settings["debug"] = False
    arguments.remember(args)
    try:
        with output.one_command():
            command = output.add_quiet(typer.main.get_command(app))
            result = command(args=args, prog_name="scene-lightning", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except (KeyboardInterrupt, typer.Abort):
        return _fail("interrupted", 130)
    except process.Terminated:
        return _fail("ended by SIGTERM", process.TERMINATED)
    except SceneLightningError as error:
        return _fail(str(error), getattr(error, "exit_status", 2))
    except OSError as error:
        return _fail(_file_error_message(error), 2)
    except Exception as error:
        if hasattr(error, "format_message"):  # click's usage errors, whichever click this Typer brings along
            message = error.format_message().rstrip(".")
            return _fail(f"{message.rstrip('?.')}{'?' if '?' in message else '.'} See: {_help_command(error)}", 2)
        return _fail(_unexpected_error_message(error), 1)


def _fail(message: str, status: int) -> int:
    end_open_line()
    if _settings["debug"]:
        traceback.print_exc()
    if message:  # of several processes the first one speaks
        print(f"error: {message}", file=sys.stderr)
    return status


def _help_command(error: Any) -> str:
    """What to type for the help page of the command that a usage error is about; first its arguments if one lacks."""
    context = getattr(error, "ctx", None)
    if context is None or context.parent is None:
        return "scene-lightning --help"
    help_page = f"scene-lightning {context.info_name} --help"
    if type(error).__name__ != "MissingParameter":
        return help_page
    wanted = [str(one.metavar) for one in context.command.params if one.param_type_name == "argument"]
    return f"scene-lightning {context.info_name} {' '.join(wanted)}; {help_page}"


def _file_error_message(error: OSError) -> str:
    if not error.filename:
        return str(error)
    place = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes | os.PathLike) else None
    if place is not None and place.suffix == ".partial":
        place = place.parent  # not the file that was never made
    message = f"{error.strerror or error}: {str(place or error.filename)!r}"
    if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
        return message
    return f"{message}. Expected to be allowed to read it and to write there; change its rights, or name another place."


def _unexpected_error_message(error: Exception) -> str:
    kind = type(error).__name__
    if kind == "OutOfMemoryError":
        return "the device's memory is full. Use a smaller --batch-size, or --precision bf16-mixed."
    lines = str(error).strip().splitlines()
    return f"{kind}: {lines[0] if lines else 'no message'} (scene-lightning --debug ... shows the traceback)"


def _print_version(value: bool) -> None:
    if value:
        print(f"scene-lightning {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _top(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show Python's traceback when something fails.")] = False,
) -> None:
    _settings["debug"] = debug
    if context.invoked_subcommand is None:
        print(context.get_help())


# -- commands ----------------------------------------------------------------------------------------------------------


@app.command()
def demo(
    out: OutFolder = None,
    accelerator: Accelerator = None,
    epochs: Epochs = None,
    seed: Seed = None,
    as_json: JsonFlag = False,
) -> None:
    """Draw a data set, train on it, evaluate and predict.

    Needs neither data nor a network connection; the synthetic scenes are always the same. Results and pictures are in
    the run's folder.
    """
    from scene_lightning.cli import pipeline

    given = overrides(None, accelerator=accelerator, epochs=epochs, seed=seed)
    with output.progress(as_json=as_json):
        run = pipeline.demo(out=out, overrides=given)
    pipeline.show_demo(run, as_json=as_json)


@app.command()
def train(
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="DATA",
            callback=arguments.check_data,
            help="A folder that holds seg_train and seg_test, or train and val (or validation, test), "
            "or one folder of images per class (a share of each is then held out: --val-split).",
        ),
    ] = None,
    config: Annotated[str | None, recipe_option("Recipe", default="auto; with --model: transfer")] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="A known network as backbone: resnet50, googlenet, vgg16, efficientnet_lite0, ..."
        ),
    ] = None,
    pretrained: Annotated[
        bool, typer.Option("--pretrained", help="Start the backbone of --model from ImageNet's weights.")
    ] = False,
    freeze: Annotated[bool, typer.Option("--freeze", help="Train only the classifier on top of the backbone.")] = False,
    budget: Budget = None,
    epochs: Epochs = None,
    batch_size: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Images per step, of all devices together.  [default: the recipe's]"),
    ] = None,
    accelerator: Accelerator = None,
    devices: Annotated[
        str | None, typer.Option(metavar="N", help="How many devices, -1 for all, or which: 0,1.  [default: auto]")
    ] = None,
    num_nodes: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="How many machines train together, started by torchrun or srun."),
    ] = None,
    precision: RecipePrecision = None,
    seed: Seed = None,
    val_split: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Share of each class to hold out where DATA has no validation folder.  [default: the recipe's, 0.2]",
        ),
    ] = None,
    class_weight: Annotated[
        str | None,
        typer.Option(
            metavar="balanced|{NAME: W}", help="balanced: weigh each class by 1/frequency; or weights by class name."
        ),
    ] = None,
    folds: Annotated[
        int | None, typer.Option(min=2, metavar="K", help="K-fold cross-validation: mean and spread of K runs.")
    ] = None,
    out: OutFolder = None,
    resume: Annotated[
        str | None,
        typer.Option(
            metavar="RUN|CKPT",
            autocompletion=arguments.complete_run,
            help="Go on with a run, from its folder or a checkpoint, up to --epochs in all.",
        ),
    ] = None,
    save_every: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Save last.ckpt within epochs: 30s, 5m, 1h, '200 steps'.  [default: 5m]"),
    ] = None,
    logger: Annotated[
        str | None, typer.Option(metavar="NAME", help="Where to watch it: tensorboard, mlflow or wandb.")
    ] = None,
    overlay: OverlayFile = None,
    strict: Strict = False,
    as_json: JsonFlag = False,
    settings: Settings = None,
) -> None:
    """Train a network on a folder of images.

    Without a recipe, chooses what gives the best model for these images in the time, and says why.
    The run's folder holds the checkpoints best.ckpt and last.ckpt, the resolved recipe, metrics.csv, TensorBoard
    events, curves.png, the evaluation of the best checkpoint, its confusion matrix, and images.csv: the images used.
    """
    from scene_lightning.cli import pipeline

    given = overrides(
        settings, epochs=epochs, batch_size=batch_size, accelerator=accelerator, devices=devices,
        num_nodes=num_nodes, precision=precision, seed=seed, val_split=val_split, class_weight=class_weight,
        save_every=save_every, overlay=overlay, budget=budget, logger=logger,
        **backbone(model, pretrained, freeze),
    )  # fmt: skip
    if config is None and (model is None or resume is None):
        config = "auto" if model is None else "transfer"
    if data is None and resume is None:
        raise InputError(
            "no images were named. Expected DATA, a folder of images, or --resume RUN. "
            "To try it without images: scene-lightning demo"
        )
    if folds is None and resume is not None:
        folds = pipeline.folds_of(resume)
    if folds is None:
        with output.progress(as_json=as_json):
            run = pipeline.train(data, config, overrides=given, out=out, resume=resume, strict=strict)
        pipeline.show_run(run, as_json=as_json)
        return
    if val_split is not None:
        raise InputError("--folds holds out one part of --folds each time: leave --val-split away.")
    options: dict[str, Any] = {"overrides": given, "out": out, "resume": resume, "strict": strict}
    with output.progress(as_json=as_json):
        done = pipeline.train_folds(data, config, folds=folds, **options)
    pipeline.show_cross_validation(done, as_json=as_json)


app.command()(comparing.rerun)
app.command()(comparing.compare)
app.command()(evaluate.evaluate)
app.command()(model_card.card)
app.command()(calibrate.calibrate)
app.command()(average.average)
app.command()(export.export)
app.command()(predict.predict)
app.command()(explain.explain)
app.command()(serve.serve)
app.command()(inspection.summary)
app.command()(inspection.stats)
app.command()(check.check)
app.command()(shard.shard)
app.command()(inspection.devices)
app.command()(inspection.curves)
app.command()(report.report)


app.command("find-lr")(finders.find_lr)
app.command("find-batch-size")(finders.find_batch_size)
app.command()(tuning.tune)
