"""Keeps results and progress apart: results go to stdout; progress goes to stderr with --json, nowhere with --quiet."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Annotated, Any

import typer
import typer.main

_state: dict[str, Any] = {"quiet": False, "stack": contextlib.ExitStack()}


@contextlib.contextmanager
def one_command() -> Iterator[None]:
    """Within the block one command runs; what `--quiet` has switched off is on again after it."""
    with contextlib.ExitStack() as stack:
        _state.update(quiet=False, stack=stack)
        try:
            yield
        finally:
            _state["quiet"] = False


def be_quiet(wanted: bool) -> None:
    """Show nothing but errors and results until the command has ended.

    Args:
        wanted: False does nothing.
    """
    if wanted and not _state["quiet"]:
        _state["quiet"] = True
        _state["stack"].enter_context(_stderr_to_nowhere())


@contextlib.contextmanager
def _stderr_to_nowhere() -> Iterator[None]:
    with open(os.devnull, "w", encoding="utf-8") as nowhere, contextlib.redirect_stderr(nowhere):
        yield


def is_quiet() -> bool:
    """Whether `--quiet` was given."""
    return bool(_state["quiet"])


@contextlib.contextmanager
def progress(*, as_json: bool = False) -> Iterator[None]:
    """Within the block everything that is printed is progress.

    Args:
        as_json: the command has `--json`: stdout is for its one object.
    """
    if not as_json and not is_quiet():
        yield
        return
    with contextlib.redirect_stdout(sys.stderr):  # which is nowhere with --quiet
        yield


def add_quiet(command: Any) -> Any:
    """Give every command the option `--quiet`.

    Args:
        command: a command, or a group of them.
    """
    carrier = typer.Typer(add_completion=False)
    carrier.command()(_quiet_alone)
    option = next(one for one in typer.main.get_command(carrier).params if one.name == "quiet")
    for one in (command, *getattr(command, "commands", {}).values()):
        one.params.append(option)
    return command


def _quiet_alone(
    quiet: Annotated[
        bool,
        typer.Option(
            "--quiet", "-q", callback=be_quiet, expose_value=False, is_eager=True, help="Print errors and results only."
        ),
    ] = False,
) -> None:
    """A command that only has the option, for `add_quiet` to take it from."""
