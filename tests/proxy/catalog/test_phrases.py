from proxy.catalog import phrases


def test_phrases_mean_something() -> None:
    assert all(said and meant for said, meant in phrases.PHRASES.items())
    assert all(meant.isalpha() for meant in phrases.PHRASAL_VERBS.values())


def test_what_is_dropped_is_not_also_weak() -> None:
    assert not phrases.STOP_WORDS & phrases.WEAK_WORDS


def test_lines_are_keys_and_values() -> None:
    assert phrases.lines_of("a b: c\nd: e f\n") == [("a b", "c"), ("d", "e f")]
