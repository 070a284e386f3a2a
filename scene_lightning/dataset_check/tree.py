"""Walks a data folder once: which files lie in which split and class, and what is odd about names, links and places."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field

from scene_lightning.data.scan import EXTENSIONS, TRAIN_FOLDERS, VALIDATION_FOLDERS, split_folder
from scene_lightning.data.shards import is_sharded
from scene_lightning.data.walk import SPECIAL, STRAY_FOLDERS, is_stray
from scene_lightning.dataset_check.findings import Finding
from scene_lightning.errors import DataError

SPLIT_NAMES = (*TRAIN_FOLDERS, *VALIDATION_FOLDERS)


@dataclass(frozen=True)
class FileEntry:
    """One regular file of a class folder.

    Attributes:
        path: where it lies; the path begins with the folder as it was given.
        split: the name of its split's folder; "" where class folders stand alone.
        class_name: the name of its class' folder.
        size: bytes.
        modified: nanoseconds since 1970.
        labels: where images have several; `class_name` has them joined then.
    """

    path: str
    split: str
    class_name: str
    size: int
    modified: int
    labels: tuple[str, ...] = ()


@dataclass
class DataTree:
    """What lies in a data folder.

    Attributes:
        root: the folder whose splits or classes were read; the one below, where the folder given was too high.
        files: the regular files of all class folders, folder by folder.
        class_folders: split → the names of its class folders.
        findings: what was odd about the folders and names.
        label_names: of a data set whose images have several labels each; empty for others.
    """

    root: str
    files: list[FileEntry] = field(default_factory=list)
    class_folders: dict[str, list[str]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    label_names: list[str] = field(default_factory=list)


def read_tree(root: str) -> DataTree:
    """Walk a data folder. No file is opened; folders behind links are visited once.

    Args:
        root: the folder; where it only wraps another one, that one is walked.
    """
    if is_sharded(root):
        raise DataError(f"{root!r} holds shards. Check the folder of images that they are made of.")
    tree = DataTree(inner_data_folder(root) or root)
    if tree.root != root:
        reason = f"{root!r} holds one folder and nothing else. Did you mean {tree.root!r}?"
        tree.findings.append(Finding("one_level_too_high", reason, (root,), (None,), ("",)))
    splits = split_folders(tree.root)
    if splits:
        for name in _names(tree.root):
            if name not in splits:
                tree.findings += _outside(tree.root, name)
        for split in splits:
            _read_split(tree, split_folder(tree.root, split), split)
    else:
        _read_split(tree, tree.root, "")
    return tree


def split_folders(root: str) -> list[str]:
    """The names of the folders that hold a split, whatever their case; none where classes stand alone.

    Args:
        root: a data folder.
    """
    names = [name for name in _visible_folders(root) if name.lower() in SPLIT_NAMES]
    flat = [name for name in names if _holds_images(os.path.join(root, name))]  # a class that is called `test`?
    return names if all(_holds_classes(split_folder(root, name)) for name in flat) else []


def inner_data_folder(root: str) -> str | None:
    """The folder that is meant, where another one was given that only wraps it; None for a data folder.

    Args:
        root: the folder as it was given.
    """
    inner = _wrapped(root)
    return inner and (inner_data_folder(inner) or inner)


def _wrapped(root: str) -> str | None:
    """The one folder in `root` that holds splits or classes, where `root` has no other use."""
    folders = _visible_folders(root)
    if len(folders) != 1 or _holds_images(root):
        return None
    inner = os.path.join(root, folders[0])
    holds_classes = not _holds_images(inner) and _holds_classes(inner)
    if folders[0].lower() in SPLIT_NAMES and holds_classes:
        return None
    return inner if holds_classes or split_folders(inner) or _wrapped(inner) else None


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def _visible_folders(root: str) -> list[str]:
    return [
        name
        for name in _names(root)
        if not name.startswith(".") and name.lower() not in STRAY_FOLDERS and os.path.isdir(os.path.join(root, name))
    ]


def _holds_images(folder: str) -> bool:
    return any(not name.startswith(".") and name.lower().endswith(EXTENSIONS) for name in _names(folder))


def _holds_classes(folder: str) -> bool:
    return any(_holds_images(os.path.join(folder, name)) for name in _visible_folders(folder))


def _outside(root: str, name: str) -> list[Finding]:
    path = os.path.join(root, name)
    if is_stray(name):
        return [_about("stray", f"{name} was left by a program.", path)]
    return [_about("outside_splits", "It lies beside the splits, and was not looked into.", path)]


def _about(kind: str, reason: str, path: str, split: str = "", class_name: str | None = None) -> Finding:
    return Finding(kind, reason, (path,), (class_name,), (split,))


def _read_split(tree: DataTree, folder: str, split: str) -> None:
    classes = []
    for name in _names(folder):
        path = os.path.join(folder, name)
        if is_stray(name) or (name.startswith(".") and not os.path.isdir(path)):
            tree.findings.append(_about("stray", f"{name} was left by a program.", path, split))
        elif name.startswith("."):
            tree.findings.append(_about("other_file", "A hidden folder.", path, split))
        elif os.path.isdir(path):
            classes.append(name)
            _read_class(tree, path, split, name)
        elif name.lower().endswith(EXTENSIONS):
            tree.findings.append(_about("loose_image", "It lies in no class folder.", path, split))
        else:
            tree.findings.append(_about("other_file", "It lies in no class folder.", path, split))
    tree.class_folders[split] = classes


def _read_class(tree: DataTree, folder: str, split: str, class_name: str) -> None:
    if finding := _strange_name(folder, split, class_name):
        tree.findings.append(finding)
    for result in _walk(folder, split, class_name):
        if isinstance(result, FileEntry):
            tree.files.append(result)
        else:
            tree.findings.append(result)


_Identity = tuple[int, int]  # device and inode: a folder's, by whatever link it was reached


def _walk(folder: str, split: str, class_name: str) -> Iterator[FileEntry | Finding]:
    """The files below `folder`, and what is odd about them; each real folder is visited once."""
    visited: set[_Identity] = set()
    waiting: list[tuple[str, tuple[_Identity, ...]]] = [(folder, ())]  # with the folders above
    while waiting:
        place, above = waiting.pop()
        try:
            status = os.stat(place)
            here = (status.st_dev, status.st_ino)
            names = [] if here in visited else sorted(os.listdir(place))
        except OSError as error:
            yield _about("unreadable", f"The folder cannot be read: {error.strerror}.", place, split, class_name)
            continue
        if here in visited:
            loop = here in above
            reason = "The link leads to a folder that it lies in." if loop else "The folder was read elsewhere too."
            yield _about("link_loop" if loop else "linked_folder", reason, place, split, class_name)
            continue
        visited.add(here)
        if place != folder and (strange := _strange_name(place, split, class_name)):
            yield strange
        if place != folder and os.path.islink(place):
            yield _about("linked_folder", f"The link leads to {os.path.realpath(place)!r}.", place, split, class_name)
        inner = []
        for name in names:
            entry = _entry(os.path.join(place, name), name, split, class_name)
            if isinstance(entry, str):
                inner.append((entry, (*above, here)))
            else:
                yield from entry
        waiting += reversed(inner)


def _entry(path: str, name: str, split: str, class_name: str) -> str | list[FileEntry | Finding]:
    """A folder to visit, or a file with what is odd about it."""
    if is_stray(name):
        return [_about("stray", f"{name} was left by a program.", path, split, class_name)]
    strange = _strange_name(path, split, class_name)
    results: list[FileEntry | Finding] = [strange] if strange else []
    try:
        status = os.stat(path)
    except OSError as error:
        return [*results, _broken(path, error, split, class_name)]
    kind = stat.S_IFMT(status.st_mode)
    if kind == stat.S_IFDIR and not name.startswith("."):
        return path
    if kind == stat.S_IFDIR:
        return [*results, _about("other_file", "A hidden folder.", path, split, class_name)]
    if kind == stat.S_IFREG:
        return [*results, FileEntry(path, split, class_name, status.st_size, status.st_mtime_ns)]
    what = SPECIAL.get(kind, "no regular file")
    return [*results, _about("special_file", f"It is {what}, and was not opened.", path, split, class_name)]


def _broken(path: str, error: OSError, split: str, class_name: str) -> Finding:
    if not os.path.islink(path):
        return _about("unreadable", f"{error.strerror}.", path, split, class_name)
    target = os.readlink(path)
    looping = error.errno is not None and "symbolic links" in (error.strerror or "")
    reason = f"The link to {target!r} goes in circles." if looping else f"The link's target {target!r} is not there."
    return _about("link_loop" if looping else "dangling_link", reason, path, split, class_name)


def _strange_name(path: str, split: str, class_name: str) -> Finding | None:
    name = os.path.basename(path)
    if any("\udc80" <= letter <= "\udcff" for letter in name):
        reason = "The name is not UTF-8."
    elif any(ord(letter) < 32 or 127 <= ord(letter) < 160 for letter in name):
        reason = "The name holds control characters (a line break, perhaps)."
    elif name.startswith("-"):
        reason = "The name begins with a dash, which programs take for an option."
    elif name != name.strip():
        reason = "The name begins or ends with a blank."
    else:
        return None
    return _about("strange_name", reason, path, split, class_name)
