"""The decode-once cache: the same pixels, found again, never stale, never half-written."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scene_lightning.data import cache as cache_module
from scene_lightning.data.cache import CachedImages, cache_folder, cache_images, choose_mode
from scene_lightning.data.decode import DecodeSpec, decode_image
from scene_lightning.data.scan import scan_folder
from scene_lightning.errors import DataError, InputError

SPEC = DecodeSpec((12, 10))


def pixels(cached: CachedImages) -> np.ndarray:
    out = np.empty((len(cached.source), *SPEC.shape), np.uint8)
    assert cached.source.read_into(np.arange(len(out)), out) == []
    return out


@pytest.fixture(autouse=True)
def _own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SCENE_LIGHTNING_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("mode", ["off", "ram", "disk"])
def test_every_mode_gives_the_same_pixels(scenes: Path, mode: str) -> None:
    table = scan_folder(str(scenes))
    cached = cache_images(table, SPEC, mode)
    np.testing.assert_array_equal(pixels(cached), [decode_image(path, SPEC) for path in table.paths])
    assert cached.table.paths == table.paths and "15 images" in cached.describe()
    assert cached.size_bytes == (0 if mode == "off" else 15 * 12 * 10 * 3)


def test_disk_is_reused_and_says_where(scenes: Path, tmp_path: Path) -> None:
    table = scan_folder(str(scenes))
    first, second = (cache_images(table, SPEC, "disk") for _ in range(2))
    assert (first.reused, second.reused) == (False, True)
    assert Path(second.place).parent == tmp_path / "cache" and second.place in second.describe()
    np.testing.assert_array_equal(pixels(first), pixels(second))


@pytest.mark.parametrize("change", ["touch", "rewrite", "spec"])
def test_a_changed_file_or_setting_is_decoded_again(scenes: Path, change: str) -> None:
    table, spec = scan_folder(str(scenes)), SPEC
    cache_images(table, spec, "disk")
    if change == "touch":
        os.utime(table.paths[3], ns=(0, 0))
    elif change == "rewrite":
        Path(table.paths[3]).write_bytes(Path(table.paths[4]).read_bytes())
    else:
        spec = DecodeSpec((12, 10), interpolation="bilinear")
    assert not cache_images(table, spec, "disk").reused


@pytest.mark.parametrize("damage", ["no sidecar", "cut pixels", "cut sidecar", "other shape", "other types"])
def test_incomplete_caches_are_not_trusted(scenes: Path, damage: str) -> None:
    table = scan_folder(str(scenes))
    path = Path(cache_images(table, SPEC, "disk").place)
    sidecar = path.with_suffix(".json")
    if damage == "no sidecar":
        sidecar.unlink()
    elif damage == "cut pixels":
        path.write_bytes(path.read_bytes()[:-1])
    elif damage == "cut sidecar":
        sidecar.write_text(sidecar.read_text()[:20])
    else:
        told: Any = json.loads(sidecar.read_text())
        sidecar.write_text(json.dumps({**told, "shape": [1, 2]} if damage == "other shape" else [told]))
    again = cache_images(table, SPEC, "disk")
    assert not again.reused
    np.testing.assert_array_equal(pixels(again)[0], decode_image(table.paths[0], SPEC))


def test_a_run_that_dies_leaves_nothing(scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cache_module, "decode_many", die)
    with pytest.raises(KeyboardInterrupt):
        cache_images(scan_folder(str(scenes)), SPEC, "disk")
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize("mode", ["off", "ram", "disk"])
def test_unreadable_images_are_left_out_and_named(scenes: Path, mode: str) -> None:
    (scenes / "glacier" / "0.jpg").write_bytes(b"broken")
    table = scan_folder(str(scenes))
    for cached in (cache_images(table, SPEC, mode), cache_images(table, SPEC, mode)):
        assert len(cached.table) == len(cached.source) == 14
        assert [Path(one.path).name for one in cached.unreadable] == ["0.jpg"]
        np.testing.assert_array_equal(pixels(cached)[-1], decode_image(table.paths[-1], SPEC))
    with pytest.raises(DataError, match=r"glacier/0\.jpg"):
        cache_images(table, SPEC, mode, strict=True)


def test_nothing_readable_is_an_error(scenes: Path) -> None:
    table = scan_folder(str(scenes))
    for path in table.paths:
        Path(path).write_bytes(b"broken")
    with pytest.raises(DataError, match="None of the 15 images"):
        cache_images(table, SPEC, "ram")


def test_auto_takes_memory_while_it_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module, "available_memory", lambda: 4000)
    assert choose_mode("auto", 1000) == "ram" and choose_mode("auto", 1001) == "disk"
    with pytest.raises(InputError, match="Did you mean 'disk'"):
        choose_mode("disc", 1)


def test_a_full_disk_is_refused_early(scenes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 10})())
    with pytest.raises(DataError, match=r"has 0 MiB left\. Use --set cache=ram or --set cache=off"):
        cache_images(scan_folder(str(scenes)), SPEC, "disk")


def test_where_caches_go(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SCENE_LIGHTNING_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "scene_lightning"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "scene_lightning"
