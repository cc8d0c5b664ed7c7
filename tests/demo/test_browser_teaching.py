"""Teaching by example, in a real browser."""

import time

import numpy as np
import pytest
from needs import needs_browser
from PIL import Image
from visit import Visit

from lseg.cli import main
from lseg.demo.limits import Limits
from lseg.demo.server import running_server
from lseg.demo.service import Service

pytestmark = needs_browser


def screen_place(tab, x, y):
    """Where a pixel of the shown picture is on the screen."""
    canvas = tab.page.locator("#viewer canvas")
    canvas.scroll_into_view_if_needed()
    box, side = canvas.bounding_box(), canvas.evaluate("e => e.width")
    scale = min(box["width"], box["height"]) / side
    left = box["x"] + (box["width"] - side * scale) / 2
    return left + (x + 0.5) * scale, box["y"] + (y + 0.5) * scale


def taught(tab, *lines):
    tab.page.wait_for_function(
        "lines => [...document.querySelectorAll('#viewer .taught .name')]"
        ".map(each => each.innerText).join() === lines",
        arg=",".join(lines),
    )


@pytest.mark.parametrize("width", [1280, 390])
def test_paint_name_see_next_picture_download_and_predict(visit, shapes, tmp_path, width):
    tab = visit(width)
    (first, labels), (second, _) = shapes(1, 160), shapes(7, 160)
    asked = f"{labels[0]}, background"
    tab.upload(first)
    tab.say(asked)
    tab.answered(labels[0], "background")
    before = tab.save("map").path().read_bytes()

    # paint a stroke where the corner is, and say what it is
    tab.page.locator("#viewer .paint").click()
    tab.page.mouse.move(*screen_place(tab, 8, 8))
    tab.page.mouse.down()
    tab.page.mouse.move(*screen_place(tab, 8, 60), steps=5)
    tab.page.mouse.up()
    tab.page.locator("#viewer .viewer[data-marks='1']").wait_for()
    tab.page.locator("#viewer .teach input").fill("gadget")
    tab.page.locator("#viewer .learn").click()
    taught(tab, "gadget: 1 example")
    tab.answered(labels[0], "background", "gadget")  # the label was added
    tab.page.locator("#viewer .viewer[data-marks='0']").wait_for()
    assert tab.save("map").path().read_bytes() != before
    assert tab.page.evaluate("document.documentElement.scrollWidth") == width

    # by keyboard, one example more; then the next picture by the same label
    tab.page.locator("#viewer canvas").focus()
    for key in ("ArrowLeft", "ArrowDown", "Enter"):
        tab.page.keyboard.press(key)
    tab.page.locator("#viewer .viewer[data-marks='1']").wait_for()
    tab.page.locator("#viewer .teach input").focus()
    tab.page.keyboard.press("Enter")
    taught(tab, "gadget: 2 examples")
    tab.upload(second)
    tab.answered(labels[0], "background", "gadget")
    found = np.asarray(Image.open(tab.save("map").path()))

    # the file answers the same on the command line
    memory = tmp_path / "memory.safetensors"
    download = tab.save("memory")
    assert download.suggested_filename == "memory.safetensors"
    download.save_as(memory)
    names = f"{labels[0]},background,gadget"
    arguments = ["--labels", names, "--memory", str(memory), "--checkpoint", "tiny"]
    assert main(["predict", str(second), *arguments, "--out", str(tmp_path / "out")]) == 0
    expected = np.asarray(Image.open(tmp_path / "out" / f"{second.stem}.png"))
    np.testing.assert_array_equal(found, expected)
    assert (found == 2).any()

    # another visitor has none of it; and it is forgotten when told so
    stranger = visit()
    assert stranger.page.locator("#viewer .taught").is_hidden()
    stranger.page.locator("#save-memory").click()
    stranger.told("Nothing has been taught yet")
    stranger.page.get_by_test_id("↑ Memory-upload-button").set_input_files(memory)
    taught(stranger, "gadget: 2 examples")  # but from a file
    assert "gadget" in stranger.page.locator("#labels textarea").input_value()
    tab.page.get_by_label("Forget gadget").click()
    tab.page.locator("#viewer .taught").wait_for(state="hidden")
    assert tab.complaints == []
    assert stranger.complaints == []


def test_what_was_taught_goes_with_the_page(browser, model):
    service = Service(model, Limits(grace=1))
    with running_server(service, "about") as url:
        tab, stays = Visit(browser, url), Visit(browser, url)
        for each in (tab, stays):
            each.page.locator("#viewer canvas").click()
            each.page.locator("#viewer .teach input").fill("gadget")
            each.page.locator("#viewer .learn").click()
            taught(each, "gadget: 1 example")
        assert len(service.visitors) == 2
        tab.context.close()
        late = time.monotonic() + 20
        while len(service.visitors) == 2 and time.monotonic() < late:
            time.sleep(0.1)
            service.visitors.sweep()
        assert len(service.visitors) == 1
        stays.say("gadget, background")
        stays.answered("gadget", "background")
        taught(stays, "gadget: 1 example")
        stays.context.close()


def test_mistakes_of_teaching_are_told(visit):
    tab = visit()
    tab.page.locator("#viewer .learn").click()
    tab.told("no points are marked")
    tab.page.mouse.click(*screen_place(tab, 20, 30))  # the cross is a mark, too
    tab.page.locator("#viewer .own td").first.wait_for()
    tab.page.locator("#viewer .learn").click()
    tab.told("What is marked has no name")
    tab.page.locator("#viewer .teach input").fill("<i>x</i>, y")
    tab.page.locator("#viewer .learn").click()
    tab.told("is no name of one thing")
    tab.page.locator("#viewer .teach input").fill("<i>x</i>")
    tab.page.locator("#viewer .learn").click()
    taught(tab, "<i>x</i>: 1 example")
    tab.page.locator("#viewer .viewer[data-marks='0']").wait_for()
    assert tab.page.locator("#viewer i").count() == 0
    assert tab.complaints == []
