"""Reports for code hosts: what each of them demands."""

from proxy.config.diagnostic import CODES, Diagnostic, Related
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


def test_every_code_passes_the_rules_of_the_sarif_multitool_for_github() -> None:
    """GH1001 to GH1018 and GH2012 with the properties that they demand, for every code and a related place."""
    place = Related("first", "deploy/a.yaml", 2, 1, 2, 5)
    many = [
        Diagnostic(
            code=code,
            severity="error",
            message=text,
            file="deploy/a.yaml",
            path=code,
            end_column=2,
            related=(place,),
        )
        for code, text in CODES.items()
    ]
    report = sarif(many)
    assert report["$schema"].endswith("2.1.0.json")
    (run,) = report["runs"]
    driver = run["tool"]["driver"]
    assert {"name", "version", "semanticVersion", "informationUri"} <= driver.keys()
    assert len({rule["name"] for rule in driver["rules"]}) == len(CODES)
    for rule in driver["rules"]:
        texts = [rule[one]["text"] for one in ("shortDescription", "fullDescription", "help")]
        assert all(text.strip().endswith(".") for text in texts)
        assert rule["name"].isalnum()
        assert rule["name"][0].isupper()
        assert ":" in rule["helpUri"]
    for result in run["results"]:
        assert result["message"]["text"]
        assert result["partialFingerprints"]
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        for location in (*result["locations"], *result["relatedLocations"]):
            physical = location["physicalLocation"]
            assert not physical["artifactLocation"]["uri"].startswith(("/", "file:"))
            assert physical["region"].keys() == {"startLine", "startColumn", "endLine", "endColumn"}
