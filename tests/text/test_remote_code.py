"""A tokenizer that brings a program with it: open_clip would have transformers run it."""

import json
import shutil
import sys

import pytest

from lseg.errors import ConfigError
from lseg.paths import ASSETS
from lseg.text.clip import OpenClipText

PROGRAM = "from pathlib import Path\nPath({witness!r}).write_text('ran')\nclass Evil: pass\n"


@pytest.fixture
def model(tmp_path, monkeypatch):
    """A folder with the embedded CLIP whose tokenizer is a program; and what that leaves behind."""
    monkeypatch.setenv("HF_MODULES_CACHE", str(tmp_path / "modules"))
    folder, witness = tmp_path / "clip", tmp_path / "witness"
    shutil.copytree(ASSETS / "tiny_clip", folder)
    config = json.loads((folder / "open_clip_config.json").read_text())
    config["model_cfg"]["text_cfg"] |= {
        "hf_tokenizer_name": "evil",
        "tokenizer_kwargs": {"trust_remote_code": True},
    }
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    (folder / "evil.py").write_text(PROGRAM.format(witness=str(witness)))
    told = {"tokenizer_class": "Evil", "auto_map": {"AutoTokenizer": ["evil.Evil", None]}}
    (folder / "tokenizer_config.json").write_text(json.dumps(told))
    return f"local-dir:{folder}", witness


def test_the_program_is_not_run(model):
    name, witness = model
    with pytest.raises(ConfigError, match="trust_remote_code"):
        OpenClipText(name, None)
    assert not witness.exists()
    assert not [module for module in sys.modules if module.endswith(".evil")]


def test_a_tokenizer_without_one_is_taken():
    assert OpenClipText("tiny", None).tokenizer(["sky"]).ndim == 2
