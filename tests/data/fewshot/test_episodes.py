"""Draws against a replay of the protocol in names, on NumPy's global generator."""

import pickle

import numpy as np
import pytest
from fewshot_trees import coco_tree, fss_tree, voc_tree, write_lines
from torch.utils.data import DataLoader

from lseg.data.fewshot.benchmarks import CocoBenchmark, FssBenchmark, PascalBenchmark
from lseg.data.fewshot.episode_data import EpisodeData
from lseg.data.fewshot.episodes import (
    CyclicEpisodes,
    SweepEpisodes,
    UniformEpisodes,
    draw_episodes,
)
from lseg.data.fewshot.folds import Folds, Part
from lseg.errors import ConfigError, DataError


@pytest.fixture
def pascal(tmp_path):
    return PascalBenchmark(str(voc_tree(tmp_path)), str(tmp_path / "splits")), 1


@pytest.fixture
def coco(tmp_path):
    return CocoBenchmark(str(coco_tree(tmp_path)), str(tmp_path / "splits")), 2


@pytest.fixture
def fss(tmp_path):
    return FssBenchmark(str(fss_tree(tmp_path)), str(tmp_path / "splits")), 0


@pytest.fixture
def legacy():
    """NumPy's global generator seeded as the protocol says, and given back as it was."""
    state = np.random.get_state()
    np.random.seed(0)
    yield lambda names: np.random.choice(names, 1, replace=False)[0]
    np.random.set_state(state)


def drawn(benchmark, fold, draw, shots=0, count=None, seed=0):
    """Episodes in names: query, class number, supports."""
    source = benchmark.open(fold, Part.TEST)
    episodes = draw_episodes(draw, source, benchmark.folds.held_out(fold), shots, count, seed)
    return [
        (source.stem(q), c + source.offset, [source.stem(s) for s in supports])
        for q, c, supports in episodes
    ]


def supports_of(query, names, shots, choice):
    assert shots == 0 or set(names) != {query}, "the loop below would never end"
    found = []
    while len(found) < shots:
        name = str(choice(names))
        if name != query:
            found.append(name)
    return found


@pytest.mark.parametrize("shots", [0, 1, 5])
def test_pascal_goes_round_its_list_a_thousand_times(pascal, tmp_path, legacy, shots):
    lines = (tmp_path / "splits/pascal/val/fold1.txt").read_text().split()
    entries = [(line[:-4], int(line[-2:]) - 1) for line in lines]
    wanted = []
    for number in range(1000):
        name, index = entries[number % len(entries)]
        names = [other for other, kind in entries if kind == index]
        wanted.append((name, index, supports_of(name, names, shots, legacy)))
    assert drawn(*pascal, CyclicEpisodes(), shots) == wanted
    assert drawn(*pascal, CyclicEpisodes(), shots, count=7) == wanted[:7]


@pytest.mark.parametrize("shots", [0, 1, 5])
def test_coco_draws_class_then_picture_then_supports_from_one_stream(coco, tmp_path, legacy, shots):
    lists = pickle.loads((tmp_path / "splits/coco/val/fold2.pkl").read_bytes())
    held = [index for index in range(2, 80, 4) if lists[index]]
    wanted = []
    for _ in range(1000):
        index = int(legacy(held))
        name = str(legacy(lists[index]))
        supports = supports_of(name, lists[index], shots, legacy)
        wanted.append((name[:-4], index, [support[:-4] for support in supports]))
    assert drawn(*coco, UniformEpisodes(), shots) == wanted
    assert drawn(*coco, UniformEpisodes(), shots, count=7) == wanted[:7]


def test_the_full_permutation_matters():
    """What the protocol's `choice` consumes depends on the list's length; `randint` differs."""
    choice, randint = np.random.RandomState(0), np.random.RandomState(0)
    first = [int(choice.choice(20, 1, replace=False)[0]) for _ in range(5)]
    assert first != [int(randint.randint(20)) for _ in range(5)]


def test_fss_asks_every_picture_once(fss):
    episodes = drawn(*fss, SweepEpisodes())
    assert [query for query, *_ in episodes[:4]] == [f"ac_wall/{n}" for n in (1, 10, 2, 3)]
    assert len({query for query, *_ in episodes}) == len(episodes) == 30
    assert {number for _, number, _ in episodes} == {760, 761, 762}
    assert all(("ac_wall", "melon", "zebra_fish")[n - 760] in query for query, n, _ in episodes)


