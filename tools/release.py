"""Makes a release: version, changelog, wheel and sdist, their checks, and only then a commit and a tag.

    make release VERSION=1.2.0

All of it happens in a temporary git worktree; your own branch moves to the release's commit after the last check.
Until then nothing of yours has changed, whichever step fails. Publishing stays with you: the last lines say how.
"""

from __future__ import annotations

import argparse
import datetime
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

VERSION_FILE = Path("scene_lightning/__init__.py")
CHANGELOG = Path("CHANGELOG.md")
_VERSION_LINE = re.compile(r'^__version__ = "([^"]*)"$', re.MULTILINE)
_UNRELEASED = re.compile(r"^## \[Unreleased\]\n(.*?)(?=^## \[|\Z)", re.MULTILINE | re.DOTALL)
_NUMBER = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:(a|b|rc)(\d+))?")

# Runs in a fresh environment that holds the wheel: one batch of training by the public names, and where they came from.
SMOKE_TEST = """
import sys
import numpy as np
import scene_lightning as keras
assert keras.__version__ == sys.argv[1], keras.__version__
assert keras.__file__.startswith(sys.prefix), keras.__file__
model = keras.Sequential([keras.layers.Conv2D(4, 3), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(6)])
model.compile(optimizer="adam", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
model.fit(np.zeros((4, 16, 16, 3), "float32"), np.zeros(4, "int64"), verbose=0)
model.save("smoke.keras")
assert keras.models.load_model("smoke.keras").predict(np.zeros((1, 16, 16, 3)), verbose=0).shape == (1, 6)
rows, columns = np.mgrid[0:150, 0:150]
keras.utils.save_img("picture.png", np.stack([rows, columns, 255 - rows], axis=-1).astype("uint8"))
"""


class ReleaseError(Exception):
    """A step failed; its message says which and what to do."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the release that the command line names; 1 when a step failed, with the reason on stderr."""
    parser = argparse.ArgumentParser(
        description="Make a release: version, changelog, wheel, sdist, checks, commit, tag."
    )
    parser.add_argument("version", help="for example 1.2.0, or 1.2.0rc1")
    root = Path(__file__).resolve().parents[1]
    try:
        release(root, parser.parse_args(arguments).version, build_and_check)
    except ReleaseError as error:
        print(f"error: {error} Nothing was changed.", file=sys.stderr)
        return 1
    return 0


def release(root: Path, version: str, build: Callable[[Path, str], None]) -> None:
    """Commit and tag `version`, if `build` succeeds.

    Args:
        root: a clean checkout, on a branch.
        version: the new number, higher than the old one.
        build: called with a worktree in which the files are edited, and the version; leaves what is to be published in
            the worktree's `dist`.

    Raises:
        ReleaseError: nothing has changed then.
    """
    tag = f"v{version}"
    if git(root, "status", "--porcelain"):
        raise ReleaseError("The tree has changes that are not committed: commit them first.")
    if git(root, "tag", "--list", tag):
        raise ReleaseError(f"The tag {tag} exists already: choose a higher VERSION.")
    branch = git(root, "symbolic-ref", "--short", "HEAD")
    with worktree(root) as copy:
        set_version(copy / VERSION_FILE, version)
        date_changelog(copy / CHANGELOG, version, datetime.date.today().isoformat())
        build(copy, version)
        git(copy, "add", str(VERSION_FILE), str(CHANGELOG))
        git(copy, "commit", "--no-verify", "--quiet", "--message", f"Release {version}")
        commit = git(copy, "rev-parse", "HEAD")
        files = _deliver(root, sorted((copy / "dist").iterdir()), tag, commit)
    names = " ".join(str(path.relative_to(root)) for path in files)
    print(f"\nReleased {version} as {tag}. Publish it with:\n")
    print(f"  git push --atomic origin {branch} {tag}\n  python -m twine upload {names}\n")
    print(f"Take it back, while it is not published: git tag -d {tag} && git reset --hard HEAD~1")


def _deliver(root: Path, built: list[Path], tag: str, commit: str) -> list[Path]:
    """Put what was built into `dist`, tag the commit and move the branch to it: all three or none."""
    (root / "dist").mkdir(exist_ok=True)
    files = [root / "dist" / path.name for path in built]
    try:
        for source, target in zip(built, files, strict=True):
            shutil.copy2(source, target)
        git(root, "tag", "--annotate", tag, "--message", tag, commit)
        git(root, "merge", "--ff-only", "--quiet", commit)
    except BaseException:
        subprocess.run(["git", "tag", "--delete", tag], cwd=root, capture_output=True)
        for path in files:
            path.unlink(missing_ok=True)
        raise
    return files


