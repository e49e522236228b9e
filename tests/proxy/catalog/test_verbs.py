from proxy.catalog import verbs


def test_a_verb_is_of_one_kind() -> None:
    assert not verbs.READ_VERBS & verbs.DELETE_VERBS
    assert not verbs.READ_VERBS & verbs.WRITE_VERBS


def test_a_verb_says_what_method_and_path_have_to_say() -> None:
    assert verbs.ACTIONS["delete"]["+delete"] == 1.0
    assert verbs.ACTIONS["put"]["+update"] == 1.0
    assert verbs.ACTIONS["cancel"]["+delete"] > 0
