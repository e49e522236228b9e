from proxy.config.diagnostic import Diagnostic
from proxy.config.report_ci import GITHUB_SHOWN, github, gitlab, sarif

FOUND = Diagnostic(code="E101", severity="error", message="broken", file="dir with space/\N{SNOWMAN}.yaml")


def test_file_names_are_valid_uris_in_sarif() -> None:
    location = sarif([FOUND])["runs"][0]["results"][0]["locations"][0]
    assert location["physicalLocation"]["artifactLocation"]["uri"] == "dir%20with%20space/%E2%98%83.yaml"


def test_nothing_found_is_an_empty_but_complete_report() -> None:
    assert github([]) == []
    assert gitlab([]) == []
    assert sarif([])["runs"][0]["results"] == []


def test_the_limit_is_not_announced_when_it_is_just_met() -> None:
    assert len(github([FOUND] * GITHUB_SHOWN)) == GITHUB_SHOWN


def test_unencodable_text_has_a_fingerprint() -> None:
    lone = Diagnostic(code="E110", severity="error", message="m", file="a.yaml", path="\ud800")
    assert len(gitlab([lone])[0]["fingerprint"]) == 64
