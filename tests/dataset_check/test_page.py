"""The page of `check --html`, in a real browser: what is decided there is what `train --overlay` reads."""

from __future__ import annotations

import csv
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from scene_lightning.cli import main as cli
from scene_lightning.data.overlay import read_overlay
from scene_lightning.data.scan import find_splits
from scene_lightning.dataset_check.check import CheckReport, check_dataset
from scene_lightning.dataset_check.findings import Finding
from scene_lightning.dataset_check.page import write_page
from tests.browser import browser, hindrances, requests_of, show_as
from tests.conftest import picture

STRANGE = 'a "quoted", <b>bold & long name.png'


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """{train,test}/{forest,sea,town}: a file in two classes, one in both halves, a strange name, a dark picture."""
    monkeypatch.setenv("SCENE_LIGHTNING_CACHE", str(tmp_path / "cache"))
    seed = 0
    for split in ("train", "test"):
        for name in ("forest", "sea", "town"):
            (tmp_path / "data" / split / name).mkdir(parents=True)
            for number in range(4):
                seed += 1
                Image.fromarray(picture(64, 72, seed)).save(tmp_path / "data" / split / name / f"{number}.png")
    train, test = tmp_path / "data" / "train", tmp_path / "data" / "test"
    shutil.copy(train / "sea" / "0.png", train / "forest" / STRANGE)
    shutil.copy(train / "town" / "1.png", test / "town" / "leaked.png")
    Image.new("RGB", (64, 64), (3, 3, 3)).save(train / "town" / "night.png")
    return tmp_path / "data"


def report_with_suspect(data: Path, overlay: str | None = None) -> CheckReport:
    """A check, and a label that it is told to suspect."""
    report = check_dataset(str(data), overlay=overlay)
    suspect = Finding(
        "suspect_label", "Labelled sea, and looks like forest (0.97, sea 0.01).", (str(data / "train/sea/2.png"),),
        ("sea",), ("train",), {"confidence": 0.97, "self_confidence": 0.01}, "forest",
    )  # fmt: skip
    report.findings.append(suspect)
    return report


def test_the_page_asks_for_nothing_outside(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["check", str(data), "--html", str(tmp_path / "report.html")]) == 0
    assert f"page      {tmp_path / 'report.html'}" in capsys.readouterr().out
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert not re.findall(r"https?:|//[a-z]", re.sub(r"data:image/jpeg;base64,[^\"]*", "", text).replace("  // ", ""))
    assert "default-src 'none'" in text
    assert text.count("data:image/jpeg;base64,") >= 5
    assert "<b>bold" not in text and "&lt;b&gt;bold &amp; long" in text
    assert "{{" not in text


def test_a_class_cannot_end_the_script(data: Path, tmp_path: Path) -> None:
    (data / "train" / "sea").rename(data / "train" / "<!--<script>{{title}}")
    write_page(check_dataset(str(data)), str(tmp_path / "report.html"))
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<!--<script>" not in text and r"\u003c!--\u003cscript>{{title}}" in text


def test_a_page_without_findings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCENE_LIGHTNING_CACHE", str(tmp_path / "cache"))
    for number, name in enumerate(("forest", "sea")):
        (tmp_path / "data" / name).mkdir(parents=True)
        Image.fromarray(picture(64, 72, number)).save(tmp_path / "data" / name / "0.png")
    write_page(check_dataset(str(tmp_path / "data")), str(tmp_path / "report.html"))
    assert "Nothing was found." in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_picture_that_has_gone_leaves_no_hole(data: Path, tmp_path: Path) -> None:
    report = report_with_suspect(data)
    (data / "train" / "sea" / "2.png").unlink()
    write_page(report, str(tmp_path / "report.html"))
    assert 'src=""' not in (tmp_path / "report.html").read_text(encoding="utf-8")


# -- in a browser ------------------------------------------------------------------------------------------------------


