"""Text towers of transformers as the frozen text side: its own vectors, through our encoder."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hub_server import Hub
from torch.nn import functional as F
from transformers_models import WHOLE, save_model, save_tokenizer

from lseg.config import TextConfig
from lseg.errors import ConfigError
from lseg.text.encoder import LabelEncoder
from lseg.text.making import encode_words
from lseg.text.origin import Origin
from lseg.text.transformers import TransformersText

WORDS = ["sky", "road", "tree", "a", "photo", "of"]
CPU = torch.device("cpu")
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The folder of a tiny model of a type with a tokenizer, the model, and its words' numbers."""
    known = {}

    def save(kind):
        if kind not in known:
            folder = tmp_path_factory.mktemp(kind)
            known[kind] = folder, save_model(kind, folder), save_tokenizer(folder, WORDS)
        return known[kind]

    return save


@torch.no_grad()
def own_vectors(model, numbers, prompts):
    """What transformers itself gives for word numbers that are written down by hand."""
    rows = [[numbers.get(word, 2) for word in prompt.split()] + [1] for prompt in prompts]
    length = model.config.text_config.max_position_embeddings
    kept = torch.tensor([[1] * len(row) + [0] * (length - len(row)) for row in rows])
    ids = torch.tensor([row + [0] * (length - len(row)) for row in rows])
    found = model.get_text_features(input_ids=ids, attention_mask=kept)
    return F.normalize(found.pooler_output, dim=-1)


@pytest.mark.parametrize("kind", WHOLE)
def test_vectors_are_those_of_transformers(kind, saved):
    folder, model, numbers = saved(kind)
    prompts = ["sky", "a photo of a road", "unheard-of tree"]
    vectors = TransformersText(f"hf:{folder}").encode(prompts, CPU)
    wanted = own_vectors(model, numbers, ["sky", "a photo of a road", "? ? of tree"])
    torch.testing.assert_close(vectors, wanted, rtol=0, atol=1e-5)
    assert (vectors[0] - vectors[1]).norm() > 1e-2


def test_many_prompts_and_long_ones_are_encoded(saved):
    folder, _, _ = saved("clip")
    encoder = TransformersText(f"hf:{folder}")
    vectors = encoder.encode(["sky", *["road " * 50] * 299], CPU)
    assert vectors.shape == (300, 24)
    torch.testing.assert_close(vectors[:1], encoder.encode(["sky"], CPU), rtol=0, atol=1e-5)


def test_labels_are_encoded_with_synonyms_and_templates(saved):
    folder, model, numbers = saved("clip")
    config = TextConfig(f"hf:{folder}", None, templates=("{}", "a photo of a {}"))
    found = LabelEncoder(config, 24).encode(["sky|tree"])
    prompts = ["sky", "a photo of a sky", "tree", "a photo of a tree"]
    wanted = F.normalize(own_vectors(model, numbers, prompts).mean(0, keepdim=True), dim=-1)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5)


def test_a_table_of_its_vectors_says_where_they_are_from(saved):
    folder, _, _ = saved("siglip")
    made = encode_words(["sky", "road"], TextConfig(f"hf:{folder}", None))
    assert Origin(made.metadata["model"], None, ("{}",)).command.startswith("--clip-model hf:")
    assert made.metadata["weights"] == TransformersText(f"hf:{folder}").fingerprint()


def break_weights(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])


def take_tokenizer(folder):
    for file in folder.glob("tokenizer*"):
        file.unlink()


def make_pickle(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def make_image_encoder(folder):
    save_model("dinov2", folder)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (break_weights, "cannot load the text encoder"),
        (take_tokenizer, "no tokenizer"),
        (make_pickle, "model.safetensors"),
        (make_image_encoder, "has no text encoder"),
    ],
)
def test_what_is_no_text_encoder_is_told_in_one_line(change, part, tmp_path):
    save_model("clip", tmp_path)
    save_tokenizer(tmp_path, WORDS)
    change(tmp_path)
    with pytest.raises(ConfigError) as caught:
        TransformersText(f"hf:{tmp_path}")
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_name_that_is_not_kept_here_is_told_in_one_line_without_a_network(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ConfigError, match="cannot load the text encoder user/none") as caught:
        TransformersText("hf:user/none")
    assert "\n" not in str(caught.value)


USE = """
import sys, torch, lseg
from lseg.checkpoints.backbone import pretrained_backbone
from lseg.config import LSegConfig, TextConfig, TrunkConfig
folder, closed = sys.argv[1:]
if closed == "closed":
    import socket
    def refuse(*arguments, **options):
        raise OSError("no network here")
    socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
trunk = TrunkConfig("hf:user/clip", {}, (0, 1, 2, 3), (8, 8, 16, 16), "project", 8)
model = lseg.LSeg(LSegConfig(trunk, text=TextConfig("hf:user/clip", None), embed_dim=24))
backbone = pretrained_backbone(model.config.trunk, "hf")
model.trunk.backbone.load_state_dict(backbone.state_dict())
if closed == "closed":
    model = lseg.load_model(folder)
else:
    model.save_pretrained(folder)
torch.manual_seed(0)
print(model.eval()(torch.randn(1, 3, 50, 75), ["sky", "road"]).double().sum().item())
print(backbone(torch.ones(1, 3, 64, 64))[3].map.double().sum().item())
"""


@pytest.mark.slow
def test_a_model_of_the_hub_is_used_again_without_a_network(saved, tmp_path):
    folder, _, _ = saved("clip")
    files = {file.name: file.read_bytes() for file in folder.iterdir()}
    code = b"raise SystemExit('foreign code was run')"
    config = json.loads(files["config.json"])
    config["auto_map"] = {"AutoModel": "modeling.Model", "AutoTokenizer": ["modeling.T", None]}
    foreign = {"modeling.py": code, "pytorch_model.bin": b"a pickle"}
    files |= foreign | {"config.json": json.dumps(config).encode()}
    hub = Hub()
    try:
        hub.repositories["user/clip"] = {"main": files}
        kept = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
        home = {"HF_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT)}
        cache = {"LSEG_CACHE": str(tmp_path / "cache"), "HF_HUB_DISABLE_XET": "1"}
        variables = {**kept, **home, **cache, "HF_ENDPOINT": hub.address}
        answers = []
        for closed in ("open", "closed"):
            command = [sys.executable, "-c", USE, str(tmp_path / "model"), closed]
            done = subprocess.run(
                command, env=variables, capture_output=True, text=True, timeout=300
            )
            assert done.returncode == 0, done.stderr
            answers.append([float(line) for line in done.stdout.split()])
    finally:
        hub.close()
    assert answers[0] == pytest.approx(answers[1], rel=1e-5, abs=1e-3)
    fetched = {path.name for path in (tmp_path / "home").rglob("snapshots/*/*")}
    assert "model.safetensors" in fetched
    assert not {*foreign} & fetched
