"""The page in a real browser."""

import json
import re

import numpy as np
import pytest
from needs import needs_browser
from PIL import Image
from pycocotools import mask as coco
from visit import Visit

from lseg.data.sets.shapes import CLASSES
from lseg.demo.server import running_server
from lseg.inference.segmenter import Segmenter

pytestmark = needs_browser


def test_what_a_table_answered_a_label_as_is_a_line_below_the_picture(
    browser, table_service, shapes
):
    with running_server(table_service, "A table.") as address:
        tab = Visit(browser, address)
        tab.upload(shapes(1)[0])
        line = tab.page.locator("#viewer .answered")
        tab.say("Red-Circles, background")
        tab.answered("Red-Circles", "background")
        assert line.inner_text() == '"Red-Circles" answered as "red circle"'
        tab.say("red circle, background")
        tab.answered("red circle", "background")
        assert line.is_hidden()
        assert tab.complaints == []
        tab.context.close()


def test_upload_ask_change_click_download(visit, url, model, shapes, tmp_path):
    tab = visit()
    path, labels = shapes(1, 160)
    tab.upload(path)
    tab.say(", ".join(labels))
    tab.answered(*labels, "other")
    segmenter = Segmenter(model)
    segmenter.set_image(path)
    expected = segmenter.segment([*labels, "other"])

    # the overlay has the legend's colours where the labels are, and the shares are right
    y, x = np.argwhere(expected.label_map == 0).mean(0).astype(int)
    image = np.asarray(Image.open(path)).astype(float)
    index = expected.label_map[y, x]
    colour = tab.page.locator("#viewer .swatch").nth(int(index)).evaluate("e => e.style.background")
    mixed = 0.45 * image[y, x] + 0.55 * np.array([int(v) for v in re.findall(r"\d+", colour)])
    assert np.abs(np.array(tab.canvas_pixel(int(x), int(y))) - mixed).max() < 12  # JPEG
    shares = tab.page.locator("#viewer .legend td:last-child").all_inner_texts()
    assert float(shares[0].split()[0]) == pytest.approx(100 * expected.shares[labels[0]], abs=0.06)

    # on hover the label is named
    box = tab.page.locator("#viewer canvas").bounding_box()
    scale = min(box["width"], box["height"]) / 160
    left = box["x"] + (box["width"] - 160 * scale) / 2
    tab.page.mouse.move(left + (x + 0.5) * scale, box["y"] + (y + 0.5) * scale)
    assert tab.page.locator("#viewer .tip").inner_text() == expected.labels[index]

    # a click gives the best labels there, out of both lists
    tab.page.mouse.click(left + (x + 0.5) * scale, box["y"] + (y + 0.5) * scale)
    tab.page.locator("#viewer .own td").first.wait_for()
    assert tab.page.locator("#viewer .where").inner_text() == f"Column {x}, row {y}"
    best = expected.labels[int(expected.scores[:, y, x].argmax())]
    assert tab.page.locator("#viewer .own td").first.inner_text() == best
    assert tab.page.locator("#viewer .known td").first.inner_text() in CLASSES

    # one label renamed, one removed, "other" off: the answer follows
    changed = ["blue ring" if "blue ring" not in labels else "red ring", *labels[1:-1]]
    tab.say("\n".join(changed))
    tab.answered(*changed, "other")
    tab.page.locator("#other input").click()
    tab.answered(*changed)
    expected = segmenter.segment(changed)

    found = tmp_path / "map.png"
    tab.save("map").save_as(found)
    np.testing.assert_array_equal(np.asarray(Image.open(found)), expected.label_map)
    assert Image.open(tab.save("overlay").path()).width >= 160
    download = tab.save("masks")
    assert download.suggested_filename == "masks.json"
    masks = json.loads(download.path().read_text())["masks"]
    first = coco.decode(masks[0]["segmentation"])
    np.testing.assert_array_equal(
        first, expected.label_map == expected.labels.index(masks[0]["label"])
    )
    assert tab.complaints == []
    assert all(request.startswith((url, "data:", "blob:")) for request in tab.outside)


