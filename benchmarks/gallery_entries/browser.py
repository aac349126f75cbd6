"""Photographs of pages, by a browser."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from gallery_entries.entry import Shot

_WIDTH = 1280  # of the window, in pixels


def photograph(page: Path, shots: Sequence[Shot], folder: Path) -> list[Path]:
    """Draw what a browser shows of parts of a page, in light and in dark.

    Args:
        page: A file with HTML.
        shots: The parts, and what is pressed before.
        folder: Where the pictures go.
    """
    from playwright.sync_api import sync_playwright

    pictures = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        for shot in shots:
            for look in shot.looks:
                window = browser.new_page(viewport={"width": _WIDTH, "height": shot.height})
                window.emulate_media(color_scheme="dark" if look == "dark" else "light")
                window.goto(page.as_uri())
                if shot.keys:
                    window.locator(".scroller").focus()
                for key in shot.keys:
                    window.keyboard.press(key)
                if shot.selector:
                    window.locator(shot.selector).first.evaluate("element => element.scrollIntoView()")
                window.wait_for_timeout(500)
                pictures.append(folder / shot.file(look))
                window.screenshot(path=pictures[-1])
                window.close()
        browser.close()
    return pictures