# -- the files that carry the version ----------------------------------------------------------------------------------


def set_version(path: Path, version: str) -> None:
    """Write the version into its one home. Raises ReleaseError for one that is no version, or not higher."""
    text = path.read_text(encoding="utf-8")
    old = _VERSION_LINE.search(text)
    if old is None:
        raise ReleaseError(f'{path.name} has no line __version__ = "…".')
    if not _NUMBER.fullmatch(version):
        raise ReleaseError(f"VERSION={version} is no version. Expected for example 1.2.0 or 1.2.0rc1.")
    if _order(version) < _order(old[1]):
        raise ReleaseError(f"VERSION={version} is lower than the present {old[1]}: choose a higher one.")
    path.write_text(_VERSION_LINE.sub(f'__version__ = "{version}"', text), encoding="utf-8")


def date_changelog(path: Path, version: str, date: str) -> None:
    """Move what stands under Unreleased under the version and date. Raises ReleaseError when nothing stands there."""
    text = path.read_text(encoding="utf-8")
    unreleased = _UNRELEASED.search(text)
    if unreleased is None or not re.search(r"^- ", unreleased[1], re.MULTILINE):
        raise ReleaseError(f"{path.name} has nothing under ## [Unreleased]: write down what a user can see.")
    at = unreleased.start(1)
    path.write_text(f"{text[:at]}\n## [{version}] - {date}\n{text[at:]}", encoding="utf-8")


def _order(version: str) -> tuple[int, int, int, str, int]:
    """Sorts 1.2.0rc1 before 1.2.0, and 1.9.0 before 1.10.0."""
    match = _NUMBER.fullmatch(version)
    if match is None:
        return (0, 0, 0, "", 0)
    major, minor, patch, phase, number = match.groups()
    return int(major), int(minor), int(patch), phase or "z", int(number or 0)


# -- what is built and how it is checked -------------------------------------------------------------------------------


def build_and_check(copy: Path, version: str) -> None:
    """Build the sdist, the wheel from it, and use the wheel in a fresh environment. Raises ReleaseError."""
    python = sys.executable
    run("build the sdist, and the wheel from it", [python, "-m", "build", "--no-isolation", "."], copy)
    built = sorted((copy / "dist").iterdir())
    run("check what PyPI would show", [python, "-m", "twine", "check", "--strict", *map(str, built)], copy)
    wheel = next(path for path in built if path.suffix == ".whl")
    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder)
        fresh = empty / "venv" / ("Scripts" if sys.platform == "win32" else "bin")
        run("make a fresh environment", [python, "-m", "venv", str(fresh.parent)], empty)
        install = [str(fresh / "python"), "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", str(wheel)]
        run("install the wheel", install, empty)
        _lend_dependencies(fresh / "python", empty)
        run("scene-lightning --help", [str(fresh / "scene-lightning"), "--help"], empty)
        run("train, save and load", [str(fresh / "python"), "-c", SMOKE_TEST, version], empty)
        classify = [str(fresh / "scene-lightning"), "predict", "scenes", "picture.png", "--out", "answer.csv"]
        run("predict scenes picture.png", classify, empty)


def _lend_dependencies(python: Path, cwd: Path) -> None:
    """Let a fresh environment find the packages of this one, behind its own: PyTorch is not downloaded again."""
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    theirs = Path(run("find its packages", [str(python), "-c", code], cwd).strip())
    # Lines of a .pth only extend the path: this environment's own editable installs stay out.
    ours = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    (theirs / "dependencies.pth").write_text("\n".join(ours))


# -- helpers -----------------------------------------------------------------------------------------------------------


@contextmanager
def worktree(root: Path) -> Iterator[Path]:
    """A checkout of HEAD in a temporary folder, gone after the block."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "release"
        git(root, "worktree", "add", "--quiet", "--detach", str(copy))
        try:
            yield copy
        finally:
            git(root, "worktree", "remove", "--force", str(copy))


def git(folder: Path, *arguments: str) -> str:
    """Standard output of a git command. Raises ReleaseError with what git said."""
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise ReleaseError(f"git {' '.join(arguments)} failed: {done.stderr.strip()}")
    return done.stdout.strip()


def run(step: str, command: list[str], cwd: Path) -> str:
    """Standard output of a step, whose name and seconds are printed. Raises ReleaseError with what it printed."""
    start = time.perf_counter()
    done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise ReleaseError(f"{step} failed ({' '.join(command)}):\n{done.stdout[-4000:]}\n")
    print(f"{time.perf_counter() - start:6.1f} s  {step}", flush=True)
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