@pytest.fixture
def open_page(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Opens a page in headless Chromium; downloads go to tmp_path/downloads. Errors on the console fail the test."""
    with browser(tmp_path / "downloads") as start:
        yield start


def figure(chrome: Any, section: str, path: str) -> Any:
    return chrome.find_element("xpath", f"//section[@id='{section}']//figure[@data-path={path!r}]")


def button(chrome: Any, section: str, path: str, action: str) -> Any:
    element = figure(chrome, section, path).find_element("css selector", f"button[value={action}]")
    chrome.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
    return element


def download(chrome: Any, folder: Path) -> Path:
    chrome.find_element("id", "save").click()
    for _ in range(100):
        if (folder / "labels.csv").is_file():
            return folder / "labels.csv"
        time.sleep(0.1)
    raise AssertionError("labels.csv did not come")


def choose(chrome: Any, section: str, path: str, label: str) -> None:
    from selenium.webdriver.support.ui import Select

    Select(figure(chrome, section, path).find_element("tag name", "select")).select_by_value(label)


def test_what_is_decided_on_the_page_is_what_a_training_reads(
    data: Path, tmp_path: Path, open_page: Callable[..., Any]
) -> None:
    write_page(report_with_suspect(data), str(tmp_path / "report.html"))
    chrome = open_page(tmp_path / "report.html")
    status = chrome.find_element("id", "status")
    assert status.text == "Nothing decided yet" and not chrome.find_element("id", "save").is_enabled()

    button(chrome, "suspect_label", "train/sea/2.png", "relabel").click()
    rival = button(chrome, "duplicate_across_classes", "train/sea/0.png", "relabel")
    assert rival.text == "It is sea", "to keep the labels of both copies is no answer"
    choose(chrome, "duplicate_across_classes", "train/sea/0.png", "town")
    copy = figure(chrome, "duplicate_across_classes", f"train/forest/{STRANGE}")
    assert copy.find_element("tag name", "select").get_attribute("value") == "town", "one file: one decision"
    button(chrome, "duplicate_across_splits", "train/town/1.png", "drop").click()
    button(chrome, "duplicate_across_splits", "test/town/leaked.png", "keep").click()
    assert status.text == "4 decisions"

    labels = download(chrome, tmp_path / "downloads")
    rows = {row["path"]: row for row in csv.DictReader(labels.open(encoding="utf-8"))}
    assert {path: (row["action"], row["label"], row["split"]) for path, row in rows.items()} == {
        "train/sea/2.png": ("relabel", "forest", "train"),
        "train/sea/0.png": ("relabel", "town", "train"),
        "train/town/1.png": ("drop", "", "train"),
        "test/town/leaked.png": ("keep", "", "test"),
    }
    splits = find_splits(str(data), overlay=read_overlay(labels))
    assert splits.train.counts() == {"forest": 5, "sea": 2, "town": 6}
    assert splits.validation.counts() == {"forest": 4, "sea": 4, "town": 5}
    again = check_dataset(str(data), overlay=str(labels))
    assert not [one for one in again.findings if one.kind.startswith("duplicate_across")]


def wait_for_status(chrome: Any, ending: str) -> None:
    """Until the page has read the file that it was given, or 10 s."""
    from selenium.webdriver.support.ui import WebDriverWait

    status = chrome.find_element("id", "status")
    WebDriverWait(chrome, 10).until(lambda _: status.text.endswith(ending), f"the status ends in {ending!r}")


def test_decisions_are_taken_back_and_opened_again(data: Path, tmp_path: Path, open_page: Callable[..., Any]) -> None:
    write_page(report_with_suspect(data), str(tmp_path / "report.html"))
    chrome = open_page(tmp_path / "report.html")
    status, undo = chrome.find_element("id", "status"), chrome.find_element("id", "undo")
    drop = button(chrome, "suspect_label", "train/sea/2.png", "drop")
    keep = button(chrome, "suspect_label", "train/sea/2.png", "keep")
    drop.click()
    keep.click()
    assert (drop.get_attribute("aria-pressed"), keep.get_attribute("aria-pressed")) == ("false", "true")
    undo.click()
    assert (drop.get_attribute("aria-pressed"), keep.get_attribute("aria-pressed")) == ("true", "false")
    drop.click()  # pressed again: taken back
    assert status.text == "Nothing decided yet"
    undo.click()
    button(chrome, "duplicate_across_classes", f"train/forest/{STRANGE}", "drop").click()

    labels = download(chrome, tmp_path / "downloads")
    other = '0123456789abcdef,drop,,,"of another page, kept",\n'
    labels.write_text(labels.read_text(encoding="utf-8") + other, encoding="utf-8")
    second = open_page(tmp_path / "report.html")
    opener = second.find_element("id", "open")
    opener.send_keys(str(labels))
    wait_for_status(second, "Opened 3 decisions")
    assert button(second, "suspect_label", "train/sea/2.png", "drop").get_attribute("aria-pressed") == "true"
    labels.rename(tmp_path / "first.csv")
    assert download(second, tmp_path / "downloads").read_text() == (tmp_path / "first.csv").read_text()
    (tmp_path / "bad.csv").write_text("hash,action,label\n0123456789abcdef,relabel,desert\n")
    opener.send_keys(str(tmp_path / "bad.csv"))
    wait_for_status(second, "row 1 names no class of this page: desert")

    write_page(report_with_suspect(data, str(tmp_path / "first.csv")), str(tmp_path / "corrected.html"))
    third = open_page(tmp_path / "corrected.html")
    assert third.find_element("id", "status").text == "3 decisions"


def test_the_page_works_with_the_keyboard_and_on_a_phone(
    data: Path, tmp_path: Path, open_page: Callable[..., Any]
) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    write_page(report_with_suspect(data), str(tmp_path / "report.html"))
    chrome = open_page(tmp_path / "report.html")
    chrome.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}
    )
    assert chrome.execute_script("return document.documentElement.scrollWidth") <= 360, "nothing sticks out"
    for _ in range(60):
        ActionChains(chrome).send_keys(Keys.TAB).perform()
        if chrome.switch_to.active_element.text == "Drop":
            break
    top, bar = chrome.execute_script(
        "return [document.activeElement.getBoundingClientRect().top, "
        "document.querySelector('.bar').getBoundingClientRect().bottom]"
    )
    assert top >= bar, "what is focused is seen"
    ActionChains(chrome).send_keys(Keys.SPACE).perform()
    assert chrome.find_element("id", "status").text == "1 decision"
    unnamed = chrome.execute_script(
        "return [...document.querySelectorAll('button, select, input')].filter(e => !(e.textContent.trim() && "
        "e.tagName === 'BUTTON') && !e.getAttribute('aria-label') && !e.closest('label')).length"
    )
    assert unnamed == 0 and not chrome.find_elements("css selector", "img:not([alt])")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_on_the_page_hinders_anybody(
    data: Path, tmp_path: Path, open_page: Callable[..., Any], scheme: str
) -> None:
    """Contrast, names, headings and the like, as axe checks them."""
    write_page(report_with_suspect(data), str(tmp_path / "report.html"))
    chrome = open_page(tmp_path / "report.html")
    show_as(chrome, scheme=scheme)
    button(chrome, "suspect_label", "train/sea/2.png", "keep").click()
    assert hindrances(chrome) == []
    assert requests_of(chrome) == [(tmp_path / "report.html").as_uri()]
