"""The documentation site: every page has its place, no link leads nowhere, a reader finds what he looks for."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.browser import browser, hindrances, requests_of, show_as
from tools import site

SEARCH = "return document.activeElement?.shadowRoot?.querySelector('input') ? document.activeElement.shadowRoot : null"

# The theme's own: landmarks of one name beside code blocks; wide tables that scroll, which browsers now focus.
THEME = ("landmark-unique", "scrollable-region-focusable")


def test_every_page_is_in_the_navigation(tmp_path: Path) -> None:
    site.write_pages(tmp_path / "pages")
    written = {page.name for page in (tmp_path / "pages").glob("*.md")}
    assert sorted(site.pages_of_navigation()) == sorted(written)


def test_references_say_what_the_program_says() -> None:
    commands = site.command_reference()
    assert "## train" in commands and "<code>--epochs N</code> | Passes over the data." in commands
    recipes = site.recipe_reference()
    assert "| `architecture` | `paper` | – | – | `efficientnet_lite0` |" in recipes


def test_a_link_to_nothing_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "docs").mkdir()
    for name in ("README.md", *site.PROJECT_PAGES, "docs/page.md"):
        (tmp_path / name).write_text("[gone](nowhere.md)")
    monkeypatch.setattr(site, "ROOT", tmp_path)
    with pytest.raises(SystemExit, match=r"links to nowhere\.md, which is not there"):
        site.write_pages(tmp_path / "pages")


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("zensical", reason='zensical is not installed: pip install -e ".[site]"')
    target = tmp_path_factory.mktemp("site")
    site.build(target)
    return target / "html"


def test_links_between_built_pages_lead_somewhere(html: Path) -> None:
    pages = {page.name: page.read_text(encoding="utf-8") for page in html.glob("*.html")}
    assert len(pages) > 20
    wrong = []
    for name, text in pages.items():
        for target, anchor in re.findall(r'<a [^>]*href="(?!https?:|mailto:|javascript:)([^"#]*)(?:#([^"]*))?"', text):
            other = unquote(target.partition("?")[0]) or name
            if name == "404.html" or other in (".", "./"):
                continue
            if other not in pages and not (html / other).exists():
                wrong.append(f"{name}: {target}")
            elif anchor and other in pages and f'id="{unquote(anchor)}"' not in pages[other]:
                wrong.append(f"{name}: {target}#{anchor}")
    assert wrong == []


@pytest.fixture
def address(html: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(html)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_reader_searches_and_finds(address: str, tmp_path: Path) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    with browser(tmp_path) as start:
        chrome = start(f"{address}/index.html", "--window-size=1300,900")
        assert "scene_lightning" in chrome.title
        chrome.find_element(By.CSS_SELECTOR, ".md-search__button").click()
        search = WebDriverWait(chrome, 30).until(lambda c: c.execute_script(SEARCH))  # in a shadow root
        search.find_element(By.CSS_SELECTOR, "input").send_keys("confident learning")
        WebDriverWait(chrome, 30).until(
            lambda c: search.find_elements(By.CSS_SELECTOR, "a[href*='check.html'][href*='suspect-labels']")
        )
        for page in ("start.html", "recipe-values.html"):
            show_as(chrome, scheme="dark", phone=page == "start.html")
            chrome.get(f"{address}/{page}")
            assert [one for one in hindrances(chrome) if not one.startswith(THEME)] == []
        assert [url for url in requests_of(chrome) if not url.startswith(address)] == []
