"""Who may import whom: the package's parts in order, held against the imports that the source really has."""

from __future__ import annotations

import ast
from pathlib import Path

import scene_lightning

PACKAGE = Path(scene_lightning.__file__).parent
# Left may not import right; parts on one line do not know each other, but for ACQUAINTED. A part is a module or folder
# of the package; a dotted one has a place of its own beside its folder.
ORDER = (
    {
        "errors", "_atomic_write", "_processors", "_naming", "_main_process", "_registry", "_settings", "_unsupported",
        "_terminal", "_unsupported_advice", "_usage_report", "tree",
    },
    {"_objectives"},  # the formulas that losses and metrics share
    {
        "activations", "initializers", "regularizers", "constraints", "losses", "metrics", "optimizers", "callbacks",
        "saving", "data",
    },
    {"image_sources"},
    {"layers"},
    {"feeds"},
    {"fast"},
    {"ops"},
    {"training"},
    {"models"},
    {"preprocessing", "utils", "applications", "random", "mixed_precision"},
    {"backend", "config", "datasets"},
    {"compat"},
    {"pages"},
    {"recipes", "reports"},
    {"inference.rejection"},  # numpy alone: the runtime without torch asks it too
    {"runtime"},
    {"inference"},
    {"dataset_check", "serving"},
    {"run_report"},  # shows what a check found
    {"runs"},
    {"tuning", "demo_scenes"},
    {"exporters"},
    {"cli.arguments"},
    {"cli.options"},
    {"cli"},
    {"__main__"},
)  # fmt: skip
FOUNDATION = ORDER[0]
ACQUAINTED = {("preprocessing", "utils"), ("utils", "preprocessing"), ("applications", "utils")}
LEVEL = {part: level for level, parts in enumerate(ORDER) for part in parts}
SOURCES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def part_of(module: str) -> str:
    """The longest listed part that a dotted name below the package begins with; its first word where none is."""
    words = module.split(".")
    names = [".".join(words[:length]) for length in range(len(words), 0, -1)]
    return next((name for name in names if name in LEVEL), words[0])


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


def imports_of(path: Path) -> list[tuple[int, str, bool]]:
    """(line, part of this package, whether at the top of the module) of every import in a file.

    Not those that a package shows to editors alone: the names that its `__getattr__` imports when they are asked for.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if path.name == "__init__.py":
        tree.body = [node for node in tree.body if ast.unparse(node).partition(":")[0] != "if TYPE_CHECKING"]
    top = set(map(id, tree.body))
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path.name}:{node.lineno}: imports are absolute here"
            module = node.module or ""
            names = [f"{module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            package, _, rest = name.partition(".")
            if package == "scene_lightning" and rest and not rest.startswith("__version__"):
                found.append((node.lineno, part_of(rest), id(node) in top))
    return found


def test_every_part_has_a_place() -> None:
    unknown = {part_of(module_of(path)) for path in SOURCES} - set(LEVEL)
    assert not unknown, f"give these parts a place in ORDER: {sorted(unknown)}"


def test_imports_point_left() -> None:
    wrong = []
    for path in SOURCES:
        own = part_of(module_of(path))
        for line, other, _ in imports_of(path):
            where = f"{path.relative_to(PACKAGE)}:{line}: {own} imports {other}"
            strangers = other != own and own not in FOUNDATION and (own, other) not in ACQUAINTED
            if LEVEL[other] > LEVEL[own]:
                wrong.append(f"{where}, which stands right of it")
            elif strangers and LEVEL[other] == LEVEL[own]:
                wrong.append(f"{where}; these do not know each other")
    assert not wrong, "\n".join(wrong)


def test_no_import_of_this_package_hides_in_a_function() -> None:
    """Hidden imports break cycles that should not be there. The command line's make `--help` fast, and are meant."""
    hidden = [
        f"{path.relative_to(PACKAGE)}:{line}"
        for path in SOURCES
        if not part_of(module_of(path)).startswith("cli") and part_of(module_of(path)) != "__main__"
        for line, _, at_top in imports_of(path)
        if not at_top
    ]
    assert not hidden


def test_each_file_says_what_it_is_for() -> None:
    silent = [str(path) for path in SOURCES if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))]
    assert not silent, "a file opens with a sentence on what it is for"


def test_each_folder_is_a_package() -> None:
    folders = {path.parent for path in SOURCES}
    assert not [str(folder) for folder in folders if not (folder / "__init__.py").exists()]


def test_models_never_import_the_reading_of_files() -> None:
    """`fit` takes anything that gives batches: models know feeds, and nothing of `data`."""
    for path in (PACKAGE / "models").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            module = getattr(node, "module", None) or ""
            assert not module.startswith("scene_lightning.data"), f"{path.name}:{node.lineno}"
