"""The sandbox's page in a real browser."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import anyio
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

from followersdata_async import AsyncClient, OutcomeUnknownError, PlacedOrder, orders
from followersdata_async.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

LINK = "https://example.com/<script>alert(1)</script>"


@pytest.fixture(scope="module", name="browser")
def _browser() -> Iterator[webdriver.Chrome]:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.fail("this needs chromium and chromedriver: apt-get install chromium chromium-driver", pytrace=False)
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1280,1000"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options, webdriver.ChromeService(driver))
    yield browser
    browser.quit()


@pytest.fixture(name="sandbox")
def _sandbox(browser: webdriver.Chrome) -> Iterator[Sandbox]:
    """A sandbox whose time stands still, with its page open. The browser must log no errors."""
    with Sandbox(serve=True, speed=0, past=1_000_000) as sandbox:
        browser.get(sandbox.page)
        WebDriverWait(browser, 20).until(lambda _: get_text(browser, "requests") == "0")
        yield sandbox
        complaints = browser.get_log("browser")
        browser.get("about:blank")
    assert complaints == []


def get_text(browser: webdriver.Chrome, name: str) -> str:
    """Return the text of an element of the page."""
    return browser.find_element(By.ID, name).text


def wait_for_text(browser: webdriver.Chrome, name: str, words: str) -> None:
    """Wait until an element of the page contains these words."""
    WebDriverWait(browser, 20).until(lambda _: words in get_text(browser, name))


def place_order(sandbox: Sandbox) -> PlacedOrder:
    """Place an order through the client."""

    async def main() -> PlacedOrder:
        async with AsyncClient(sandbox.key, url=sandbox.url, retry=None) as panel:
            return await panel.add(orders.Default(service=1, link=LINK, quantity=1000))

    return anyio.run(main)


def click(browser: webdriver.Chrome, words: str) -> None:
    """Click the button with this label."""
    browser.find_element(By.XPATH, f"//button[normalize-space()='{words}']").click()


def test_the_page_shows_a_new_order_and_its_progress_without_a_reload(
    browser: webdriver.Chrome, sandbox: Sandbox
) -> None:
    """What comes from a client is shown as text, never as HTML."""
    browser.execute_script("window.kept = true")
    order = place_order(sandbox)
    wait_for_text(browser, "orders", f"{order.order} 1 Followers Pending")
    wait_for_text(browser, "log", LINK)
    assert "sandbox-key" not in browser.page_source
    assert get_text(browser, "taken") == "1"
    click(browser, "+1 minute")
    wait_for_text(browser, "orders", "In progress")
    bar = browser.find_element(By.CSS_SELECTOR, "#orders progress")
    assert 0 < float(bar.get_attribute("value") or 0) < 1000
    click(browser, "+1 day")
    WebDriverWait(browser, 20).until(lambda _: {"Completed", "Partial"} & set(get_text(browser, "orders").split()))
    if "SCREENSHOT" in os.environ:
        sandbox.next("dropped", action="add", times=2)
        for _ in range(2):
            with pytest.raises(OutcomeUnknownError):
                place_order(sandbox)
        place_order(sandbox)
        click(browser, "+1 minute")
        sandbox.next("limited", times=3)
        wait_for_text(browser, "pending", "limited")
        browser.save_screenshot(os.environ["SCREENSHOT"])
    assert browser.execute_script("return window.kept") is True


def test_a_fault_added_on_the_page_applies_to_the_next_request(browser: webdriver.Chrome, sandbox: Sandbox) -> None:
    """The page shows it: the order was taken, its response lost."""
    Select(browser.find_element(By.ID, "fault")).select_by_value("dropped")
    Select(browser.find_element(By.ID, "action")).select_by_visible_text("add")
    click(browser, "Break it")
    wait_for_text(browser, "pending", "add: dropped")
    with pytest.raises(OutcomeUnknownError):
        place_order(sandbox)
    wait_for_text(browser, "log", "none, dropped")
    assert get_text(browser, "pending") == ""
    assert get_text(browser, "taken") == "1"
    place_order(sandbox)
    click(browser, "Start anew")
    WebDriverWait(browser, 20).until(lambda _: get_text(browser, "taken") == "0")
    assert sandbox.orders() == []


def test_the_page_can_be_used_with_the_keyboard_alone(browser: webdriver.Chrome, sandbox: Sandbox) -> None:
    """Tab reaches every control in order, and Enter adds a fault."""
    reached = []
    for _ in range(9):
        browser.switch_to.active_element.send_keys(Keys.TAB)
        element = browser.switch_to.active_element
        reached.append(element.get_attribute("id") or element.text)
        outline = element.value_of_css_property("outline-style")
        assert outline != "none", reached
    assert reached == [
        "OpenAPI", "+1 minute", "+1 hour", "+1 day", "reset", "fault", "times", "action", "seconds",
    ]  # fmt: skip
    browser.switch_to.active_element.send_keys(Keys.ENTER)
    wait_for_text(browser, "news", "To come: the answer comes after some seconds")
    assert sandbox.faults() == [{"fault": "late", "times": 1, "seconds": 5}]
    click(browser, "Nothing more goes wrong")
    WebDriverWait(browser, 20).until(lambda _: sandbox.faults() == [])


def test_the_page_fits_on_a_phone(browser: webdriver.Chrome, sandbox: Sandbox) -> None:
    """In one column, without horizontal scrolling."""
    place_order(sandbox)
    browser.set_window_size(500, 900)
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}
    )
    try:
        wait_for_text(browser, "orders", "Pending")
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 360
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        browser.set_window_size(1280, 1000)


def test_the_page_reports_that_the_sandbox_has_ended(browser: webdriver.Chrome) -> None:
    """It does not go on to show the last state as if it were current."""
    with Sandbox(serve=True) as sandbox:
        browser.get(sandbox.page)
        WebDriverWait(browser, 20).until(lambda _: get_text(browser, "requests") == "0")
    wait_for_text(browser, "lost", "The sandbox does not answer")
    browser.get("about:blank")
    browser.get_log("browser")
