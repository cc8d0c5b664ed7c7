"""Codes of `lseg embed --codes` against the network and dense files: figures of docs/embeddings.md.

    python scripts/measure_codes.py PHOTO... --work FOLDER

ViT-B/16 at random weights sees each photograph at three sizes. Its logits for 150 random label
vectors are compared with those from codes and from the dense float16 file, with the sizes of the
files, and with the processor's time that a query of them takes.
"""

import argparse
import hashlib
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import numpy as np
import torch
from torch.nn import functional as F

from lseg.config import LSegConfig
from lseg.embedding.codes import CodeBasis
from lseg.embedding.picture_files import CodeFiles, DenseFiles, PictureFiles
from lseg.embedding.sidecar import describe_config, describe_model, describe_picture
from lseg.embedding.stored import StoredEmbeddings, open_embeddings
from lseg.files import write_json
from lseg.inference.embed_config import EmbedConfig
from lseg.inference.embeddings import EmbeddedPicture
from lseg.inference.segmentation import Segmentation
from lseg.inference.segmenter import Segmenter
from lseg.models.embeddings import merge_projections
from lseg.models.lseg import LSeg
from lseg.models.maps import all_logits

SIZES = (240, 352, 480)
LABELS = 150


def ways(model: LSeg, folder: Path) -> dict[str, PictureFiles]:
    """How embeddings can be stored, by name."""
    basis = folder / "basis.safetensors"
    CodeBasis.of(merge_projections(model.trunk.project, model.project)).settle(basis)
    sha256 = hashlib.sha256(basis.read_bytes()).hexdigest()
    found: dict[str, PictureFiles] = {"dense": DenseFiles(".npy")}
    for kind in ("exact", "float16", "int8"):
        found[kind] = CodeFiles(kind, basis.name, sha256, 0)
    return found


def stored(
    model: LSeg, result: EmbeddedPicture, files: PictureFiles, name: str, folder: Path
) -> StoredEmbeddings:
    """A photograph's embeddings, written and opened."""
    written = files.write(folder, name, result)
    written.finish()
    about = {"source": name, "pca": None, "file": files.file(name)}
    about |= {**describe_model(model), **describe_config(result.config)}
    write_json(folder / f"{name}.json", about | describe_picture(result) | written.told)
    return open_embeddings(folder / f"{name}.json")


def answer(segmentation: Segmentation) -> tuple[np.ndarray, np.ndarray]:
    """Logits (N, H, W), and the label map."""
    with torch.inference_mode():
        return all_logits(segmentation._logits)[0].numpy(), segmentation.label_map


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints a line a way to store."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    options = parser.parse_args(arguments)
    options.work.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    model = LSeg(LSegConfig.preset("vitb16")).eval()
    vectors = F.normalize(torch.randn(LABELS, model.config.embed_dim), dim=1)
    found: defaultdict[str, list[tuple[float, float, float, float]]] = defaultdict(list)
    for size in SIZES:
        segmenter = Segmenter(model, size)
        for photo in options.photos:
            segmenter.set_image(photo)
            wanted, wanted_map = answer(segmenter.segment(vectors))
            result = segmenter.embed_rows(photo, EmbedConfig(size))
            for way, files in ways(model, options.work).items():
                stores = stored(model, result, files, way, options.work)
                begun = time.process_time()
                logits, label_map = answer(stores.segment(vectors))
                seconds = time.process_time() - begun
                error = float(np.abs(logits - wanted).max())
                alike = float((label_map == wanted_map).mean())
                size_of = (options.work / files.file(way)).stat().st_size
                found[way].append((size_of, error, alike, seconds))
            print(f"{photo.name} at {size}: {len(np.unique(wanted_map))} labels", flush=True)
    dense = found["dense"]
    for way, values in found.items():
        smaller = min(one[0] / each[0] for one, each in zip(dense, values, strict=True))
        slower = median(each[3] / one[3] for one, each in zip(dense, values, strict=True))
        print(
            f"{way}: at least {smaller:.2f} times smaller, logits within "
            f"{max(each[1] for each in values):.2g}, label maps "
            f"{100 * min(each[2] for each in values):.4f} % alike, query {slower:.2f} of the time"
        )


if __name__ == "__main__":
    main()
