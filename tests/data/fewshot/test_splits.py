import os
import pickle

import pytest
from fewshot_trees import coco_tree, voc_tree

from lseg.data.fewshot.splits import Line, read_coco, read_fss, read_pascal, read_pickle
from lseg.errors import DataError


def test_a_pascal_list_keeps_its_order_and_counts_classes_from_1(tmp_path):
    path = tmp_path / "fold0.txt"
    path.write_bytes(b"2008_000002__05\r\n2007_000033__01\r\n\r\nodd__name__20\r\n")
    assert read_pascal(path) == [
        Line("2008_000002", 4), Line("2007_000033", 0), Line("odd__name", 19)
    ]  # fmt: skip


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_coco_list_of_any_pickle_protocol(tmp_path, protocol):
    path = tmp_path / "fold0.pkl"
    path.write_bytes(pickle.dumps({4: ["val2014/b.jpg", "val2014/a.jpg"], 0: []}, protocol))
    assert read_coco(path) == [Line("val2014/b", 4), Line("val2014/a", 4)]


def test_containers_strings_and_numbers_are_read_whatever_their_nesting(tmp_path):
    values = {"a": [1, 2.5, (True, None)], 3: {"b"}, "c": b"x"}
    path = tmp_path / "list.pkl"
    path.write_bytes(pickle.dumps(values))
    assert read_pickle(path) == values


class Evil:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_a_pickle_that_wants_to_run_code_is_refused_and_never_runs(tmp_path, protocol):
    marker = tmp_path / "ran"
    path = tmp_path / "fold0.pkl"
    for payload in (
        {0: Evil(os.mkdir, str(marker))},
        Evil(eval, f"open({str(marker)!r}, 'w')"),
        {0: [os.system]},
    ):
        path.write_bytes(pickle.dumps(payload, protocol))
        with pytest.raises(DataError, match="asks for"):
            read_coco(path)
        assert not marker.exists()


def test_the_payload_of_that_test_would_have_run(tmp_path):
    marker = tmp_path / "ran"
    pickle.loads(pickle.dumps({0: Evil(os.mkdir, str(marker))}))
    assert marker.exists()


def test_a_persistent_object_is_refused(tmp_path):
    path = tmp_path / "fold0.pkl"
    path.write_bytes(b"Pname\n.")
    with pytest.raises(DataError, match="persistent"):
        read_pickle(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "damaged"),
        (b"no pickle", "damaged"),
        (pickle.dumps({0: ["a"] * 50})[:40], "damaged"),
        (pickle.dumps([1]), "class from 0"),
        (pickle.dumps({"0": ["a"]}), "class from 0"),
        (pickle.dumps({0: [1]}), "class from 0"),
        (pickle.dumps({0: "abc"}), "class from 0"),
        (pickle.dumps({0: []}), "empty"),
        (pickle.dumps({80: ["a"]}), "class 80"),
    ],
)
def test_bad_coco_lists_are_refused(tmp_path, content, words):
    path = tmp_path / "fold0.pkl"
    path.write_bytes(content)
    with pytest.raises(DataError, match=words) as error:
        read_coco(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "empty"),
        ("\n\n", "empty"),
        ("2007_000033\n", "line 1"),
        ("a__01\n__02\n", "line 2"),
        ("a__01\nb__x\n", "line 2"),
        ("a__21\n", "class 21, which does not exist: classes are 1 to 20"),
        ("a__00\n", "class 0"),
    ],
)
def test_bad_pascal_lists_are_refused(tmp_path, content, words):
    path = tmp_path / "fold0.txt"
    path.write_text(content)
    with pytest.raises(DataError, match=words):
        read_pascal(path)


def test_a_missing_list_names_the_layout(tmp_path):
    for read in (read_fss, read_pickle):
        with pytest.raises(DataError, match="pascal/") as error:
            read(tmp_path / "none")
        assert str(tmp_path / "none") in str(error.value)


def test_the_trees_of_these_tests_have_lists_that_are_read(tmp_path):
    voc_tree(tmp_path)
    coco_tree(tmp_path)
    assert len(read_pascal(tmp_path / "splits/pascal/val/fold1.txt")) > 12
    assert {line.class_index % 4 for line in read_coco(tmp_path / "splits/coco/val/fold2.pkl")} == {
        2
    }
