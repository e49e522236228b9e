from integrations.openapi.raw import mapping, strings


def test_mapping() -> None:
    assert mapping({"a": 1}) == {"a": 1}
    assert [mapping(other) for other in (None, [], "a", 1)] == [{}] * 4


def test_strings() -> None:
    assert strings(["a", 1, None, "b"]) == ["a", "b"]
    assert [strings(other) for other in (None, {"a": 1}, "a")] == [[]] * 3
