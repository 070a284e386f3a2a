"""Makes a run's logger, takes it up when the run goes on, and gives MLflow and Weights & Biases what came of it."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger, MLFlowLogger, TensorBoardLogger, WandbLogger

from scene_lightning._atomic_write import write_text
from scene_lightning._main_process import is_main_process
from scene_lightning._terminal import labelled
from scene_lightning.errors import InputError
from scene_lightning.recipes.recipe import Recipe
from scene_lightning.reports import run_folder

PROJECT = "scene-lightning"
_SECONDS = 10  # for a server's first answer
# What is given to a server at the end, beside the model.
_FILES = (
    run_folder.REPORT, run_folder.EVALUATION, run_folder.PREDICTIONS, run_folder.METRICS, run_folder.CURVES,
    run_folder.CONFUSION, run_folder.TRAINING_BATCH, run_folder.RECIPE, run_folder.RECORD,
)  # fmt: skip


def require_logger(name: str) -> None:
    """Check that a logger can be used, before anything slow.

    Args:
        name: "tensorboard", "mlflow" or "wandb".

    Raises:
        InputError: its package is not installed, or nobody answers where MLFLOW_TRACKING_URI says.
    """
    if importlib.util.find_spec(name) is None:
        raise InputError(
            f"The logger {name!r} needs its package, which is not installed: pip install 'scene-lightning[{name}]'. "
            "Without it: --logger tensorboard."
        )
    server = os.environ.get("MLFLOW_TRACKING_URI", "")
    if name == "mlflow" and server.startswith(("http://", "https://")) and is_main_process():
        try:
            urllib.request.urlopen(server, timeout=_SECONDS).close()
        except urllib.error.HTTPError:
            pass  # it answers; whether it lets us in, MLflow will say
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise InputError(
                f"MLFLOW_TRACKING_URI={server} does not answer: {reason}. Start it (`mlflow server`), or unset the "
                "variable to keep the run in mlflow.db beside its folder."
            ) from None


def make_logger(recipe: Recipe, folder: Path) -> Logger:
    """The run's logger, as `training.logger` names it; of a run that goes on, the one that it had.

    MLflow writes where MLFLOW_TRACKING_URI says, else into mlflow.db beside the run; Weights & Biases into the run's
    folder, under the project WANDB_PROJECT, and to its server unless WANDB_MODE=offline.

    Args:
        recipe: the run's.
        folder: the run's.
    """
    kind, known = recipe.training.logger, _tracked(folder)
    if kind == "mlflow":
        os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # `hand_over` says it
        place = _mlflow_place(folder)
        files = None if "MLFLOW_TRACKING_URI" in os.environ else str(folder.resolve().parent / "mlruns")
        before = known.get("run") if known.get("place") == place else None
        mlflow = MLFlowLogger(
            PROJECT, run_name=folder.name, tracking_uri=place, artifact_location=files, run_id=_taken_up(place, before)
        )
        if is_main_process():
            _keep(folder, kind, mlflow.run_id, place)
        return mlflow
    if kind == "wandb":
        before = known.get("run") if known.get("logger") == kind else None
        wandb = WandbLogger(
            folder.name, save_dir=folder, project=os.environ.get("WANDB_PROJECT", PROJECT), id=before,
            resume=None if before is None else "allow",
        )  # fmt: skip
        if is_main_process():
            _keep(folder, kind, wandb.experiment.id)
        return wandb
    return TensorBoardLogger(folder, name="", version=run_folder.TENSORBOARD)


def hand_over(folder: Path, recipe: Recipe, evaluation: dict[str, Any] | None) -> None:
    """Give MLflow or Weights & Biases a finished run's best figures, its page and files, and its model.

    What goes wrong is told: the training is not to fail by it.

    Args:
        folder: the run's.
        recipe: the run's.
        evaluation: of its best checkpoint; None in all processes but the first.
    """
    kind, known = recipe.training.logger, _tracked(folder)
    if evaluation is None or known.get("logger") != kind:
        return
    figures = {
        f"best_{name}": float(value)
        for name, value in evaluation.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    files = [folder / name for name in _FILES if (folder / name).is_file()]
    try:
        if kind == "mlflow":
            _hand_to_mlflow(known, figures, files, folder / run_folder.BEST)
        else:
            _hand_to_wandb(figures, files, folder / run_folder.BEST)
    except Exception as error:  # a server that is gone, a full disk: whatever their clients raise
        reason = str(error).strip().splitlines()
        print(f"note: {kind} was not given the run's files: {reason[0] if reason else error!r}", file=sys.stderr)


def _hand_to_mlflow(known: dict[str, str], figures: dict[str, float], files: list[Path], model: Path) -> None:
    from mlflow.tracking import MlflowClient

    client, run = MlflowClient(known["place"]), known["run"]
    for name, value in figures.items():
        client.log_metric(run, name, value)
    for file in files:
        client.log_artifact(run, str(file))
    if model.is_file():
        client.log_artifact(run, str(model), "model")
    place = f"{known['place']}, run {run}"
    if place.startswith("http"):
        place = f"{known['place'].rstrip('/')}/#/experiments/{client.get_run(run).info.experiment_id}/runs/{run}"
    print(labelled("mlflow", place), flush=True)


def _hand_to_wandb(figures: dict[str, float], files: list[Path], model: Path) -> None:
    import wandb

    run = wandb.run
    if run is None:
        return
    try:
        run.summary.update(figures)
        kept = wandb.Artifact(f"run-{run.id}", type="model", metadata=figures)
        for file in [*files, *([model] if model.is_file() else [])]:
            kept.add_file(str(file))
        run.log_artifact(kept)
        where = run.url or f"{Path(run.dir).parent} (wandb sync sends it)"
    finally:
        run.finish()  # else the next run of this process would be written into this one
    print(labelled("wandb", where), flush=True)


def _mlflow_place(folder: Path) -> str:
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{folder.resolve().parent / 'mlflow.db'}"


def _taken_up(place: str, run: str | None) -> str | None:
    """The run's number, where MLflow still knows it."""
    if run is None or not is_main_process():
        return None
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient

    try:
        MlflowClient(place).update_run(run, status="RUNNING")
    except MlflowException:
        return None
    return run


def _tracked(folder: Path) -> dict[str, str]:
    """What `_keep` kept; nothing where there is none, or it is damaged."""
    try:
        known = json.loads((folder / run_folder.TRACKING).read_text(encoding="utf-8"))
        return {str(key): str(value) for key, value in known.items()}
    except (OSError, ValueError, AttributeError):
        return {}


def _keep(folder: Path, kind: str, run: Any, place: str = "") -> None:
    """Note which run of the server this one is, for `--resume` and the end."""
    write_text(folder / run_folder.TRACKING, json.dumps({"logger": kind, "run": str(run), "place": place}) + "\n")
