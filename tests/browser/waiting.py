"""Waits for what only a script can see; Playwright's own way is one that the pages' CSP forbids."""

from playwright.sync_api import Page


def wait_until(page: Page, condition: str) -> None:
    """Returns as soon as the expression is true in the page."""
    for _ in range(200):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"still not true: {condition}")
