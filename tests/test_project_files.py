"""The files for contributors (pre-commit, GitHub) are well formed and call what `make lint` and `make test` call."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
FORMS = sorted(path for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml")


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_pre_commit_runs_what_make_lint_runs() -> None:
    (repository,) = read(ROOT / ".pre-commit-config.yaml")["repos"]
    hooks = [hook["entry"].replace(" --force-exclude", "") for hook in repository["hooks"]]
    recipe = re.search(r"^lint:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)
    assert recipe is not None
    commands = [line.strip().replace("$(BIN)", ".venv/bin").removesuffix(" .") for line in recipe[1].splitlines()]
    assert hooks == commands
    assert {hook["language"] for hook in repository["hooks"]} == {"system"}  # no network, the versions of make lint


def test_the_workflow_calls_make_on_each_python_that_is_declared() -> None:
    workflow = read(ROOT / ".github" / "workflows" / "ci.yml")
    (job,) = workflow["jobs"].values()
    commands = [step["run"] for step in job["steps"] if "run" in step]
    assert commands == ["make install", "make lint", "make types", "make test"]
    assert all(re.search(rf"^{command.split()[1]}:", MAKEFILE, re.MULTILINE) for command in commands)
    classifiers = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["classifiers"]
    declared = [line.rpartition(" :: ")[2] for line in classifiers if re.search(r"Python :: 3\.\d+$", line)]
    assert job["strategy"]["matrix"]["python"] == declared


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_issue_forms_ask_for_a_program(path: Path) -> None:
    form = read(path)
    assert {"name", "description", "body"} <= form.keys()
    fields = {field["id"]: field for field in form["body"]}
    assert all({"type", "attributes"} <= field.keys() and field["attributes"]["label"] for field in form["body"])
    assert fields["program"]["validations"]["required"]
    if path.stem == "bug":
        assert {"keras", "versions"} <= {name for name, field in fields.items() if field["validations"]["required"]}
