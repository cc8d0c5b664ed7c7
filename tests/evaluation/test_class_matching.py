from lseg.evaluation.class_matching import NO_CLASS, ClassMatcher


def test_names_are_found_in_any_spelling_and_by_synonyms_and_prompts():
    matcher = ClassMatcher(
        ["pottedplant", "person|people", "tvmonitor"], ["plant", "man", "TV set"]
    )
    wanted = {"Potted Plant": 0, "plant": 0, "people": 1, "x|man": 1, "tv_set": 2, "dog": NO_CLASS}
    assert {name: matcher.find(name) for name in wanted} == wanted
    assert matcher.background == NO_CLASS


def test_all_names_of_the_background_are_one():
    matcher = ClassMatcher(["sky", "others"])
    assert [matcher.find(name) for name in ("background", "Other", "others")] == [1, 1, 1]
    assert matcher.background == 1


def test_a_class_s_own_name_goes_before_another_s_synonym():
    assert ClassMatcher(["seat|chair", "chair"]).find("chair") == 1


def test_an_unknown_label_keeps_its_place_unless_that_is_taken():
    matcher = ClassMatcher(["sky", "tvmonitor", "cat"])
    assert matcher.find_all(["sky", "television", "cat"]) == [0, 1, 2]
    assert matcher.find_all(["cat", "television", "zebra", "kerb"]) == [2, 1, NO_CLASS, NO_CLASS]


def test_labels_without_letters_are_told_apart():
    assert ClassMatcher(["?", "!"]).find_all(["!", "?"]) == [1, 0]
