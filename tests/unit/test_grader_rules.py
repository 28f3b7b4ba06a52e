import pytest

from daemon.core.grader.address import GraderAddress, findings
from daemon.core.grader.rules import GRADER_RULES, MARKUP_RULES
from daemon.core.grader.search_form import on_one_line
from daemon.core.grader.terms import Rule
from tests.support.injections import flag_of

RULES = (*GRADER_RULES, *MARKUP_RULES)

each_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)


def found_by(rule: Rule, text: str) -> list[GraderAddress]:
    return [each for each in findings(on_one_line(text)) if rule.id in each.rules]


def test_ids_are_unique_and_every_rule_says_why() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)
    assert all(rule.why for rule in RULES)


@each_rule
def test_a_rule_finds_its_example_and_says_whether_it_is_cut(rule: Rule) -> None:
    found = found_by(rule, rule.finds)
    assert found
    assert any(each.cut for each in found) or not rule.cuts


@each_rule
def test_a_rule_that_only_flags_cuts_nothing_by_itself(rule: Rule) -> None:
    alone = [each for each in found_by(rule, rule.finds) if each.rules == (rule.id,)]
    assert rule.cuts or not any(each.cut for each in alone)


@each_rule
def test_a_rule_spares_its_counter_example(rule: Rule) -> None:
    assert not found_by(rule, rule.spares)


@each_rule
def test_a_flag_names_its_rule_and_the_words(rule: Rule) -> None:
    flag = flag_of(rule.finds)
    assert flag is not None
    assert rule.id in flag.detail


@pytest.mark.parametrize(
    "junk",
    [
        "a ",
        "ignore all the ",
        "give me with with ",
        "overall ten clarity ",
        "you are the very ",
        "rubric says ",
        "< ",
        "<a ",
        "<| ",
        "`` ",
        "overall_rating ",
        "a.b.",
        "a-b c ",
        "忽略",
        "Please. Give. ",
        "according to to to to | | ",
    ],
)
def test_ten_thousand_words_of_junk_are_searched_in_the_time_of_a_test(junk: str) -> None:
    findings(on_one_line(junk * (10_000 // len(junk.split()))))
