"""A built wheel works by itself in an empty folder; the public names are there; `import` costs nothing."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import scene_lightning

ROOT = Path(__file__).resolve().parents[1]


def python(code: str, cwd: Path, **environment: str) -> str:
    """Run code in a fresh interpreter; its standard output."""
    variables = {**os.environ, "PYTHONSAFEPATH": "1", **environment}
    done = subprocess.run([sys.executable, "-c", code], cwd=cwd, env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the source: nothing that an earlier build left can slip in."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    for name in ("scene_lightning", "configs"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--wheel-dir", str(out)]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, str(source)], check=True, capture_output=True)
    return next(out.glob("scene_lightning-*.whl"))


def test_the_wheel_holds_every_module_the_recipes_and_the_licence(wheel: Path) -> None:
    packed = set(zipfile.ZipFile(wheel).namelist())
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "scene_lightning").rglob("*.py")}
    recipes = {f"scene_lightning/{path.relative_to(ROOT)}" for path in (ROOT / "configs").rglob("*.yaml")}
    assert modules | recipes | {"scene_lightning/py.typed"} <= packed
    assert any(name.endswith("/licenses/LICENSE") for name in packed)
    assert not [name for name in packed if name.startswith(("tests/", "benchmarks/", "examples/", "configs/"))]


def test_the_wheel_works_in_an_empty_folder(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    (tmp_path / "empty").mkdir()
    code = (
        "import scene_lightning, sys\n"
        "from scene_lightning.recipes.recipe import load_recipe, recipe_names\n"
        "print(scene_lightning.__file__, *recipe_names(), load_recipe('paper').training.epochs)"
    )
    place, *told = python(code, tmp_path / "empty", PYTHONPATH=str(tmp_path / "installed")).split()
    assert Path(place).is_relative_to(tmp_path / "installed")
    assert {"demo", "paper"} <= set(told) and told[-1] == "12"


def test_importing_the_package_imports_nothing_heavy(tmp_path: Path) -> None:
    code = "import sys, scene_lightning; dir(scene_lightning); print('torch' in sys.modules, 'numpy' in sys.modules)"
    assert python(code, tmp_path) == "False False"


def test_every_public_name_is_there() -> None:
    for name in scene_lightning.__all__:
        assert getattr(scene_lightning, name) is not None
    assert set(scene_lightning.__all__) <= set(dir(scene_lightning))
    with pytest.raises(AttributeError, match="Did you mean 'Sequential'"):
        scene_lightning.Sequental  # noqa: B018


def test_type_checkers_see_the_public_names() -> None:
    """The names that load lazily are also imported under TYPE_CHECKING, from where they really come."""
    tree = ast.parse(Path(scene_lightning.__file__).read_text(encoding="utf-8"))
    guarded = next(node for node in tree.body if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node))
    seen = {alias.name for node in guarded.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert seen == set(scene_lightning.__all__) - {"__version__", "version"}


def test_python_and_licence_are_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == ">=3.11" and project["license"] == "Apache-2.0"
    assert "Apache License" in (ROOT / "LICENSE").read_text()
    assert not [pin for pin in project["dependencies"] if "<" in pin or "==" in pin]  # no upper caps


@pytest.mark.parametrize(
    ("before", "policy"),
    [
        ("", "PASSIVE 2000"),
        ("os.environ['OMP_WAIT_POLICY'] = 'ACTIVE'", "ACTIVE None"),
        ("os.environ['GOMP_SPINCOUNT'] = '7'", "PASSIVE 7"),
        ("sys.modules['torch'] = None", "None None"),  # its OpenMP is there already
    ],
    ids=["unset", "policy set by the user", "spins set by the user", "torch was first"],
)
def test_threads_that_wait_spin_for_a_moment_only(before: str, policy: str, tmp_path: Path) -> None:
    names = "OMP_WAIT_POLICY", "GOMP_SPINCOUNT"
    code = f"""
import os, sys
for name in {names}:
    os.environ.pop(name, None)
{before}
import scene_lightning
print(*map(os.environ.get, {names}))
"""
    assert python(code, tmp_path, PYTHONPATH=str(ROOT)) == policy
