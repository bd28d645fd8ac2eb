"""The report as a reader sees it: in Chromium, where there is one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = Path("/usr/bin/chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if not CHROMIUM.is_file():
        pytest.skip(f"no {CHROMIUM}: install Debian's chromium to see the report in a browser")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright drives the browser")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module", params=["written", "written_simulated"])
def page(browser: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    written: tuple[Path, str] = request.getfixturevalue(request.param)
    opened = browser.new_page(viewport={"width": 1280, "height": 800})
    opened.problems = []
    opened.on("console", lambda message: opened.problems.append(message.text))
    opened.on(
        "request",
        lambda request: (
            opened.problems.append(request.url) if "file:" not in request.url and "data:" not in request.url else None
        ),
    )
    opened.goto((written[0] / "report.html").as_uri())
    yield opened
    opened.close()


def test_the_page_asks_for_nothing_and_complains_of_nothing(page) -> None:
    assert page.problems == []


@pytest.mark.parametrize("width", [390, 768, 1280, 1920])
def test_nothing_has_to_be_scrolled_sideways(page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_first_screen_holds_question_cohort_sentence_intervals_source_checks_and_limits(page) -> None:
    page.set_viewport_size({"width": 1280, "height": 800})
    for selector in (".question", ".counts", ".headline", "#figure-intervals", "text=Where the label comes from",
                     ".checks", "text=What cannot be concluded"):  # fmt: skip
        box = page.locator(selector).first.bounding_box()
        assert box["y"] >= 0, selector
        assert box["y"] + box["height"] <= 800, selector
    last = page.locator(".first > div").last.bounding_box()
    assert last["y"] + last["height"] <= 800


def test_no_text_of_the_first_screen_overlaps_another(page) -> None:
    page.set_viewport_size({"width": 1280, "height": 800})
    boxes = page.evaluate(
        "[...document.querySelectorAll('h1, .question, .counts, .headline, .first > div')]"
        ".map(e => e.getBoundingClientRect()).map(b => [b.left, b.top, b.right, b.bottom])"
    )
    for place, (left, top, right, bottom) in enumerate(boxes):
        for other in boxes[place + 1 :]:
            assert right <= other[0] or other[2] <= left or bottom <= other[1] + 0.5 or other[3] <= top + 0.5


def test_every_text_has_the_contrast_that_wcag_asks_for(page) -> None:
    # WCAG 2.2, 1.4.3: at least 4.5 to 1; the formula is that of its relative luminance.
    lowest = page.evaluate("""() => {
      const value = c => { c /= 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4 };
      const light = rgb => { const [r, g, b] = rgb.match(/[\\d.]+/g).map(Number).map(value);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b };
      const ground = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
        if (!/^rgba.*, 0\\)$/.test(c)) return c } return 'rgb(255, 255, 255)' };
      let worst = 21;
      for (const e of document.querySelectorAll('body *:not(svg *)')) {
        if (![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())) continue;
        const [a, b] = [light(getComputedStyle(e).color), light(ground(e))];
        worst = Math.min(worst, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05));
      }
      return worst }""")
    assert lowest >= 4.5