def test_one_shot_fss_has_picture_1_as_its_only_support(fss):
    episodes = drawn(*fss, SweepEpisodes(), shots=1)
    assert len(episodes) == 27
    for query, _, supports in episodes:
        name, number = query.split("/")
        assert number != "1"
        assert supports == [f"{name}/1"]


def test_five_shot_fss_draws_numbers_1_to_10(fss, legacy):
    wanted = []
    for name in ("ac_wall", "melon", "zebra_fish"):
        for number in (1, 10, 2, 3, 4, 5, 6, 7, 8, 9):
            query = f"{name}/{number}"
            supports = supports_of(
                str(number), [str(n) for n in range(1, 11)], 5,
                lambda names: legacy(range(1, 11)),
            )  # fmt: skip
            wanted.append((query, supports))
    found = drawn(*fss, SweepEpisodes(), shots=5)
    assert [(query, [s.split("/")[1] for s in supports]) for query, _, supports in found] == wanted


def test_fss_test_classes_are_numbered_760_to_999(tmp_path):
    names = [f"class_{number:03d}" for number in range(240)]
    fss_tree(tmp_path, names, pictures=2, size=(8, 8))
    benchmark = FssBenchmark(str(tmp_path), str(tmp_path / "splits"))
    episodes = drawn(benchmark, 0, SweepEpisodes())
    assert len(episodes) == 480
    assert sorted({number for _, number, _ in episodes}) == list(range(760, 1000))


def test_the_support_is_never_the_query_and_seeds_differ(pascal, coco, fss):
    for benchmark, draw in (
        (pascal, CyclicEpisodes()),
        (coco, UniformEpisodes()),
        (fss, SweepEpisodes()),
    ):
        first, again, other = (drawn(*benchmark, draw, 5, seed=seed) for seed in (0, 0, 1))
        assert all(query not in supports and len(supports) == 5 for query, _, supports in first)
        assert first == again != other


def test_any_number_of_workers_reads_the_same_episodes(coco):
    benchmark, fold = coco
    source = benchmark.open(fold, Part.TEST)
    episodes = draw_episodes(UniformEpisodes(), source, benchmark.folds.held_out(fold), 1, 8)
    data = EpisodeData(source, episodes, 32)
    batches = [
        [{key: np.asarray(value) for key, value in batch.items()} for batch in loader]
        for loader in (DataLoader(data, 3), DataLoader(data, 3, num_workers=2))
    ]
    for one, two in zip(*batches, strict=True):
        for key in one:
            assert np.array_equal(one[key], two[key])


def test_folds_divide_the_classes():
    for folds in (Folds.blocks(20), Folds.interleaved(80), Folds.interleaved(133)):
        held = [index for fold in range(4) for index in folds.held_out(fold)]
        assert sorted(held) == list(range(folds.classes))
        for fold in range(4):
            assert set(folds.seen(fold)) | set(folds.held_out(fold)) == set(range(folds.classes))
            assert not set(folds.seen(fold)) & set(folds.held_out(fold))
    assert Folds.blocks(20).held_out(2) == (10, 11, 12, 13, 14)
    assert Folds.interleaved(80).held_out(3)[:3] == (3, 7, 11)
    assert len(Folds.interleaved(80).held_out(3)) == 20


def test_impossible_draws_are_refused(pascal, tmp_path):
    benchmark, fold = pascal
    with pytest.raises(ConfigError, match="shots"):
        drawn(benchmark, fold, CyclicEpisodes(), shots=-1)
    with pytest.raises(ConfigError, match="episodes"):
        drawn(benchmark, fold, CyclicEpisodes(), count=0)
    source = benchmark.open(fold, Part.TEST)
    with pytest.raises(DataError, match="no class of this fold"):
        draw_episodes(CyclicEpisodes(), source, benchmark.folds.held_out(0))
    write_lines(tmp_path / "splits/pascal/val/fold1.txt", ["a__06", "b__07", "c__07"])
    for draw in (CyclicEpisodes(), UniformEpisodes(), SweepEpisodes()):
        with pytest.raises(DataError, match="bus has one picture"):
            drawn(benchmark, fold, draw, shots=2)
        assert len(drawn(benchmark, fold, draw, count=2)) == 2
