"""The release recipe edits its two files as it says, and leaves everything as it was when a step fails."""

from __future__ import annotations

import datetime
import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("release", ROOT / "tools" / "release.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository of the two files that a release edits."""
    root = tmp_path / "checkout"
    (root / "scene_lightning").mkdir(parents=True)
    for name in ("scene_lightning/__init__.py", "CHANGELOG.md"):
        shutil.copy(ROOT / name, root / name)
    (root / ".gitignore").write_text("dist/\n__pycache__/\n")
    git(root, "init", "--quiet", "--initial-branch", "main")
    git(root, "config", "user.name", "a tester")
    git(root, "config", "user.email", "tester@example.com")
    git(root, "add", ".")
    git(root, "commit", "--quiet", "--message", "before")
    return root


def git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True).stdout.strip()


def state(root: Path) -> tuple[str, ...]:
    shown = ("status --porcelain", "rev-parse HEAD", "tag --list", "worktree list", "branch --list")
    return tuple(git(root, *command.split()) for command in shown)


def build(copy: Path, version: str) -> None:
    (copy / "dist").mkdir()
    (copy / "dist" / f"scene_lightning-{version}.tar.gz").write_text("built")


def test_a_release_is_one_commit_with_a_tag_and_the_files_to_publish(
    tool: ModuleType, checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (checkout / "CHANGELOG.md").read_text(encoding="utf-8")
    tool.release(checkout, "99.1.0", build)
    code = "import scene_lightning; print(scene_lightning.__version__)"
    assert subprocess.check_output([sys.executable, "-c", code], cwd=checkout, text=True).strip() == "99.1.0"
    heading = f"## [Unreleased]\n\n## [99.1.0] - {datetime.date.today().isoformat()}\n"
    after = (checkout / "CHANGELOG.md").read_text(encoding="utf-8")
    assert after == before.replace("## [Unreleased]\n", heading, 1) != before
    assert git(checkout, "rev-parse", "v99.1.0^{commit}") == git(checkout, "rev-parse", "HEAD")
    assert git(checkout, "log", "--format=%s") == "Release 99.1.0\nbefore"
    assert [path.name for path in (checkout / "dist").iterdir()] == ["scene_lightning-99.1.0.tar.gz"]
    assert git(checkout, "status", "--porcelain") == "" and len(git(checkout, "worktree", "list").splitlines()) == 1
    assert "twine upload dist/scene_lightning-99.1.0.tar.gz" in capsys.readouterr().out


def test_a_step_that_fails_leaves_everything_as_it_was(tool: ModuleType, checkout: Path) -> None:
    def fail(copy: Path, version: str) -> None:
        build(copy, version)
        tool.run("build", [sys.executable, "-c", "print('no compiler'); raise SystemExit(3)"], copy)

    before = state(checkout)
    with pytest.raises(tool.ReleaseError, match="no compiler"):
        tool.release(checkout, "99.1.0", fail)
    assert state(checkout) == before and not (checkout / "dist").exists()


def test_an_end_that_fails_leaves_everything_as_it_was(tool: ModuleType, checkout: Path) -> None:
    def fail(copy: Path, version: str) -> None:
        build(copy, version)
        (checkout / "CHANGELOG.md").write_text("edited meanwhile")

    before = state(checkout)
    with pytest.raises(tool.ReleaseError, match="merge"):
        tool.release(checkout, "99.1.0", fail)
    git(checkout, "checkout", "CHANGELOG.md")
    assert state(checkout) == before and not list((checkout / "dist").iterdir())


@pytest.mark.parametrize(
    ("version", "message"),
    [("99.1", "no version"), ("0.0.1", "lower than the present"), ("0.0.9rc1", "lower"), ("; rm", "no version")],
)
def test_wrong_versions_are_refused(tool: ModuleType, checkout: Path, version: str, message: str) -> None:
    before = state(checkout)
    with pytest.raises(tool.ReleaseError, match=message):
        tool.release(checkout, version, build)
    assert state(checkout) == before


def test_releases_follow_one_another(tool: ModuleType, checkout: Path) -> None:
    tool.release(checkout, "99.1.0rc1", build)
    with pytest.raises(tool.ReleaseError, match="nothing under"):
        tool.release(checkout, "99.1.0", build)
    changelog = checkout / "CHANGELOG.md"
    changelog.write_text(changelog.read_text().replace("## [Unreleased]\n", "## [Unreleased]\n\n### Fixed\n- One.\n"))
    with pytest.raises(tool.ReleaseError, match="not committed"):
        tool.release(checkout, "99.1.0", build)
    git(checkout, "commit", "--quiet", "--all", "--message", "mend")
    tool.release(checkout, "99.1.0", build)
    headings = [line for line in changelog.read_text().splitlines() if line.startswith("## [")]
    assert [heading.split(" - ")[0] for heading in headings[:3]] == ["## [Unreleased]", "## [99.1.0]", "## [99.1.0rc1]"]
    with pytest.raises(tool.ReleaseError, match="exists already"):
        tool.release(checkout, "99.1.0", build)
