"""A real browser for tests of pages: headless Chromium, driven by Playwright, cut off from any network but loopback."""

import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome")


@contextmanager
def open_browser() -> Iterator[Any]:
    """Start a browser and close it; skips the test where there is none."""
    driver = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = next((path for name in _NAMES if (path := shutil.which(name))), None)
    if program is None:
        pytest.skip("there is no Chromium to open the page in")
    with driver.sync_playwright() as playwright:
        # Without its sandbox it also runs as root, as in a container.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


class Window:
    """A page in a window of its own, which notes what goes wrong and what it asks for.

    Args:
        browser: From :func:`open_browser`.
        width: Of the window, pixels.
        height: Of the window, pixels.
        dark: Whether the system asks for dark colours.
        more: Other settings of Playwright's context.

    Attributes:
        context: Playwright's context; close it at the end.
        page: Playwright's page, still empty.
        complaints: What the page wrote to the console, and its errors.
        requests: Playwright's requests, as the page makes them.
    """

    def __init__(self, browser: Any, width: int = 1440, height: int = 900, dark: bool = False, **more: Any) -> None:
        scheme = "dark" if dark else "light"
        self.context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, **more)
        self.page = self.context.new_page()
        self.page.set_default_timeout(20_000)
        self.complaints: list[str] = []
        self.requests: list[Any] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request))

    def text(self, where: str) -> str:
        """Read the text of an element."""
        return str(self.page.locator(where).text_content()).strip()

    def overflow(self) -> int:
        """Give by how many pixels the page is wider than its window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - innerWidth"))


class Visit(Window):
    """A visit to a page that needs no network.

    Args:
        browser: From :func:`open_browser`.
        address: Where to go.
        width: Of the window, pixels.
        dark: Whether the system asks for dark colours.

    Attributes:
        asked: Addresses that the page asked for when it was opened, its own left out.
    """

    def __init__(self, browser: Any, address: str, width: int = 1440, dark: bool = False) -> None:
        super().__init__(browser, width, dark=dark, offline=True)
        self.page.goto(address)
        addresses = [request.url for request in self.requests]
        self.asked = [url for url in addresses if url != address and not url.startswith("data:")]

    def column(self, table: str, number: int) -> list[str]:
        """Read the first line of every visible cell of a table's column."""
        cells = self.page.locator(f"{table} tbody tr:not([hidden]) > :nth-child({number})")
        return [text.strip().split("\n")[0] for text in cells.all_inner_texts()]


def assert_read_aloud(page: Any, patterns: Sequence[str]) -> None:
    """Check what a screen reader finds on a page: these things, headings in their order, no picture without a name.

    Args:
        page: Playwright's page.
        patterns: Regular expressions, each to be found in its accessibility tree.
    """
    found = page.locator("body").aria_snapshot()
    for pattern in patterns:
        assert re.search(pattern, found), pattern
    levels = [int(level) for level in re.findall(r"\[level=(\d)\]", found)]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert page.locator("img:not([alt])").count() == 0
