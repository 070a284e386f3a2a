"""Trains a recipe on a folder of images, and writes the run folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from scene_lightning import callbacks
from scene_lightning._atomic_write import write_text
from scene_lightning._main_process import is_main_process
from scene_lightning._registry import some_of
from scene_lightning._terminal import labelled
from scene_lightning.data.balance import class_weights
from scene_lightning.data.cache import CachedImages
from scene_lightning.data.overlay import Overlay
from scene_lightning.data.table import ImageTable
from scene_lightning.dataset_check.quick import checked_splits
from scene_lightning.feeds.images import ImageFeed
from scene_lightning.inference.answers import Answers
from scene_lightning.inference.evaluate import score, write_evaluation
from scene_lightning.inference.predictor import Predictor, RunOn
from scene_lightning.recipes.backbones import Unfreeze
from scene_lightning.recipes.recipe import Override, Recipe, dump_recipe, load_recipe
from scene_lightning.recipes.several_labels import suited_to
from scene_lightning.recipes.values import save_interval
from scene_lightning.reports import plots, run_folder
from scene_lightning.reports.messages import report_unreadable, say_left_out
from scene_lightning.runs.budget import Clock, EndInTime, ends_in_time
from scene_lightning.runs.callbacks import RunRecorder, StopAtNonFiniteLoss
from scene_lightning.runs.checkpoints import BestCheckpoint, CheckpointFiles, LastCheckpoint
from scene_lightning.runs.choose_recipe import AUTO, before_the_choice, keys_of, settled
from scene_lightning.runs.distillation import soft_targets
from scene_lightning.runs.fit_classifier import FitClassifier
from scene_lightning.runs.image_record import seen_by_run
from scene_lightning.runs.inputs import decode_all, overlay_of_run, training_feed, validation_feed
from scene_lightning.runs.label_thresholds import judge_labels
from scene_lightning.runs.loggers import hand_over, make_logger, require_logger
from scene_lightning.runs.out_of_memory import go_on, with_half_the_batch
from scene_lightning.runs.pages import report_of_training
from scene_lightning.runs.prepare import device_count, hardware_of, prepare_model
from scene_lightning.runs.progressive_resizing import WholeMaps
from scene_lightning.runs.recalibrate_batchnorm import StatisticsAnew
from scene_lightning.runs.resume_checkpoint import Resume
from scene_lightning.runs.run_record import RunRecord, recorded, recorded_data
from scene_lightning.runs.tracking import TrackValidation
from scene_lightning.runs.training_batch import keep_training_batch
from scene_lightning.training import devices
from scene_lightning.training.launch import by_first_process, first_on_each_machine, leave, meet


@dataclass(frozen=True)
class FinishedRun:
    """What a training run leaves.

    Attributes:
        folder: the run's.
        evaluation: of its best checkpoint, as `score` gives it; None in all processes but the first.
    """

    folder: Path
    evaluation: dict[str, Any] | None


def train(
    data: str | None,
    config: str | None = None,
    *,
    overrides: Sequence[Override] = (),
    out: str | None = None,
    resume: str | None = None,
    strict: bool = False,
    recipe: Recipe | None = None,
) -> FinishedRun:
    """Train a recipe's network on a folder of images.

    Args:
        data: holds seg_train/seg_test, train/val, or class folders; see `find_splits`. None takes that of `resume`.
        config: a recipe's name or file; "auto" chooses one for these images and the time (`training.budget`); None
            takes the paper's. A run that goes on keeps its own where it is "auto" or None.
        overrides: `key=value`.
        out: the run's folder; None makes runs/<recipe>-<date>-<time>.
        resume: the folder of a run, or a checkpoint, to go on from exactly; a run goes on in its own folder. A folder
            that is `out` and holds nothing yet begins the run, so that a scheduler can repeat one command.
        strict: an unreadable image is an error; otherwise it is named, skipped and counted.
        recipe: in place of `config` and `overrides`.

    Raises:
        InputError: anything wrong with the data, the recipe, the hardware, `out` or `resume`, before training starts.
        TrainingInterrupted: Ctrl-C, or SIGTERM.
    """
    clock = Clock()
    earlier = _state_to_resume(out, resume)
    before = RunRecord.read(earlier.folder) if earlier is not None and earlier.folder is not None else None
    if data is None:
        data = recorded_data(before, resume)
    to_settle = recipe is None and earlier is None
    if recipe is None:
        recipe = _named_recipe(config, overrides, earlier)
    if before is not None and before.threads != torch.get_num_threads():
        if is_main_process():
            message = f"{before.threads} threads, as the run began with: others round differently"
            print(labelled("note", message), flush=True)
        torch.set_num_threads(before.threads)
    require_logger(recipe.training.logger)
    hardware = hardware_of(recipe)
    if before is not None and before.processes != device_count(hardware) and is_main_process():
        now = f"{device_count(hardware)}; it goes on, but not to the bit"
        print(labelled("note", f"the run was begun on {before.processes} device(s) and goes on on {now}"), flush=True)
    meet(devices.trainer_arguments(devices.Hardware(**hardware))["accelerator"])
    overlay = overlay_of_run(recipe, earlier.folder if earlier is not None else None)
    splits = checked_splits(
        data, recipe.data.val_split, recipe.training.seed, overlay, recipe.data.group_by,
        several_labels=True, multi_label=recipe.data.multi_label,
    )  # fmt: skip
    class_weights(recipe.training.class_weight, splits.train)  # a misspelt class is told now
    suited_to(recipe, data)  # what does not go with labels is told before anything slow
    why = before.chosen if before is not None else None
    if to_settle:
        recipe, why = settled(recipe, config, (splits.train, len(splits.validation)), overrides, clock)
    recipe = suited_to(recipe, data)
    resumed = earlier is not None and earlier.path is not None
    model = prepare_model(recipe, splits.train.class_names, len(splits.train), resumed=resumed)
    if earlier is not None:
        earlier.check(model, recipe, splits.train.class_names)
    try:
        folder = _choose_folder(recipe, out, earlier, overlay)
        shares = f"{len(splits.train)} images to train on, {len(splits.validation)} to validate on"
        count = announce(f"{data}: {shares}", splits.train.class_names, recipe, folder, hardware)
        with recorded(folder, data, strict, processes=device_count(hardware), chosen=why):
            with first_on_each_machine(), clock.timing_decoding(len(splits.train) + len(splits.validation)):
                images = [
                    decode_shown(recipe, t, strict=strict, shared=count > 1) for t in (splits.train, splits.validation)
                ]
            finished = train_in(folder, model, recipe, (images[0], images[1]), hardware, earlier, clock)
        report_of_training(folder)  # the record says by now that the run has finished
        hand_over(folder, recipe, finished.evaluation)
        return finished
    finally:
        run_folder.forget_run_folder()


def _named_recipe(config: str | None, overrides: Sequence[Override], earlier: Resume | None) -> Recipe:
    """The recipe that is named, or that of the run which goes on; where one is to be chosen, the paper's for now."""
    unnamed = config in (None, AUTO)
    if earlier is None and config == AUTO:
        return before_the_choice(overrides)
    if earlier is None or not unnamed:
        return load_recipe(config or "paper", overrides)
    more_time = [("training.max_steps", None)] if "training.budget" in keys_of(overrides) else []
    return earlier.recipe([*overrides, *more_time])