def test_heat_maps_and_keys(visit, model, shapes):
    tab = visit()
    path, labels = shapes(7, 160)
    tab.upload(path)
    tab.say(", ".join(labels))
    tab.answered(*labels, "other")
    segmenter = Segmenter(model)
    segmenter.set_image(path)
    probability = segmenter.segment([*labels, "other"]).probability(0)
    (high_y, high_x), (low_y, low_x) = (
        np.unravel_index(find(probability), probability.shape) for find in (np.argmax, np.argmin)
    )
    buttons = tab.page.locator("#viewer .legend button")
    buttons.first.focus()
    tab.page.keyboard.press("Enter")
    tab.page.locator("#viewer .viewer[data-heat='0']").wait_for()
    assert buttons.first.get_attribute("aria-pressed") == "true"
    high, low = (
        sum(tab.canvas_pixel(int(x), int(y))) for x, y in ((high_x, high_y), (low_x, low_y))
    )
    assert high > low + 150
    tab.page.locator("#viewer canvas").focus()
    tab.page.keyboard.press("Escape")
    tab.page.locator("#viewer .viewer[data-heat='']").wait_for()
    for key in ("ArrowLeft", "ArrowUp", "Shift+ArrowUp", "Enter"):
        tab.page.keyboard.press(key)
    tab.page.locator("#viewer .own td").first.wait_for()
    assert tab.page.locator("#viewer .where").inner_text() == "Column 77, row 76"
    tab.page.locator("#opacity input[type=range]").focus()
    before = tab.canvas_pixel(5, 5)
    for _ in range(8):
        tab.page.keyboard.press("ArrowRight")
    tab.page.wait_for_function(
        "before => [...document.querySelector('#viewer canvas').getContext('2d')"
        ".getImageData(5, 5, 1, 1).data].slice(0, 3).join() !== before.join()",
        arg=before,
    )
    assert tab.complaints == []


def test_mistakes_are_told_and_labels_are_only_text(visit, url, shapes, tmp_path):
    tab = visit()
    assert tab.page.locator(".about").inner_text() == "The embedded model <b>knows</b> shapes."
    tab.say("red circle, red circle")
    tab.told("more than once")
    assert tab.page.locator("#viewer canvas").is_visible()  # the last answer stays
    evil = "<img src=x onerror=alert(1)> ${1+1} {{value}}"
    tab.say(evil)
    tab.answered(evil, "other")
    assert tab.page.locator("#viewer img").count() == 0
    tab.say(f"{evil}, {evil}")
    tab.told(f"{evil!r} occurs more than once")
    tab.say("")
    tab.told("No label yet")

    broken = tmp_path / "broken.png"
    broken.write_bytes(shapes(1)[0].read_bytes()[:300])
    tab.say("red circle")
    tab.upload(broken)
    tab.told(re.compile("cannot be decoded|damaged"))
    tab.page.get_by_label("Remove Image").click()
    tab.page.locator("#viewer .message").wait_for(state="hidden")
    tab.page.locator("#save-map").click()
    tab.told("No picture yet")
    tab.page.reload()
    tab.answered()
    large = tmp_path / "large.png"
    Image.new("RGB", (1001, 1000)).save(large)
    tab.upload(large)
    tab.told("1001 x 1000 pixels: up to 1 megapixels")
    assert not any("alert" in line for line in tab.complaints)


def test_a_file_that_is_too_large_is_refused_with_words(visit, tmp_path):
    tab = visit()
    noise = np.random.default_rng(0).integers(0, 256, (700, 700, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "heavy.png")
    tab.upload(tmp_path / "heavy.png")
    toast = tab.page.get_by_test_id("toast-body").first
    toast.wait_for()
    assert "size" in toast.inner_text().lower()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_fits_and_can_be_read(visit, width, theme, tmp_path):
    tab = visit(width, theme)
    assert tab.page.evaluate("document.documentElement.scrollWidth") == width
    colours = tab.page.locator("#viewer .legend button").first.evaluate(
        "e => [getComputedStyle(e).color,"
        " getComputedStyle(document.querySelector('gradio-app')).backgroundColor]"
    )
    text, ground = (np.mean([int(v) for v in re.findall(r"\d+", c)[:3]]) for c in colours)
    assert (ground < 60 and text > 190) if theme == "dark" else (ground > 220 and text < 80)
    for selector in (
        "#labels textarea", "#viewer canvas", "#save-map", "#viewer .legend", "#viewer .teach input"
    ):  # fmt: skip
        box = tab.page.locator(selector).bounding_box()
        assert box["width"] > 60
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
    assert tab.complaints == []
