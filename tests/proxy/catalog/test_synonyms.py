from proxy.catalog import synonyms


def test_worths_are_fractions() -> None:
    worths = [worth for others in synonyms.ALTERNATIVES.values() for worth in others.values()]
    assert worths
    assert all(0 < worth <= 1 for worth in worths)


def test_tables_speak_of_single_lower_case_words() -> None:
    for word, others in synonyms.ALTERNATIVES.items():
        assert word not in others
        assert all(part.isalpha() and part == part.lower() for part in (word, *others))
    for said, meant in synonyms.PHRASES.items():
        assert said
        assert meant


def test_stop_words_lead_nowhere() -> None:
    assert not synonyms.STOP_WORDS & synonyms.ALTERNATIVES.keys()


def test_a_verb_is_of_one_kind() -> None:
    assert not synonyms.READ_VERBS & synonyms.DELETE_VERBS
    assert not synonyms.READ_VERBS & synonyms.WRITE_VERBS
