"""The demo over the embedded model, served by this process; a browser where there is one."""

import json

import numpy as np
import pytest
from needs import CHROMIUM
from PIL import Image
from playwright.sync_api import sync_playwright
from safetensors.torch import save_file
from visit import Visit

import lseg
from lseg.config import TextConfig
from lseg.data.sets.shapes import CLASSES, draw
from lseg.demo.limits import Limits
from lseg.demo.server import running_server
from lseg.demo.service import Service
from lseg.text.encoder import LabelEncoder

ABOUT = "The embedded model <b>knows</b> shapes."
LIMITS = Limits(upload_bytes=2**20, pixels=1_000_000, cache_bytes=4 * 2**20, shown_side=200)


@pytest.fixture(scope="session")
def model():
    return lseg.load_model("tiny")


@pytest.fixture(scope="session")
def service(model, cache_folder):
    return Service(model, LIMITS)


@pytest.fixture(scope="session")
def url(service):
    with running_server(service, ABOUT) as url:
        yield url


@pytest.fixture(scope="session")
def table_service(model, tmp_path_factory):
    """A model whose text side is a table of the shapes' names."""
    names = [*CLASSES, "background"]
    table = tmp_path_factory.mktemp("table") / "table.safetensors"
    save_file({"embeddings": model.encode_labels(names)}, table, {"labels": json.dumps(names)})
    other = lseg.load_model("tiny")
    other.text = LabelEncoder(TextConfig(table=str(table)), other.config.embed_dim)
    return Service(other, LIMITS)


@pytest.fixture
def shapes(tmp_path):
    """Writes a picture of shapes, of this seed and size: its path, and labels that are in it."""

    def write(seed, size=128, suffix="png"):
        image, mask = draw(np.random.default_rng([seed]), size, CLASSES, min_objects=3)
        path = tmp_path / f"shapes{seed}.{suffix}"
        Image.fromarray(image.transpose(1, 2, 0)).save(path)
        return path, [CLASSES[index - 1] for index in np.unique(mask) if index]

    return write


@pytest.fixture(scope="module")  # while it is open, this thread has an event loop
def browser():
    """A Chromium of the system: see `needs_browser`."""
    assert CHROMIUM, "no chromium here, and CI_BROWSER=1 demands one"
    flags = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(flags))
        yield browser
        browser.close()


@pytest.fixture
def visit(browser, url):
    visits = []

    def open_page(width=1280, theme="light"):
        visits.append(Visit(browser, url, width, theme))
        return visits[-1]

    yield open_page
    for each in visits:
        each.context.close()
