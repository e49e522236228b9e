import pytest

from proxy.config.masking import MASK, mask_line, mask_text, masked_line
from proxy.config.source import read_text


@pytest.mark.parametrize(
    "line",
    [
        "token: hunter2",
        '  "client_secret" : "hunter2"',
        "a: {auth: {kind: bearer, token: hunter2}}",
        "API_KEY: hunter2",
        "X-Api-Key: hunter2",
        "Authorization: Bearer hunter2hunter2",
        "my_password: 'hunter2'",
        "GITHUB_PAT: hunter2",
        "value: hunter2",
        "token:hunter2",
        "token: {evn: hunter2}",
        "url: https://bob:hunter2@example.com/",
        "note: use Bearer hunter2-hunter2 here",
        "- ghp_hunter2hunter2hunter2",
        "cookie: a=hunter2",
        "hash: hunter2",
        'hash: "sha256:%s", value: hunter2' % ("0a" * 32),
        'hash: "sha256:%shunter2"' % ("0a" * 32),
    ],
)
def test_secrets_are_hidden(line: str) -> None:
    assert "hunter2" not in mask_line(line)
    assert MASK in mask_line(line)


@pytest.mark.parametrize(
    "line",
    [
        "token: {env: TOKEN}",
        "auth: {kind: bearer, token: {file: /run/secrets/x}}",
        "token_url: https://login.example.com/oauth/token",
        "max_tokens: 5",
        "anonymous_tokens: true",
        "description: The secret of good tea",
        "pattern: github.*.*.actions.secrets.*",
        "url: https://example.com/a@b",
        "token:",
        'a: {hash: "sha256:%s", workspace: default}' % ("0a" * 32),
        "hash: sha256:" + "0a" * 32,
    ],
)
def test_the_rest_stays_readable(line: str) -> None:
    assert mask_line(line) == line


def test_words_of_ours_are_masked_too() -> None:
    assert "hunter2" not in mask_text("did you mean https://bob:hunter2@example.com?")


@pytest.mark.parametrize(
    "text",
    [
        "token: |\n  one\n  hunter2\nnext: 1\n",
        "a:\n  - password: >-\n      one\n\n      hunter2\n",
        "key: |\n  -----BEGIN PRIVATE KEY-----\n  hunter2\n  -----END PRIVATE KEY-----\n",
        'secret: "one\n  hunter2"\n',
    ],
)
def test_blocks_below_a_secret_key_are_hidden(text: str) -> None:
    source, _ = read_text("a", text.encode())
    shown = [masked_line(source, number, []) for number in range(1, len(source.lines) + 1)]
    assert "hunter2" not in "\n".join(shown)
    assert shown[0].split(":")[0] in text


def test_after_the_block_lines_are_shown_again() -> None:
    source, _ = read_text("a", b"token: |\n  hunter2\nnext: 1\n")
    assert masked_line(source, 3, []) == "next: 1"


def test_known_places_are_hidden() -> None:
    source, _ = read_text("a", b"code: hunter2 # why\n")
    assert masked_line(source, 1, [(1, 7)]) == f"code: {MASK}"
