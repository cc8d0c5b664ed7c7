"""Pictures that are no plain files, and results at an address."""

import io
import json
import sys
import tarfile

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from drawing import draw, names
from fsspec import AbstractFileSystem
from needs import needs_lance
from PIL import Image

from lseg.errors import ImageError
from lseg.pipeline.sources import picture_rows


def png(seed):
    file = io.BytesIO()
    Image.fromarray(draw(40, 56, seed=seed)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def memory():
    """A store in this process's memory, with three pictures, of which one is broken."""
    system = fsspec.filesystem("memory")
    system.store.clear()
    for number in range(3):
        system.pipe_file(f"/bucket/in/{number}.png", png(number))
    system.pipe_file("/bucket/in/deep/9.png", png(9))
    system.pipe_file("/bucket/in/1.png", png(1)[:150])
    yield system
    system.store.clear()


@pytest.fixture
def shard(tmp_path):
    with tarfile.open(tmp_path / "000.tar", "w") as tar:
        for number in range(3):
            info = tarfile.TarInfo(f"part/{number}.png")
            info.size = len(png(number))
            tar.addfile(info, io.BytesIO(png(number)))
        tar.addfile(tarfile.TarInfo("part/0.json"))
    return tmp_path / "000.tar"


@pytest.fixture
def plain(tmp_path):
    folder = tmp_path / "plain"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.png").write_bytes(png(number))
    return folder


@pytest.fixture
def embed(run, checkpoint, tmp_path):
    def call(*sources, out="out", more=()):
        return run("embed", *sources, "--checkpoint", checkpoint, "--out", out, *more)

    return call


def test_pictures_in_a_shard_give_the_files_of_plain_ones(embed, shard, plain, tmp_path):
    assert embed(plain, out=tmp_path / "a")[0] == 0
    assert embed(shard, out=tmp_path / "b")[0] == 0
    assert names(tmp_path / "a") == names(tmp_path / "b")
    for name in ("0.npy", "1.npy", "2.npy", "0.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    rows = picture_rows([str(shard)], keep_folders=True)
    assert [row.name for row in rows] == [f"000.tar/part/{number}" for number in range(3)]


def write_parquet(table, path):
    pq.write_table(table, path)


def write_lance(table, path):
    import lance

    lance.write_dataset(table, str(path), mode="overwrite")


@pytest.mark.parametrize(
    ("name", "write"),
    [("list.parquet", write_parquet), pytest.param("list.lance", write_lance, marks=needs_lance)],
)
def test_a_table_lists_pictures_and_what_they_are_called(plain, memory, tmp_path, name, write):
    uris = [
        "plain/0.png",
        str(plain / "1.png"),
        (plain / "2.png").as_uri(),
        "memory://bucket/in/0.png",
    ]
    table = pa.table({"uri": uris, "id": ["a", "b/c", "d.e", "far"], "other": [1, 2, 3, 4]})
    write(table, tmp_path / name)
    rows = picture_rows([str(tmp_path / name)], keep_folders=False)
    assert [row.name for row in rows] == ["a", "b/c", "d.e", "far"]
    assert [str(row.path) for row in rows[:3]] == [str(plain / f"{n}.png") for n in range(3)]
    assert str(rows[3].path) == "memory://bucket/in/0.png"
    write(table.drop(["id"]), tmp_path / name)
    rows = picture_rows([str(tmp_path / name)], keep_folders=True)
    assert [row.name for row in rows] == ["plain/0", "1", "2", "0"]


def test_lance_is_asked_for_where_it_is_needed(refused, checkpoint, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "lance", None)
    out = ["--checkpoint", checkpoint, "--out", tmp_path / "out"]
    assert 'needs Lance: pip install "lseg[lance]"' in refused("embed", tmp_path / "a.lance", *out)


@needs_lance
def test_what_is_no_dataset_of_lance_is_refused(tmp_path):
    (tmp_path / "list.lance").mkdir()
    with pytest.raises(ImageError, match="cannot be read as Lance"):
        picture_rows([str(tmp_path / "list.lance")], keep_folders=False)


@pytest.mark.parametrize("name", ["../a", "/a", "a/../../b", ""])
def test_ids_that_lead_out_of_the_folder_are_refused(tmp_path, name):
    pq.write_table(pa.table({"uri": ["a.png"], "id": [name]}), tmp_path / "list.parquet")
    with pytest.raises(ImageError, match="give a path below --out"):
        picture_rows([str(tmp_path / "list.parquet")], keep_folders=False)


def test_lists_without_a_known_column_are_refused(refused, checkpoint, tmp_path):
    pq.write_table(pa.table({"picture": ["a.png"]}), tmp_path / "list.parquet")
    out = ["--checkpoint", checkpoint, "--out", tmp_path / "out"]
    assert "one of uri, path, url" in refused("embed", tmp_path / "list.parquet", *out)
    (tmp_path / "list.parquet").write_bytes(b"no table")
    assert "cannot be read as Parquet" in refused("embed", tmp_path / "list.parquet", *out)


@pytest.mark.parametrize(
    ("source", "keep", "wanted"),
    [
        ("memory://bucket/in", False, ["0", "1", "2"]),
        ("memory://bucket/in", True, ["0", "1", "2", "deep/9"]),
        ("memory://bucket/in/*.png", False, ["0", "1", "2"]),
        ("memory://bucket/*/deep/*.png", True, ["in/deep/9"]),
        ("memory://bucket/in/2.png", False, ["2"]),
        ("memory://bucket/in/2.png", True, ["2"]),
    ],
)
def test_folders_patterns_and_files_of_a_store_are_taken(memory, source, keep, wanted):
    assert [row.name for row in picture_rows([source], keep)] == wanted


def test_what_a_store_lacks_is_told(memory, refused, checkpoint, tmp_path):
    out = ["--checkpoint", checkpoint, "--out", tmp_path / "out"]
    assert "there is no file or folder memory://bucket/none" in refused(
        "embed", "memory://bucket/none", *out
    )
    assert "nosuchkind://a cannot be opened" in refused("embed", "nosuchkind://a", *out)


def test_results_at_an_address_are_those_in_a_folder(embed, memory, tmp_path, plain):
    assert embed(plain, out=tmp_path / "here")[0] == 0
    code, told, err = embed("memory://bucket/in", out="memory://bucket/out")
    assert code == 3
    assert "1.png" in err
    assert "2 picture(s) in memory://bucket/out" in told
    there = {path.rpartition("/")[2] for path in memory.ls("/bucket/out", detail=False)}
    assert there - {".embed.index"} == {
        "0.npy", "0.json", "2.npy", "2.json", "embed.yaml", "embed.index.jsonl"
    }  # fmt: skip
    assert memory.cat_file("/bucket/out/0.npy") == (tmp_path / "here" / "0.npy").read_bytes()
    rows = [
        json.loads(line) for line in memory.cat_file("/bucket/out/embed.index.jsonl").splitlines()
    ]
    assert [bool(row["error"]) for row in rows] == [False, True, False]
    assert [row["source_bytes"] for row in rows] == [len(png(0)), None, len(png(2))]


def test_a_run_at_an_address_goes_on_by_its_index(embed, memory, tmp_path):
    for number in range(3):
        memory.pipe_file(f"/bucket/in/{number}.png", png(number))
    embed("memory://bucket/in", out="memory://bucket/out")
    lost, kept = "/bucket/out/1.npy", memory.modified("/bucket/out/0.npy")
    whole = memory.cat_file(lost)
    memory.rm_file(lost)
    code, told, _ = embed("memory://bucket/in", out="memory://bucket/out")
    assert code == 0
    assert "(2 of them were there already)" in told
    assert memory.cat_file(lost) == whole
    assert memory.modified("/bucket/out/0.npy") == kept
    memory.pipe_file("/bucket/out/2.npy", bytes(len(memory.cat_file("/bucket/out/2.npy"))))
    embed("memory://bucket/in", out="memory://bucket/out", more=["--verify"])
    assert any(memory.cat_file("/bucket/out/2.npy"))


@pytest.mark.parametrize("command", ["embed", "predict"])
def test_a_store_that_takes_nothing_ends_the_run_and_says_where(
    run, memory, plain, checkpoint, command
):
    memory.pipe_file("/bucket/taken", b"a file, and no folder")
    labels = ["--labels", "sky,road"] if command == "predict" else []
    out = ["--checkpoint", checkpoint, "--out", "memory://bucket/taken/deep"]
    code, _, err = run(command, plain, *labels, *out)
    line = err.splitlines()[-1]
    assert code == 2
    assert "0.png: memory://bucket/taken/deep/0." in line
    assert "cannot be written: NotADirectoryError" in line


class ClosedStore(AbstractFileSystem):
    """A store that answers as one does whose key is missing."""

    protocol = "closed"

    def info(self, path, **kwargs):
        raise RuntimeError("no credentials")

    def ls(self, path, detail=True, **kwargs):
        raise RuntimeError("no credentials")


def test_a_store_without_a_key_is_told_in_a_line(refused, plain, checkpoint, tmp_path):
    fsspec.register_implementation("closed", ClosedStore, clobber=True)
    model = ["--checkpoint", checkpoint, "--out"]
    told = refused("embed", "closed://bucket/*.png", *model, tmp_path / "out")
    assert "closed://bucket/*.png cannot be read: RuntimeError: no credentials" in told


def test_codes_go_to_an_address_with_their_basis(embed, memory, tmp_path, plain):
    codes = ["--codes", "float16"]
    assert embed(plain, out=tmp_path / "here", more=codes)[0] == 0
    assert embed(plain, out="memory://bucket/out", more=codes)[0] == 0
    for name in ("basis.safetensors", "0.safetensors", "1.safetensors", "2.safetensors"):
        assert memory.cat_file(f"/bucket/out/{name}") == (tmp_path / "here" / name).read_bytes()
    memory.rm_file("/bucket/out/1.safetensors")
    code, told, _ = embed(plain, out="memory://bucket/out", more=codes)
    assert (code, "(2 of them were there already)" in told) == (0, True)
    assert memory.exists("/bucket/out/1.safetensors")


def test_what_is_made_in_a_folder_is_refused_at_an_address(refused, memory, checkpoint):
    out = ["--checkpoint", checkpoint, "--out", "memory://bucket/out"]
    assert "is made in a folder" in refused("embed", "memory://bucket/in", *out, "--pca", "2")
    labels = ["--labels", "sky,road", "--format", "coco"]
    assert "is made in a folder" in refused("predict", "memory://bucket/in", *out, *labels)
