"""The panel of faults in a browser."""

import pytest
from playwright.sync_api import Page, expect

from dispatcher.sandbox.process import SandboxProcess
from tests.support.cases import cases


@pytest.fixture
def panel(page: Page) -> Page:
    page.get_by_role("button", name="Faults").click()
    return page


@cases(
    "name, fault",
    ("Too many requests", "status"),
    ("Slow", "delay"),
    ("Reset after accepting", "reset_after"),
)
def test_a_switch_sets_a_fault_and_takes_it_away(name: str, fault: str, panel: Page) -> None:
    switch = panel.get_by_role("switch", name=name)
    expect(switch).not_to_be_checked()

    switch.click()
    expect(switch).to_be_checked()
    expect(panel.locator("#rules")).to_contain_text(fault)
    assert [rule["fault"] for rule in rules(panel)] == [fault]

    switch.press("Space")
    expect(switch).not_to_be_checked()
    assert rules(panel) == []


def rules(page: Page) -> list[dict[str, object]]:
    return list(page.evaluate("fetch('/api/faults').then(answer => answer.json())"))


def test_a_rule_is_added_and_removed(panel: Page) -> None:
    panel.get_by_label("Fault", exact=True).select_option("status")
    panel.get_by_label("Times").fill("2")
    panel.get_by_label("Status").fill("503")
    panel.get_by_label("Retry after").fill("5")
    panel.get_by_role("button", name="Add rule").click()

    listed = panel.locator("#rules li")
    expect(listed).to_contain_text(["status /v1/messages · 503 code 1010 · retry after 5 · 2 more"])
    [rule] = rules(panel)
    assert (rule["times"], rule["status"], rule["retry_after"]) == (2, 503, 5)

    panel.get_by_role("button", name="Remove rule 1").click()
    expect(panel.get_by_text("None: the gateway behaves.")).to_be_visible()
    assert rules(panel) == []


def test_a_rule_that_cannot_be_says_why(panel: Page) -> None:
    panel.get_by_label("Path").fill("messages")
    panel.get_by_role("button", name="Add rule").click()

    expect(panel.get_by_role("alert")).to_have_text("path: must be the start of a path")
    expect(panel.get_by_label("Path")).to_be_focused()


def test_rules_of_the_api_appear_by_themselves(page: Page, inbox: SandboxProcess) -> None:
    inbox.faults([{"fault": "stall", "to": "79001234567"}, {"fault": "html"}])

    expect(page.get_by_role("button", name="Faults 2")).to_be_visible()
