from proxy.config.places import Finding
from proxy.config.twins import without_twins


def test_a_misspelt_key_is_not_also_missing() -> None:
    unknown = Finding("E201", ("a", "sepc"), "unknown", "did you mean `spec`?", "key")
    missing = Finding("E202", ("a", "spec"), "missing", None, "key")
    other = Finding("E202", ("a", "kind"), "missing", None, "key")
    assert without_twins([missing, unknown, other]) == [unknown, other]


def test_one_place_has_one_error() -> None:
    first, second = Finding("E203", ("a",), "first"), Finding("E204", ("a",), "second")
    assert without_twins([first, second]) == [first]
