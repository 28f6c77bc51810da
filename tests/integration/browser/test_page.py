"""The sandbox's page in a real browser: what happens is seen on it, and what is pressed happens."""

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
    """A panel whose time stands still, and its page, which must not complain."""
    with Sandbox(serve=True, speed=0, past=1_000_000) as sandbox:
        browser.get(sandbox.page)
        WebDriverWait(browser, 20).until(lambda _: text(browser, "requests") == "0")
        yield sandbox
        complaints = browser.get_log("browser")
        browser.get("about:blank")
    assert complaints == []


def text(browser: webdriver.Chrome, name: str) -> str:
    """What a part of the page says."""
    return browser.find_element(By.ID, name).text


def seen(browser: webdriver.Chrome, name: str, words: str) -> None:
    """Wait until a part of the page says so."""
    WebDriverWait(browser, 20).until(lambda _: words in text(browser, name))


def placed(sandbox: Sandbox) -> PlacedOrder:
    """An order through the client."""

    async def main() -> PlacedOrder:
        async with AsyncClient(sandbox.key, url=sandbox.url, retry=None) as panel:
            return await panel.add(orders.Default(service=1, link=LINK, quantity=1000))

    return anyio.run(main)


def press(browser: webdriver.Chrome, words: str) -> None:
    """Press the button of this name."""
    browser.find_element(By.XPATH, f"//button[normalize-space()='{words}']").click()


def test_an_order_is_seen_to_come_and_to_move_without_a_reload(browser: webdriver.Chrome, sandbox: Sandbox) -> None:
    """From the request to the last of it; what comes from a client is text, never HTML."""
    browser.execute_script("window.kept = true")
    order = placed(sandbox)
    seen(browser, "orders", f"{order.order} 1 Followers Pending")
    seen(browser, "log", LINK)
    assert "sandbox-key" not in browser.page_source
    assert text(browser, "taken") == "1"
    press(browser, "+1 minute")
    seen(browser, "orders", "In progress")
    bar = browser.find_element(By.CSS_SELECTOR, "#orders progress")
    assert 0 < float(bar.get_attribute("value") or 0) < 1000
    press(browser, "+1 day")
    WebDriverWait(browser, 20).until(lambda _: {"Completed", "Partial"} & set(text(browser, "orders").split()))
    if "SCREENSHOT" in os.environ:
        sandbox.next("dropped", action="add", times=2)
        for _ in range(2):
            with pytest.raises(OutcomeUnknownError):
                placed(sandbox)
        placed(sandbox)
        press(browser, "+1 minute")
        sandbox.next("limited", times=3)
        seen(browser, "pending", "limited")
        browser.save_screenshot(os.environ["SCREENSHOT"])
    assert browser.execute_script("return window.kept") is True


def test_a_fault_that_is_pressed_befalls_the_next_call(browser: webdriver.Chrome, sandbox: Sandbox) -> None:
    """And is seen to have: the order was taken, the answer lost."""
    Select(browser.find_element(By.ID, "fault")).select_by_value("dropped")
    Select(browser.find_element(By.ID, "action")).select_by_visible_text("add")
    press(browser, "Break it")
    seen(browser, "pending", "add: dropped")
    with pytest.raises(OutcomeUnknownError):
        placed(sandbox)
    seen(browser, "log", "none, dropped")
    assert text(browser, "pending") == ""
    assert text(browser, "taken") == "1"
    placed(sandbox)
    press(browser, "Start anew")
    WebDriverWait(browser, 20).until(lambda _: text(browser, "taken") == "0")
    assert sandbox.orders() == []


def test_a_keyboard_is_enough(browser: webdriver.Chrome, sandbox: Sandbox) -> None:
    """Every control in its turn, and a fault without a pointer."""
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
    seen(browser, "news", "To come: the answer comes after some seconds")
    assert sandbox.faults() == [{"fault": "late", "times": 1, "seconds": 5}]
    press(browser, "Nothing more goes wrong")
    WebDriverWait(browser, 20).until(lambda _: sandbox.faults() == [])


def test_a_phone_shows_all_of_it(browser: webdriver.Chrome, sandbox: Sandbox) -> None:
    """In one column, without scrolling sideways."""
    placed(sandbox)
    browser.set_window_size(500, 900)
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}
    )
    try:
        seen(browser, "orders", "Pending")
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 360
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        browser.set_window_size(1280, 1000)


def test_it_says_when_the_sandbox_has_ended(browser: webdriver.Chrome) -> None:
    """Instead of showing what was."""
    with Sandbox(serve=True) as sandbox:
        browser.get(sandbox.page)
        WebDriverWait(browser, 20).until(lambda _: text(browser, "requests") == "0")
    seen(browser, "lost", "The sandbox does not answer")
    browser.get("about:blank")
    browser.get_log("browser")
