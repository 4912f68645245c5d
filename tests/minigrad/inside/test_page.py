"""The page of an explanation, clicked through in a real browser. Its numbers are those of grad."""

import os
import re
import shutil
from contextlib import contextmanager

import numpy as np
import pytest

from minigrad import explain, grad, value_and_grad

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")


def linear_model(theta, x):
    return theta["w"] * x + theta["b"]


def mseloss(theta, model, x, y):
    residual = model(theta, x) - y
    return np.mean(residual ** 2)


ARGS = ({"w": 1.5, "b": 0.5}, linear_model, np.array([1.0, 2.0, 3.0]), np.array([2.0, 3.0, 8.0]))


@contextmanager
def browser(width=1300, height=800):
    """Headless Chromium, driven by Selenium. Without one, the test says that it did not run."""
    if not (BROWSER and DRIVER):
        pytest.skip("NOT RUN: there is no Chromium with its driver here (Debian: apt install chromium chromium-driver)")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for option in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", f"--window-size={width},{height}"):
        options.add_argument(option)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    try:
        yield driver
    finally:
        driver.quit()


def text(driver, selector):
    return driver.find_element("css selector", selector).text


def numbers_in(words):
    """The numbers of a text such as ``[0, 0.3333, -2]``."""
    return [float(number) for number in re.findall(r"-?\d+\.?\d*(?:e[+-]?\d+)?", words)]


def test_every_step_of_the_linear_model(tmp_path):
    file = tmp_path / "linear.html"
    explanation = explain(mseloss)(*ARGS)
    explanation.save(file)
    value, gradient = value_and_grad(mseloss)(*ARGS)
    with browser() as driver:
        driver.get(file.as_uri())
        count = len(explanation.trace.operations) + len(explanation.trace.visits)
        assert text(driver, ".count") == f"0 of {count + 1}" and text(driver, ".stage") == "inputs"

        # Forward: each step lights a line, and the value appears in the picture.
        for operation in explanation.trace.operations:
            driver.find_element("css selector", ".next").click()
            assert text(driver, ".stage") == "forward"
            assert text(driver, "pre .lit").split(maxsplit=1)[1] == operation.line.text
            node = driver.find_element("css selector", "svg .node.lit")
            shown = numbers_in(node.find_element("css selector", ".value").text)
            np.testing.assert_allclose(shown, np.ravel(operation.results[0].value), rtol=1e-3)
        assert numbers_in(text(driver, "svg .node.lit .value")) == pytest.approx([value], rel=1e-3)

        # Backward: the formula, the shares, the running sums; and the cotangents in the picture.
        for visit in explanation.trace.visits:
            driver.find_element("css selector", ".next").click()
            assert text(driver, ".stage") == "backward"
            rows = driver.find_elements("css selector", ".now table tr")[1:]
            assert len(rows) == len(visit.shares)
            for row, share in zip(rows, visit.shares):
                rule, hands, to, total = (cell.text for cell in row.find_elements("css selector", "td"))
                assert rule.startswith("d/d") and to == share.parent.name
                np.testing.assert_allclose(numbers_in(hands), np.ravel(share.value), rtol=1e-3)
                np.testing.assert_allclose(numbers_in(total), np.ravel(share.total), rtol=1e-3)
        driver.find_element("css selector", ".next").click()
        shown = {row.text.rpartition(" ")[0]: float(row.text.rpartition(" ")[2]) for row in driver.find_elements("css selector", ".now tr")[1:]}
        assert shown == pytest.approx({"theta['w']": gradient["w"], "theta['b']": gradient["b"]}, rel=1e-3)
        last = text(driver, ".count")
        driver.find_element("css selector", ".next").click()  # there is nothing after the last step
        assert text(driver, ".count") == last == f"{count + 1} of {count + 1}"


def test_keys_buttons_and_slider(tmp_path):
    from selenium.webdriver.common.keys import Keys

    file = tmp_path / "linear.html"
    explain(mseloss)(*ARGS).save(file)
    with browser() as driver:
        driver.get(file.as_uri())
        body = driver.find_element("css selector", "body")
        for key, expected in ((Keys.ARROW_RIGHT, 1), (Keys.ARROW_RIGHT, 2), (Keys.ARROW_LEFT, 1), (Keys.END, 11), (Keys.HOME, 0), (Keys.ARROW_LEFT, 0)):
            body.send_keys(key)
            assert text(driver, ".count") == f"{expected} of 11"
        for button, expected in ((".last", 11), (".back", 10), (".first", 0), (".next", 1)):
            driver.find_element("css selector", button).click()
            assert text(driver, ".count") == f"{expected} of 11"
        slider = driver.find_element("css selector", ".slider")
        driver.execute_script("arguments[0].value = 6; arguments[0].dispatchEvent(new Event('input'))", slider)
        assert text(driver, ".count") == "6 of 11" and text(driver, ".stage") == "backward"
        assert not [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]


