import pytest

from policies import Caller, PrincipalError, Principals

ANN = Caller(user="ann", groups=frozenset({"leads"}))
BOT = Caller(key="ann", groups=frozenset({"ci", "ops"}))
NOBODY = Caller(anonymous=True)


@pytest.mark.parametrize(
    ("names", "admitted"),
    [
        ([], []),
        (["user:ann"], [ANN]),
        (["key:ann"], [BOT]),
        (["group:ops"], [BOT]),
        (["group:leads", "group:ci"], [ANN, BOT]),
        (["group:ann", "key:leads"], []),
        (["anonymous"], [NOBODY]),
        (["anonymous", "user:ann"], [ANN, NOBODY]),
    ],
)
def test_who_is_meant(names: list[str], admitted: list[Caller]) -> None:
    meant = Principals(names)
    assert [one for one in (ANN, BOT, NOBODY) if meant.admit(one)] == admitted


@pytest.mark.parametrize("name", ["leads", "role:leads", ""])
def test_other_words_are_refused(name: str) -> None:
    with pytest.raises(PrincipalError):
        Principals([name])
