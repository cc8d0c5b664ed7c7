"""Tiny encoders of pictures and texts, in the layouts in which others publish them."""

import json

import torch
from safetensors.torch import save_file

WORDS = "a photo of this is the cat dog sky road tree car other itap bad large small many art"
END = 3  # of a prompt, where CLIP takes its vector from; 2 means something else to the library
TEXT = {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2}
VISION = {"image_size": 64, "layers": 3, "width": 64, "head_width": 32, "patch_size": 16}


@torch.no_grad()
def randomize(net):
    """Weights that nothing vanishes or overflows with; scales of the cosine stay."""
    generator = torch.Generator().manual_seed(3)
    for name, value in net.named_parameters():
        if name not in ("logit_scale", "logit_bias", "temperature"):
            size = 0.3 if value.ndim < 2 else value[0].numel() ** -0.5
            value.copy_(size * torch.randn(value.shape, generator=generator))
    return net.eval()


def open_clip_folder(folder, vision=VISION, **model):
    """Writes a folder in open_clip's layout; returns open_clip's own network."""
    import open_clip

    folder.mkdir(parents=True)
    config = {"embed_dim": 24, "vision_cfg": vision, "text_cfg": TEXT, **model}
    preprocess = {"mean": [0.4, 0.5, 0.6], "std": [0.2, 0.25, 0.3]}
    values = {"model_cfg": config, "preprocess_cfg": preprocess}
    (folder / "open_clip_config.json").write_text(json.dumps(values))
    net = randomize(open_clip.create_model(f"local-dir:{folder}", load_weights=False))
    weights = {name: value.contiguous() for name, value in net.state_dict().items()}
    save_file(weights, folder / "open_clip_model.safetensors")
    return net


def transformers_folder(folder, kind, **vision):
    """Writes a folder in transformers' layout; returns the library's own network."""
    import transformers

    text = {
        "vocab_size": 400, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
        "num_attention_heads": 2, "max_position_embeddings": 16,
    }  # fmt: skip
    image = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, **vision}
    if kind == "tipsv2":
        image = {"image_size": 56, "patch_size": 14, **image}
        config = transformers.Tipsv2Config(vision_config=image, text_config=text)
        net = transformers.Tipsv2Model(config)
    else:
        image = {"image_size": 64, "patch_size": 16, "intermediate_size": 52, **image}
        if kind == "clip":
            text |= {"eos_token_id": END, "pad_token_id": 0}
            config = transformers.CLIPConfig(
                vision_config=image, text_config=text, projection_dim=24
            )
            net = transformers.CLIPModel(config)
        else:
            config = transformers.SiglipConfig(vision_config=image, text_config=text)
            net = transformers.SiglipModel(config)
    randomize(net).save_pretrained(folder)
    save_tokenizer(folder, kind)
    return net


def save_tokenizer(folder, kind):
    """A tokenizer of bytes and pairs, such as these encoders have, of a few words."""
    import transformers
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel()
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=380,
        special_tokens=["<pad>", "<unk>", "<start>", "<end>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([WORDS] * 3, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A <end>", special_tokens=[("<end>", END)]
    )
    names = ["input_ids"] if kind == "siglip" else ["input_ids", "attention_mask"]
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="<unk>",
        pad_token="<pad>",
        eos_token="<end>",
        model_max_length=16,
        model_input_names=names,
    )
    fast.save_pretrained(folder)
