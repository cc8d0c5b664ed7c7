"""Arrays of a Zarr store."""

import pytest
import zarr
from drawing import draw

from lseg.embedding.zarr_store import STORE, ZarrArrays, prepare_store
from lseg.inference.embed_config import EmbedConfig, PictureGrid
from lseg.inference.segmenter import Segmenter

HEIGHT, WIDTH = 64, 96


@pytest.mark.parametrize(("rows", "count"), [(1000, 1), (16, 4), (18, 4)])
def test_chunks_lie_together_in_shards(model, tmp_path, monkeypatch, rows, count):
    """In chunks of 4 rows, and files of at most so many rows."""
    result = Segmenter(model).embed_rows(draw(HEIGHT, WIDTH), EmbedConfig(grid=PictureGrid()))
    row = 2 * result.channels * WIDTH  # bytes of float16
    monkeypatch.setattr("lseg.embedding.zarr_store.CHUNK_BYTES", 4 * row)
    monkeypatch.setattr("lseg.embedding.zarr_store.SHARD_BYTES", rows * row)
    prepare_store(tmp_path)
    ZarrArrays().write(tmp_path, "a", result).finish()
    array = zarr.open_array(tmp_path / STORE / "a", mode="r")
    assert array.shape == result.shape
    assert array.chunks[1] == 4
    files = [path for path in (tmp_path / STORE / "a" / "c").rglob("*") if path.is_file()]
    assert len(files) == count
