"""Small text towers of open_clip: as a text source, and what the library itself says."""

import open_clip
import torch
from torch.nn import functional as F

from lseg.text.clip import OpenClipText


def open_source(folder):
    return OpenClipText(f"local-dir:{folder}", None)


def reference(folder, prompts):
    """What open_clip itself says."""
    net = open_clip.create_model(f"local-dir:{folder}").eval()
    tokens = open_clip.get_tokenizer(f"local-dir:{folder}")(prompts)
    with torch.no_grad():
        return F.normalize(net.encode_text(tokens), dim=-1)