def test_a_phone(tmp_path):
    file = tmp_path / "linear.html"
    explain(mseloss)(*ARGS).save(file)
    with browser(500, 900) as driver:
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True})
        driver.get(file.as_uri())
        for _ in range(8):
            driver.find_element("css selector", ".next").click()
        # Nothing but the panels scrolls sideways, and buttons are large enough for a finger.
        assert driver.execute_script("return document.documentElement.scrollWidth") <= 390
        sizes = [button.size for button in driver.find_elements("css selector", "button")]
        assert min(size["width"] for size in sizes) >= 44 and min(size["height"] for size in sizes) >= 40


def hundred(x):
    for _ in range(50):
        x = np.sin(x) * x
    return x


def test_a_page_of_100_operations_is_small_and_needs_no_network(tmp_path):
    file = tmp_path / "hundred.html"
    explain(hundred)(2.0).save(file)
    source = file.read_text(encoding="utf-8")
    assert os.path.getsize(file) < 300_000
    assert not re.search(r"https?://|src=|href=|@import|url\(", source)


def test_2000_operations_are_folded(tmp_path):
    def long(x):
        for _ in range(1000):
            x = np.sin(x) * 1.5
        return x

    file = tmp_path / "long.html"
    explain(long)(0.5).save(file)
    assert os.path.getsize(file) < 3_000_000
    with browser() as driver:
        driver.get(file.as_uri())
        assert text(driver, ".count") == "0 of 400"
        driver.find_element("css selector", ".last").click()
        assert numbers_in(text(driver, ".now tr:last-child"))[-1] == pytest.approx(grad(long)(0.5), rel=1e-3, abs=1e-12)


def test_nested_gradients(tmp_path):
    file = tmp_path / "nested.html"
    explain(grad(lambda x: x * x * x))(2.0).save(file)
    with browser() as driver:
        driver.get(file.as_uri())
        driver.find_element("css selector", ".last").click()
        assert numbers_in(text(driver, ".now tr:last-child"))[-1] == 12.0


def test_source_and_names_are_shown_as_they_are(tmp_path):
    """Markup in names and in the source is text, not markup."""
    file = tmp_path / "markup.html"
    explain(lambda p: p["</script><b>{{SVG}}"] * 2.0)({"</script><b>{{SVG}}": 1.5}).save(file)
    with browser() as driver:
        driver.get(file.as_uri())
        assert text(driver, ".now").split()[-1] == "1.5" and "p['</script><b>{{SVG}}']" in text(driver, ".now")
        assert not driver.find_elements("css selector", ".now b")


def test_two_explanations_in_a_notebook_do_not_disturb_each_other(tmp_path):
    file = tmp_path / "notebook.html"
    cells = [explain(mseloss)(*ARGS)._repr_html_(), explain(lambda x: x * x)(3.0)._repr_html_()]
    file.write_text(f"<!DOCTYPE html><body><div>{cells[0]}</div><div>{cells[1]}</div></body>", encoding="utf-8")
    with browser() as driver:
        driver.get(file.as_uri())
        first, second = driver.find_elements("css selector", ".explain")
        second.find_element("css selector", ".last").click()
        assert first.find_element("css selector", ".count").text == "0 of 11"
        assert second.find_element("css selector", ".count").text == "3 of 3"
        assert numbers_in(second.find_element("css selector", ".now tr:last-child").text) == [6.0]


def test_texts_are_within_their_boxes(tmp_path):
    def network(p, x):
        hidden_units_of_the_first_layer = np.tanh(x @ p["the weights"] + p["b"])
        return np.mean(np.abs(hidden_units_of_the_first_layer * (1e-17 + 1.23456j)) ** 2)

    file = tmp_path / "network.html"
    explain(network)({"the weights": np.arange(12.0).reshape(4, 3) / -12345.678, "b": np.array([1e-7, 2e-8, -3.4567e-9])}, np.ones((5, 4))).save(file)
    with browser() as driver:
        driver.get(file.as_uri())
        driver.find_element("css selector", ".last").click()
        boxes = driver.execute_script(
            "return [...document.querySelectorAll('svg .node')].map(node => [node.querySelector('rect').getBBox().width, "
            "...[...node.querySelectorAll('text')].map(text => text.getBBox().width)])"
        )
        assert len(boxes) > 8 and all(max(texts) <= box for box, *texts in boxes)
