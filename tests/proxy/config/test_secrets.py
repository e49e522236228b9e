import os
from pathlib import Path

import pytest

from integrations.base import Secret
from integrations.fields import SecretRef
from integrations.files import SECRET
from proxy.config.secrets import (
    Resolver,
    SecretMissing,
    read_secret_file,
    repeats_scheme,
)


def ref(**where: str) -> SecretRef:
    return SecretRef.model_validate(where)


def test_variables() -> None:
    resolver = Resolver({"A": "one", "B": ""})
    assert resolver.resolve(ref(env="A")) == Secret("one")
    with pytest.raises(SecretMissing, match="B is empty"):
        resolver.resolve(ref(env="B"))
    with pytest.raises(SecretMissing, match="C is not set"):
        resolver.resolve(ref(env="C"))


def test_a_variable_may_be_given_by_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("from file\n")
    assert Resolver({"A_FILE": str(tmp_path / "a")}).resolve(ref(env="A")) == Secret("from file")


@pytest.mark.parametrize("text", ["x y", " x y ", "x y\n", "x y\r\n", "\tx y\n\n"])
def test_white_space_around_a_secret_is_no_part_of_it(tmp_path: Path, text: str) -> None:
    """Field recipe 15: what is sent is what is redacted."""
    (tmp_path / "a").write_bytes(text.encode())
    resolver = Resolver({"A": text}, tmp_path)
    assert resolver.resolve(ref(file="a")).reveal() == "x y"
    assert resolver.resolve(ref(env="A")).reveal() == "x y"


def test_a_byte_order_mark_is_refused_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("\ufeffsecret")
    resolver = Resolver({"A": "\ufeffsecret"}, tmp_path)
    for one in (ref(file="a"), ref(env="A")):
        with pytest.raises(SecretMissing, match=r"begins with a byte order mark .*store it without one"):
            resolver.resolve(one)


def test_a_bearer_token_is_no_header() -> None:
    assert repeats_scheme("Bearer abc") == repeats_scheme("bearer abc") != ""
    assert repeats_scheme("bearerabc") == ""


def test_files_are_read_again_when_they_change(tmp_path: Path) -> None:
    resolver = Resolver({}, tmp_path)
    (tmp_path / "a").write_text("one")
    assert resolver.resolve(ref(file="a")).reveal() == "one"
    (tmp_path / "new").write_text("two")
    os.replace(tmp_path / "new", tmp_path / "a")
    assert resolver.resolve(ref(file="a")).reveal() == "two"
    (tmp_path / "a").unlink()
    with pytest.raises(SecretMissing, match="a does not exist"):
        resolver.resolve(ref(file="a"))


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"", "is empty"), (b"\n", "is empty"), (b" \n", "is empty"), (b"\xff", "is not UTF-8")],
)
def test_a_file_without_a_secret(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(SecretMissing, match=why):
        Resolver({}, tmp_path).resolve(ref(file="a"))


def test_why_a_file_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"x" * (SECRET.max_bytes + 1))
    assert read_secret_file(tmp_path / "big")[1] == "which is larger than 1 MiB, the most for a secret"
    assert read_secret_file(tmp_path)[1] == "which is a directory, and only regular files are read"
    assert read_secret_file(tmp_path / "none")[1] == "which does not exist"


def test_the_error_names_what_is_missing() -> None:
    with pytest.raises(SecretMissing) as caught:
        Resolver({}).resolve(ref(env="A"))
    assert (caught.value.name, caught.value.why) == ("A", "is not set")