def _state_to_resume(out: str | None, resume: str | None) -> Resume | None:
    """What to go on from: what `resume` names, or `out` where Slurm starts the same job again."""
    requeued = int(os.environ.get("SLURM_RESTART_COUNT") or 0) > 0
    if resume is None and requeued and out is not None and (Path(out) / run_folder.RECIPE).is_file():
        resume = out
    begins = resume is not None and resume == out and not (Path(resume) / run_folder.RECIPE).exists()
    return None if resume is None or begins else Resume.read(resume)


def train_in(
    folder: Path,
    model: Any,
    recipe: Recipe,
    images: tuple[CachedImages, CachedImages],
    hardware: dict[str, Any],
    earlier: Resume | None = None,
    clock: Clock | None = None,
) -> FinishedRun:
    """Train on (training, validation) images, keep the run in `folder`, and judge its best checkpoint.

    Args:
        folder: the run's.
        model: as `prepare_model` makes it.
        recipe: the recipe.
        images: (training, validation), decoded.
        hardware: as `hardware_of` gives it.
        earlier: what to go on from, or None; a run that had saved nothing begins anew.
        clock: of the run; None for one that begins now.
    """
    earlier = earlier if earlier is not None and earlier.path is not None else None
    clock = clock or Clock()
    while earlier is None or not earlier.is_done(recipe):
        try:
            _fit(model, recipe, images, folder, earlier, hardware, clock)
            break
        except (RuntimeError, MemoryError) as error:
            recipe = with_half_the_batch(recipe, folder, device_count(hardware), error)
        # out of the block: the error held the tensors of its step
        earlier = go_on(folder, recipe, len(images[0].table), earlier)
        names, resumed = images[0].table.class_names, earlier is not None and earlier.path is not None
        model = prepare_model(recipe, names, len(images[0].table), resumed=resumed)
    first = is_main_process()
    leave()
    if not first:
        return FinishedRun(folder, None)
    return FinishedRun(folder, _evaluate_best(folder, images[1].table, recipe))


