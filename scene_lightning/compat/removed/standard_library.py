"""Names that Python's own library has removed since 3.6."""

from __future__ import annotations

import base64
import functools
import html
import inspect
import sys
from collections import abc, namedtuple
from types import ModuleType
from typing import Any

from scene_lightning.compat.removed.patching import Methods, Modern, Names, amend, note, replace, to

_ArgSpec = namedtuple("_ArgSpec", "args varargs keywords defaults")


def _getargspec(func: Any) -> Any:
    """Python 2's form of a function's signature."""
    return _ArgSpec(*inspect.getfullargspec(func)[:4])


def _linux_distribution(*_: Any, **__: Any) -> tuple[str, str, str]:
    """Nothing is known of the distribution, which is an answer that it always could give."""
    return "", "", ""


NAMES: dict[str, Names] = {
    "base64": {
        "encodestring": Modern("base64.encodebytes", base64.encodebytes),
        "decodestring": Modern("base64.decodebytes", base64.decodebytes),
    },
    "cgi": {"escape": Modern("html.escape(s, quote=False)", lambda s, quote=False: html.escape(s, quote))},
    "collections": {name: f"collections.abc.{name}" for name in abc.__all__},
    "fractions": {"gcd": "math.gcd"},
    "inspect": {"getargspec": Modern("inspect.getfullargspec", _getargspec)},
    "os": {"errno": "errno", "getcwdu": "os.getcwd"},
    "platform": {
        name: Modern("platform.freedesktop_os_release()", _linux_distribution)
        for name in ("linux_distribution", "dist")
    },
    "time": {"clock": "time.perf_counter"},
}


METHODS: dict[str, dict[str, Methods]] = {
    "html.parser": {"HTMLParser": {"unescape": ("html.unescape", lambda _: html.unescape)}},
    "threading": {"Thread": {"isAlive": ("Thread.is_alive()", lambda thread: thread.is_alive)}},
}


def _patch_random(module: ModuleType) -> None:
    draw, mix = module.sample, module.shuffle

    @functools.wraps(draw)
    def sample(population: Any, k: int, **kwargs: Any) -> list[Any]:
        if isinstance(population, abc.Set):
            note("random.sample(set)", "random.sample(sorted(set), k)")
            population = tuple(population)
        return draw(population, k, **kwargs)

    @functools.wraps(mix)
    def shuffle(x: Any, random: Any = None) -> None:
        if random is None:
            return mix(x)
        note("random.shuffle(x, function)", "random.shuffle(x)")
        for last in reversed(range(1, len(x))):
            other = int(random() * (last + 1))
            x[last], x[other] = x[other], x[last]

    replace(module, "sample", sample)
    replace(module, "shuffle", shuffle)


def _patch_json(module: ModuleType) -> None:
    for name in ("load", "loads"):
        amend(module, name, shown=f"json.{name}", arguments={"encoding": ("leave it out: JSON is UTF-8", None)})


PATCHES = {"json": _patch_json, "random": _patch_random}

MOVED = {
    "imp": Modern("importlib", "scene_lightning.compat.removed.imp"),
    "xml.etree.cElementTree": to("xml.etree.ElementTree"),
}


def successor(fullname: str) -> Modern | None:
    """Give what stands for distutils: setuptools has it.

    Args:
        fullname: the module that was not found.
    """
    gone = fullname.partition(".")[0] == "distutils" and sys.version_info >= (3, 12)
    return to(f"setuptools._{fullname}") if gone else None
