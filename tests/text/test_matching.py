"""What people type, and which of a table's names that is."""

import itertools

import pytest
import yaml

from lseg.text.english import FILE, English, plain
from lseg.text.matching import Matcher

NAMES = (
    "airplane", "ashcan", "baby", "bicycle", "bird", "bus", "car", "cell phone", "clouds", "couch",
    "cow", "cup", "diningtable", "dog", "donut", "fire hydrant", "floor-wood", "flower", "glass",
    "hair drier", "horse", "knife", "leaves", "lorry", "motorbike", "mouse", "people", "person",
    "pottedplant", "refrigerator", "sea", "sheep", "shelves", "sidewalk", "sky", "stairs", "tie",
    "traffic light", "traffic sign", "tree", "tv", "wall", "wine glass", "wood",
)  # fmt: skip

TYPED = {
    # as it stands
    "sky": "sky",
    "cell phone": "cell phone",
    # capitals, articles, blanks, full stops
    "Sky": "sky",
    "TREE": "tree",
    "a tree": "tree",
    "The Car": "car",
    "an airplane": "airplane",
    "sky.": "sky",
    "  traffic   light ": "traffic light",
    "\uff34\uff36": "tv",  # full width
    # hyphens, underscores, slashes, written as one word or as two
    "traffic-light": "traffic light",
    "fire_hydrant": "fire hydrant",
    "cellphone": "cell phone",
    "dining table": "diningtable",
    "potted plant": "pottedplant",
    "floor/wood": "floor-wood",
    # one or many
    "trees": "tree",
    "buses": "bus",
    "lorries": "lorry",
    "knives": "knife",
    "mice": "mouse",
    "leaf": "leaves",
    "shelf": "shelves",
    "cloud": "clouds",
    "TVs": "tv",
    "skies": "sky",
    "ties": "tie",
    "traffic lights": "traffic light",
    "horses": "horse",
    # American and British
    "aeroplane": "airplane",
    "doughnut": "donut",
    "hair dryers": "hair drier",
    "mobile phone": "cell phone",
    "rubbish bins": "ashcan",
    "pavement": "sidewalk",
    # synonyms
    "automobile": "car",
    "Automobiles": "car",
    "plane": "airplane",
    "television": "tv",
    "tvmonitor": "tv",
    "bike": "bicycle",
    "motorcycles": "motorbike",
    "truck": "lorry",
    "sofa": "couch",
    "fridge": "refrigerator",
    "ocean": "sea",
    "cattle": "cow",
    "road sign": "traffic sign",
    "house-plants": "pottedplant",
    "human beings": "person",
}

NOT_FOUND = (
    # misspelt
    "bycicle", "trafic light", "automobil", "skyy", "peple", "aeroplain", "tre",
    # of another meaning
    "glasses", "woods", "wooden", "unicorn", "red car", "carpet", "seat", "car park",
    # a kind of, or more than, what is there
    "man", "woman", "children", "geese", "poodle", "taxi", "sunflower", "furniture",
    "", "-", "the", "s",
)  # fmt: skip

NEAREST = {
    "bycicle": "bicycle",
    "trafic light": "traffic light",
    "automobil": "car",  # a misspelt synonym
    "red car": "car",
    "wooden wall": "wall",
    "man": "person",
    "Women": "person",
    "geese": "bird",
    "poodles": "dog",
    "mug": "cup",
    "taxis": "car",
}


@pytest.fixture(scope="module")
def english():
    return English.read()


@pytest.fixture(scope="module")
def matcher(english):
    return Matcher(NAMES, english)


@pytest.mark.parametrize(("typed", "name"), TYPED.items())
def test_a_word_is_found_in_the_spellings_that_people_type(matcher, typed, name):
    assert matcher.find(typed) == name


@pytest.mark.parametrize("typed", NOT_FOUND)
def test_a_misspelt_or_another_word_is_not_found(matcher, typed):
    assert matcher.find(typed) is None


@pytest.mark.parametrize(("typed", "name"), NEAREST.items())
def test_the_nearest_word_is_what_may_have_been_meant(matcher, typed, name):
    nearest = matcher.nearest(typed)
    assert nearest[0] == name
    assert len(set(nearest)) == 5
    assert set(nearest) <= set(NAMES)


def test_whatever_was_typed_there_are_five_nearest_words(matcher):
    for typed in ("", "x", "unicorn", "w" * 500, "\u6c34"):
        assert len(set(matcher.nearest(typed))) == 5
    assert Matcher(["sky"], matcher.english).nearest("x") == ["sky"]


def test_a_misspelt_word_is_known_for_one(matcher):
    assert matcher.misspelt("bycicle") == "bicycle"
    assert matcher.misspelt("unicorn") is None


def test_a_synonym_is_taken_only_where_the_table_has_it(english):
    assert Matcher(["tree"], english).find("automobile") is None
    assert Matcher(["automobile"], english).find("cars") == "automobile"
    assert Matcher(["television", "monitor"], english).find("tv") == "television"


def test_the_nearer_spelling_goes_before_the_synonym_and_the_first_name_before_others(english):
    assert Matcher(["sidewalk", "pavements"], english).find("pavement") == "pavements"
    assert Matcher(["Wall", "wall"], english).find("WALL") == "Wall"
    assert Matcher(["car", "auto"], english).find("automobile") == "car"


def test_a_glass_and_glasses_are_never_one_another(english):
    assert Matcher(["glasses"], english).find("glass") is None
    assert Matcher(["glass"], english).find("glasses") is None
    assert Matcher(["glasses"], english).find("spectacles") == "glasses"


def test_the_file_is_as_it_is_read():
    told = yaml.safe_load(FILE.read_text("utf-8"))
    assert set(told) == {"synonyms", "spelling", "plurals", "no_plurals", "kinds"}
    groups = [*told["synonyms"], *told["spelling"], *told["plurals"].items()]
    groups += [told["no_plurals"], *([wide, *words] for wide, words in told["kinds"].items())]
    for group in groups:
        assert len(group) > 1
        assert len(set(group)) == len(group), group
    for word in itertools.chain.from_iterable(groups):
        assert plain(word) == word


def test_words_of_one_meaning_stand_in_one_group():
    """Two groups that share two words are one, written twice."""
    groups = yaml.safe_load(FILE.read_text("utf-8"))["synonyms"]
    for one, other in itertools.combinations(map(set, groups), 2):
        assert len(one & other) < 2, one & other