def _choose_folder(recipe: Recipe, out: str | None, earlier: Resume | None, overlay: Overlay | None) -> Path:
    own = earlier.folder if earlier is not None else None
    if own is not None and (out is None or Path(out).resolve() == own.resolve()):
        folder = run_folder.continue_run_folder(own.resolve())
        if is_main_process():
            # the evaluation of what it was before, and what a kill left half-written
            for stale in (folder / run_folder.EVALUATION, *folder.glob("*.new"), *folder.glob(".*.partial")):
                stale.unlink(missing_ok=True)
    else:
        folder = by_first_process(lambda: run_folder.make_run_folder(recipe.name, out))
        run_folder.continue_run_folder(folder.resolve())
    if is_main_process():
        write_recipe(recipe, folder, overlay)
    return folder


def write_recipe(recipe: Recipe, folder: Path, overlay: Overlay | None = None) -> None:
    """Write the resolved recipe into the folder of a run, and a copy of the overlay.

    Args:
        recipe, folder: the resolved recipe, and the run's folder.
        overlay: the corrections of labels, or None.
    """
    write_text(folder / run_folder.RECIPE, dump_recipe(recipe))
    if overlay is not None:
        write_text(folder / run_folder.OVERLAY, overlay.text)


def announce(data: str, class_names: Sequence[str], recipe: Recipe, folder: Path, hardware: dict[str, Any]) -> int:
    """Print what is about to be trained on what, and return the number of devices.

    Args:
        data: what is trained on, in words.
        class_names: the classes.
        recipe: the recipe.
        folder: the run's.
        hardware: as `hardware_of` gives it.
    """
    chosen = devices.trainer_arguments(devices.Hardware(**hardware))
    count = chosen["devices"] if isinstance(chosen["devices"], int) else len(chosen["devices"])
    if not is_main_process():
        return count
    print(labelled("data", data))
    print(labelled("classes", some_of(class_names)))
    processes, size = device_count(hardware), recipe.training.batch_size
    shared = "" if processes == 1 else f", of which each device takes 1/{processes}"
    print(labelled("recipe", f"{recipe.name}: {recipe.training.epochs} epochs, batches of {size}{shared}"))
    machines = "" if processes == count else f" on each of {hardware['num_nodes']} machines"
    devices_used = f"{count} device{'s' if count != 1 else ''}{machines}"
    print(labelled("runs on", f"{chosen['accelerator']}, {devices_used}, {chosen['precision']}"))
    print(labelled("run", str(folder)), flush=True)
    return count


def decode_shown(recipe: Recipe, table: ImageTable, *, strict: bool, shared: bool) -> CachedImages:
    """Decode the images of a table as `decode_all` does, and print what came of it.

    Args:
        recipe: its `data` section counts.
        table: the images.
        strict, shared: as for `decode_all`.
    """
    images = decode_all(recipe, table, strict=strict, shared=shared)
    if is_main_process():
        say_left_out(table.left_out, table.root)
        report_unreadable(images.unreadable, len(table))
        print(labelled("images", images.describe()), flush=True)
    return images


