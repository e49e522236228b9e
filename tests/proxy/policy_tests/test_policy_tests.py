"""What reports say of verdicts, in every format. How tests are judged: tests/proxy/commands/test_test.py."""

from __future__ import annotations

import json
from xml.etree import ElementTree

from policies import Decision
from proxy.policy_tests.judging import Verdict
from proxy.policy_tests.model import Expectation, PolicyTest
from proxy.policy_tests.reading import PlacedTest
from proxy.policy_tests.report import REPORTS, TestResults

ODD = 'says "<&>" \x1b[31m and %0A'


def results(*verdicts: Verdict, rules: tuple[str, ...] = ("a", "b")) -> TestResults:
    test = PolicyTest(name=ODD, tool="t", expect=Expectation(action="block"))
    return TestResults(tuple((PlacedTest(test, "x.test.yaml", 1, 2), one) for one in verdicts), rules)


def test_only_tests_that_pass_cover_a_rule() -> None:
    decided = Decision("block", "a", "executor.yaml:1")
    assert results(Verdict("wrong", decided)).uncovered == ["a", "b"]
    found = results(Verdict("", decided))
    assert (found.uncovered, found.coverage, found.failed) == (["b"], 50.0, 0)
    assert found.summary() == "1 passed, 0 failed; rules covered 1/2: never decided: b"
    assert results(Verdict(""), rules=()).coverage == 100.0


def test_many_rules_that_nothing_decided_fit_a_terminal() -> None:
    rules = tuple(f"team-{number}-may-read" for number in range(50))
    lines = results(Verdict(""), rules=rules).summary().splitlines()
    assert lines[0] == "1 passed, 0 failed; rules covered 0/50: never decided:"
    assert max(map(len, lines)) <= 100
    assert " ".join(line.strip() for line in lines[1:]).split(", ") == list(rules)


def test_odd_characters_break_no_format() -> None:
    found = results(Verdict(ODD))
    case = next(ElementTree.fromstring(REPORTS["junit"](found)).iter("testcase"))
    assert case.attrib["name"] == 'says "<&>"  [31m and %0A'
    assert json.loads(REPORTS["json"](found))["tests"][0]["name"] == ODD
    assert REPORTS["github"](found).count("\n") == 2
    assert "%250A" in REPORTS["github"](found)
