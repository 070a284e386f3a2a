"""Defines what `check` can find: the kinds of finding, how grave each is, and its cure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True)
class Kind:
    """One kind of finding.

    Attributes:
        severity: "error", "warning" or "note".
        cure: what to do about it.
    """

    severity: Severity
    cure: str


_REMOVE = "Fetch the file again, or delete it."
_CONVERT = "Nothing, if the colours are as meant; otherwise save it as an 8-bit RGB file."
_LOOK = "Look at it; delete it if nothing of its class can be seen."
# In the order in which they are shown.
KINDS: dict[str, Kind] = {
    # the folder
    "one_level_too_high": Kind("error", "Give that folder as DATA."),
    "no_classes": Kind("error", "Lay the images out as DATA/<class>/*.jpg, or DATA/train/<class>/*.jpg."),
    "single_class": Kind("error", "Give a folder that holds one folder of images for each of two or more classes."),
    "class_missing_from_split": Kind("error", "Move some images of the class there, or remove its other folders."),
    "empty_class": Kind("error", "Put images into the folder, or delete it."),
    "label_missing_from_split": Kind("error", "Label images with it there, or take the label away."),
    "missing_image": Kind("error", "Bring the image back, or delete its line."),
    "missing_split": Kind("warning", "Put training images into a folder `train` beside it."),
    # the files
    "unreadable": Kind("error", _REMOVE),
    "truncated": Kind("error", _REMOVE),
    "empty_file": Kind("error", _REMOVE),
    "not_an_image": Kind("error", "Delete the file, or fetch the image anew."),
    "decompression_bomb": Kind("error", "Scale the image down, or delete it."),
    "special_file": Kind("error", "Delete it: a pipe, socket or device is no image."),
    "dangling_link": Kind("error", "Delete the link, or bring its target back."),
    "link_loop": Kind("error", "Delete the link."),
    # copies
    "duplicate_across_splits": Kind("error", "Delete the copies from one of the splits, best from the training half."),
    "duplicate_across_classes": Kind("error", "Keep the copy with the right label, delete the others."),
    "near_duplicate_across_splits": Kind("error", "Delete them from one of the splits, best from the training half."),
    "near_duplicate_across_classes": Kind("error", "Look at them; give all the same label, or keep one."),
    "duplicate": Kind("warning", "Keep one; each copy gives the image more weight in training."),
    "near_duplicate": Kind("note", "Nothing, or keep one: they count as one image and a little."),
    # labels
    "suspect_label": Kind(
        "warning", "Look at it: keep, relabel or drop it, on the page of --html; of several labels, correct labels.csv."
    ),
    # what training would read otherwise than a viewer shows it
    "wrong_extension": Kind("warning", "Rename the file."),
    "unlisted_extension": Kind("warning", "Convert it to JPEG or PNG, or rename it: it is left out."),
    "animated": Kind("warning", "Save the frame that is meant: only the first one is read."),
    "multi_page": Kind("warning", "Save the page that is meant: only the first one is read."),
    "exif_rotation": Kind("note", "Nothing: it is turned when it is read. Keras' loaders and others do not turn it."),
    "transparency": Kind("warning", "Nothing, if black behind it is as meant; otherwise save it on its background."),
    "cmyk": Kind("warning", _CONVERT),
    "sixteen_bit": Kind("note", _CONVERT),
    "palette": Kind("note", _CONVERT),
    "greyscale": Kind("note", _CONVERT),
    # what can be seen
    "dark": Kind("warning", _LOOK),
    "overexposed": Kind("warning", _LOOK),
    "low_information": Kind("warning", _LOOK),
    "blurred": Kind("warning", _LOOK),
    "tiny": Kind("warning", "Look at it: resizing cannot bring back what is not there."),
    "huge": Kind("warning", "Scale it down: it takes long to read, and training uses a few hundred pixels of it."),
    "odd_proportions": Kind("warning", "Crop it: resizing to a square would distort it."),
    "odd_size": Kind("note", "Look whether it belongs to the others."),
    # names and places
    "strange_name": Kind("warning", "Rename it: other programs may stumble over the name."),
    "stray": Kind("note", "Delete it: a program left it there."),
    "loose_image": Kind("warning", "Move it into the folder of its class: it is left out."),
    "other_file": Kind("note", "Nothing: it is left out."),
    "outside_splits": Kind("note", "Nothing: training does not read it."),
    "linked_folder": Kind("note", "Nothing: its images are read as if they lay here."),
    "unlabelled_image": Kind("warning", "Give them a line each in labels.csv, or nothing: they are left out."),
    "label_on_every_image": Kind("warning", "Take the label away: there is nothing to tell it from."),
    "labels_always_together": Kind("warning", "Make one label of them, or add images that have one without the other."),
    "label_imbalance": Kind("note", "Add images with the rare labels: of a few, nobody can learn or judge them well."),
    "no_label": Kind("note", "Nothing, if they show none of the labels; otherwise label them."),
    "imbalance": Kind("warning", "Add images of the rare classes, or train with --class-weight balanced."),
}  # fmt: skip

# What is decided image by image, and may be kept as it is.
OF_LABELS = frozenset(kind for kind in KINDS if "duplicate" in kind or kind == "suspect_label")


@dataclass(frozen=True)
class Finding:
    """One fault or peculiarity of a data set.

    Attributes:
        kind: a key of `KINDS`.
        reason: what was seen, in a sentence.
        paths: the files or folders that it is about; of copies, all of them.
        classes: the class of each path, None where it lies in none.
        splits: the split of each path (seg_train, test, …); "" where class folders stand alone.
        figures: what was measured, by name.
        suggestion: the class that it looks like, for a suspect label; None otherwise.
    """

    kind: str
    reason: str
    paths: tuple[str, ...] = ()
    classes: tuple[str | None, ...] = ()
    splits: tuple[str, ...] = ()
    figures: dict[str, float] = field(default_factory=dict)
    suggestion: str | None = None

    @property
    def severity(self) -> Severity:
        """ "error", "warning" or "note"."""
        return KINDS[self.kind].severity

    @property
    def cure(self) -> str:
        """What to do about it."""
        return KINDS[self.kind].cure

    def as_dict(self) -> dict[str, Any]:
        """For --json and the CSV file."""
        return {
            "kind": self.kind,
            "severity": self.severity,
            "paths": list(self.paths),
            "classes": list(self.classes),
            "splits": list(self.splits),
            "reason": self.reason,
            "cure": self.cure,
            "figures": self.figures,
            **({} if self.suggestion is None else {"suggestion": self.suggestion}),
        }