def _fit(
    model: Any,
    recipe: Recipe,
    images: tuple[CachedImages, CachedImages],
    folder: Path,
    earlier: Resume | None,
    hardware: dict[str, Any],
    clock: Clock,
) -> None:
    measured = "val_accuracy" if "accuracy" in recipe.training.metrics else "val_loss"
    monitor = recipe.training.best_by or measured
    recorder = RunRecorder(folder, earlier.earlier_metrics() if earlier else None)
    swap = callbacks.SwapEMAWeights() if recipe.training.ema_momentum else None
    targets = None if recipe.training.teacher is None else soft_targets(recipe.training, images[0].table, folder)
    seen = seen_by_run(recipe, images[0].table, images[1].table, folder, earlier)
    feed = training_feed(recipe, images[0], targets)
    if is_main_process():
        keep_training_batch(folder, feed, images[0].table.class_names, recipe)
    interval = save_interval(recipe.training.save_every)
    fit_model(
        model,
        recipe,
        images,
        [
            *([swap] if swap else []),
            recorder,
            TrackValidation(recipe, images[1].table.class_names),
            StopAtNonFiniteLoss(folder, feed, images[0].table.paths),
            BestCheckpoint(folder, monitor, swap, seen[0]),
            LastCheckpoint(folder, interval, seen[1]),
            *([EndInTime(recipe, folder, clock, len(images[1].table))] if ends_in_time(recipe) else []),
        ],
        feed=feed,
        logger=make_logger(recipe, folder),
        plugins=[CheckpointFiles()],
        ckpt_path=str(earlier.path) if earlier else None,
        **hardware,
    )


def fit_model(
    model: Any,
    recipe: Recipe,
    images: tuple[CachedImages, CachedImages],
    listening: Sequence[Any],
    feed: ImageFeed | None = None,
    **options: Any,
) -> Any:
    """Train `model` on (training, validation) images, all as the recipe says.

    Args:
        listening: callbacks beside those that the recipe asks for.
        feed: the training images, where they are not as the recipe alone says.
        **options: `fit`'s, above all its hardware.
        model: as `prepare_model` makes it.
        recipe: the recipe.
        images: (training, validation), decoded.

    Returns:
        History.
    """
    asked: list[Any] = []
    if recipe.training.early_stopping is not None:
        asked.append(callbacks.EarlyStopping(**recipe.training.early_stopping.model_dump()))
    if recipe.model.head_epochs and recipe.model.freeze is not True:
        asked.append(Unfreeze(recipe.model))
    if recipe.model.fit_classifier:
        asked.append(FitClassifier(recipe))
    if recipe.training.progressive_resizing:
        asked.append(WholeMaps(recipe))
    if recipe.training.ema_momentum and not any(isinstance(one, callbacks.SwapEMAWeights) for one in listening):
        asked.append(callbacks.SwapEMAWeights())
    if recipe.training.recalibrate_batchnorm:
        asked.append(StatisticsAnew(recipe, images[0]))  # after the averaged weights have come in
    feeds = feed or training_feed(recipe, images[0]), validation_feed(recipe, images[1])
    history = model.fit(
        feeds[0], validation_data=feeds[1], epochs=recipe.training.epochs, callbacks=[*listening, *asked], **options
    )
    for read, part in zip(feeds, images, strict=True):
        report_unreadable(list(read.unreadable.values()), len(part.table))  # files that vanished meanwhile
    return history


def _evaluate_best(folder: Path, table: ImageTable, recipe: Recipe) -> dict[str, Any]:
    """Judge a run's best checkpoint in float32, as `evaluate` and `predict` do, so that all say the same."""
    run_on = RunOn(recipe.training.accelerator, None, recipe.training.batch_size)
    predictor = Predictor.load(str(folder), run_on, several_labels=True)
    if table.targets is not None:
        result = judge_labels(folder, predictor, table)
    else:
        answers = Answers(predictor.info.class_names)
        result = score(predictor, table, verbose=False, answers=answers)
        answers.write(folder / run_folder.PREDICTIONS)
    write_evaluation(result, folder / run_folder.EVALUATION)
    plots.plot_confusion_matrix(result["confusion_matrix"], result["classes"], folder / run_folder.CONFUSION)
    return result
