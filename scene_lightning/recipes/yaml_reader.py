"""Reads and writes YAML, and remembers the line of every key and which keys are there twice.

YAML 1.2's scalars are read, not PyYAML's 1.1: `cache: off` is the word off, `1e-3` is a number, `1:30` is no number.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from scene_lightning.errors import RecipeError

MAX_LETTERS = 2**18  # of a document; a recipe has some thousand
MAX_VALUES = 100_000  # of a document, aliases written out; a recipe has some hundred
KeyPath = tuple[str | int, ...]


@dataclass
class Document:
    """What a YAML text says, and where.

    Attributes:
        data: plain values, lists and dicts.
        lines: a key's path → its line, counted from 1.
        problems: keys that are there twice, a sentence each.
    """

    data: Any
    lines: dict[KeyPath, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def where(self, path: KeyPath) -> str:
        """`line 3: `, the line of the nearest enclosing key, or an empty string for what the text does not hold."""
        while path and path not in self.lines:
            path = path[:-1]
        return f"line {self.lines[path]}: " if path else ""


class _Loader(yaml.SafeLoader):
    """SafeLoader with YAML 1.2's core schema in place of YAML 1.1's implicit types."""


_Loader.yaml_implicit_resolvers = {}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), None)
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:~|null|Null|NULL|)$"), None)
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?\d+$"), None)
_Loader.add_implicit_resolver("tag:yaml.org,2002:merge", re.compile(r"^<<$"), None)
_FLOAT = re.compile(
    r"^[-+]?(?:(?:\.\d+|\d+\.\d*)(?:[eE][-+]?\d+)?|\d+[eE][-+]?\d+|\.(?:inf|Inf|INF))$|^\.(?:nan|NaN|NAN)$"
)
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, None)
# SafeLoader reads 010 as octal, as YAML 1.1 did; a seed or a batch size written so means ten.
_Loader.add_constructor(
    "tag:yaml.org,2002:int",
    lambda loader, node: int(loader.construct_scalar(node)),  # type: ignore[arg-type]
)


class _Dumper(yaml.SafeDumper):
    """Mappings one key a line, lists on one line."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


# Text that looks like one of our numbers must be quoted, as well as what YAML 1.1 would misread (the word off).
_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, None)
_Dumper.add_representer(
    list, lambda dumper, data: dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=True)
)


def parse(text: str, source: str) -> Document:
    """Read one YAML document; an empty text is an empty mapping.

    Args:
        text: the YAML.
        source: what an error says the text is from.

    Raises:
        RecipeError: not YAML; the message has `source`, the line and what is wrong.
    """
    if len(text) > MAX_LETTERS:
        raise RecipeError(f"{source} has {len(text)} letters; expected a YAML text of at most {MAX_LETTERS}.")
    try:
        loader = _Loader(text)  # refuses control characters at once
        node = loader.get_single_node()
        if node is None:
            return Document({})
        if _count(node, {}) > MAX_VALUES:
            raise RecipeError(
                f"{source} is refused: its aliases (*name) written out make more than {MAX_VALUES} values, or one "
                "contains itself. Write what it needs without them."
            )
        document = Document(loader.construct_document(node))
        _note_keys(node, (), document, set())
        return document
    except RecipeError:
        raise
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f" line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise RecipeError(f"{source} is not valid YAML:{line}: {error.problem or error.context}.") from error
    except RecursionError:
        raise RecipeError(f"{source} is not valid YAML: nested too deeply.") from None
    except (yaml.YAMLError, ValueError) as error:  # control characters; numbers of thousands of digits
        raise RecipeError(f"{source} is not valid YAML: {error}.") from error


def parse_value(text: str, source: str) -> Any:
    """Read the value of a `key=value` override as YAML; an empty text is an empty string.

    Args:
        text: what follows the equals sign.
        source: what an error says the text is from.
    """
    return parse(text, source).data if text.strip() else ""


def dump(data: Any) -> str:
    """Write plain data as YAML text that `parse` reads back to the same data.

    Args:
        data: plain values, lists and dicts.
    """
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, default_flow_style=False, allow_unicode=True, width=1000)


def _count(node: yaml.Node, counted: dict[int, int]) -> int:
    """How many values there are at and below a node, each alias counted as what it stands for."""
    if id(node) not in counted:
        counted[id(node)] = MAX_VALUES + 1  # so that one that contains itself is too large
        children: list[yaml.Node] = []
        if isinstance(node, yaml.SequenceNode):
            children = node.value
        elif isinstance(node, yaml.MappingNode):
            children = [part for pair in node.value for part in pair]
        counted[id(node)] = 1 + sum(_count(child, counted) for child in children)
    return counted[id(node)]


def _note_keys(node: yaml.Node, path: KeyPath, document: Document, seen: set[int]) -> None:
    """Fill `lines` and `problems` from the node tree; `seen` stops at aliases that contain themselves."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            document.lines[(*path, index)] = item.start_mark.line + 1
            _note_keys(item, (*path, index), document, seen)
    if isinstance(node, yaml.MappingNode):
        first_lines: dict[str, int] = {}
        for key, value in node.value:
            name, line = str(key.value), key.start_mark.line + 1
            if name in first_lines:
                dotted = ".".join(map(str, (*path, name)))
                document.problems.append(
                    f"line {line}: {dotted}: this key is already on line {first_lines[name]}. Keep one of them."
                )
            first_lines.setdefault(name, line)
            document.lines[(*path, name)] = line
            _note_keys(value, (*path, name), document, seen)
