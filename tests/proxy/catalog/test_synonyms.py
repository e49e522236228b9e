from proxy.catalog import phrases, synonyms


def test_worths_are_fractions() -> None:
    worths = [worth for others in synonyms.ALTERNATIVES.values() for worth in others.values()]
    assert worths
    assert all(0 < worth <= 1 for worth in worths)


def test_the_table_speaks_of_single_lower_case_words() -> None:
    for word, others in synonyms.ALTERNATIVES.items():
        assert word not in others
        assert all(part.isalpha() and part == part.lower() for part in (word, *others))


def test_stop_words_lead_nowhere() -> None:
    assert not phrases.STOP_WORDS & synonyms.ALTERNATIVES.keys()


def test_forms_of_a_word_lead_to_it() -> None:
    assert synonyms.ROOTS["push"] == "push"
    assert synonyms.ROOTS["delet"] == "delete"
