"""The page of several runs: what differs between them, and a paired test on the photographs that both answered."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from scipy import stats

from scene_lightning.cli import main as cli
from scene_lightning.inference.answers import Answers
from tests.browser import browser, hindrances, requests_of, show_as
from tests.run_report.conftest import MakeRun
from tests.run_report.test_page import data_of


def compared(tmp_path: Path, *runs: Path) -> str:
    out = tmp_path / "comparison.html"
    assert cli.run(["report", *map(str, runs), "--out", str(out)]) == 0
    return out.read_text(encoding="utf-8")


def test_two_runs_are_tested_on_the_photographs_that_both_answered(make_run: MakeRun, tmp_path: Path) -> None:
    one = make_run("one", per_class=12, seed=1)
    other = make_run("other", per_class=12, seed=2, overrides=["learning_rate=0.01", "epochs=3"])
    page = compared(tmp_path, one, other)
    first, second = (Answers.read(run / "predictions.csv") for run in (one, other))
    right = [
        (a.argmax() == label, b.argmax() == label)
        for a, b, label in zip(first.rows(), second.rows(), first.labels, strict=True)
    ]
    only = [sum(a and not b for a, b in right), sum(b and not a for a, b in right)]
    data = data_of(page)
    assert [one["total"] for one in data["sets"][:2]] == only and sum(only) > 3
    p_value = stats.binomtest(only[0], sum(only)).pvalue
    assert f"{p_value:.3f}" in page
    assert f"{100 * (only[0] - only[1]) / 36:+.1f} <small>" in page
    settings = page[page.index('id="settings"') : page.index('id="curves"')].replace("<wbr>", "")
    assert "training.learning_rate" in settings and "training.epochs" in settings
    assert "training.batch_size" not in settings and "training.seed" not in settings
    assert all(photograph[2].startswith("data:image/webp") for photograph in data["photographs"])


def test_photographs_are_paired_by_content_where_they_were_renamed(make_run: MakeRun, tmp_path: Path) -> None:
    one, other = make_run("one", seed=1), make_run("other", seed=2)
    for name in ("predictions.csv", "images.csv"):
        text = (other / name).read_text().replace("/data/test/", "/elsewhere/x")
        (other / name).write_text(text)
    assert re.search(r"<td class=\"number\">18</td>", compared(tmp_path, one, other))


def test_three_runs_are_tested_in_all_pairs_with_holm(make_run: MakeRun, tmp_path: Path) -> None:
    page = compared(tmp_path, *(make_run(f"run {number}", seed=number) for number in range(3)))
    assert page.count("<small>Holm ") == 3 and "There are 3 pairs" in page
    assert len(data_of(page)["sets"]) == 9


def test_runs_without_common_photographs_say_so(make_run: MakeRun, tmp_path: Path) -> None:
    one, other = make_run("one"), make_run("other", ["cat", "dog"])
    (other / "images.csv").unlink()
    page = compared(tmp_path, one, other)
    assert "They answered no photograph in common." in page


def test_a_run_without_answers_still_stands_in_the_tables(make_run: MakeRun, tmp_path: Path) -> None:
    one, other = make_run("one"), make_run("other")
    for name in ("predictions.csv", "evaluation.json", "run.json"):
        (other / name).unlink()
    assert "other" in compared(tmp_path, one, other)


def test_a_run_named_twice_is_refused(make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run()
    assert cli.run(["report", str(run), f"{run}/"]) == 2
    assert "Expected different runs" in capsys.readouterr().err


def test_the_default_place_is_here(make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [str(make_run("one")), str(make_run("other", seed=4))]
    monkeypatch.chdir(tmp_path)
    assert cli.run(["report", *runs]) == 0 and (tmp_path / "comparison.html").is_file()


def test_disagreements_open_in_a_browser(make_run: MakeRun, tmp_path: Path) -> None:
    page = compared(tmp_path, make_run("one", per_class=12, seed=1), make_run("other", per_class=12, seed=2))
    with browser(tmp_path / "downloads") as start:
        chrome = start(tmp_path / "comparison.html")
        button = chrome.find_element("css selector", "button[data-set='0']")
        chrome.execute_script("arguments[0].scrollIntoView({block: 'center'})", button)
        button.click()
        shown = chrome.find_elements("css selector", "dialog figure")
        assert len(shown) == data_of(page)["sets"][0]["total"]
        assert "one: " in shown[0].text and "other: " in shown[0].text
        chrome.execute_script("document.querySelector('dialog').close()")
        for scheme in ("light", "dark"):
            show_as(chrome, scheme=scheme)
            assert hindrances(chrome) == []
        show_as(chrome, phone=True)
        assert chrome.execute_script("return document.documentElement.scrollWidth") <= 360
        assert requests_of(chrome) == [(tmp_path / "comparison.html").as_uri()]


def test_the_data_are_json(make_run: MakeRun, tmp_path: Path) -> None:
    page = compared(tmp_path, make_run("<!--<script>"), make_run("b", seed=3))
    assert json.dumps(data_of(page)["runs"]) == '["<!--<script>", "b"]'
