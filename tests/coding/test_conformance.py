"""Every executor of ours keeps the rules that the shipped suite states.

Those that need more around them run it in files of their own.
"""

from __future__ import annotations

from typing import Any

import pytest

from autogen.coding import (
    CodeResult,
    LocalCommandLineCodeExecutor,
    MarkdownCodeExtractor,
)
from autogen.testing.conformance.executor import CHECKS, Traits, conformance_tests, verify

test_local = conformance_tests(LocalCommandLineCodeExecutor)
test_bubblewrap = pytest.mark.wall(conformance_tests("sandbox", walled=True, limited=True))


class Sloppy:
    """An executor that does little right."""

    code_extractor = MarkdownCodeExtractor()

    def __init__(self, **options: Any):
        pass

    def execute_code_blocks(self, code_blocks: list[Any]) -> CodeResult:
        return CodeResult(exit_code=0, output="hello")

    def restart(self) -> None:
        raise RuntimeError("not today")


def test_suite_says_which_rules_an_executor_breaks():
    verdicts = {verdict.check.name: verdict for verdict in verify(Sloppy, files=False, live=False)}
    assert verdicts["output-of-a-block-comes-back"].kept
    assert verdicts["has-the-members-of-an-executor"].kept
    failure = verdicts["failure-is-a-result"]
    assert str(failure) == (
        "failure-is-a-result: BROKEN (expected an exit code other than 0; found 0)"
    )
    assert str(verdicts["restart-leaves-it-usable"].error).startswith("expected 0; found")
    broken = {name for name, verdict in verdicts.items() if not verdict.kept}
    assert {"no-blocks-are-refused", "first-failure-stops-the-rest"} <= broken


def test_traits_choose_the_checks():
    def names(**traits: Any) -> set[str]:
        claimed = Traits(**traits)
        return {check.name for check in CHECKS if claimed.meet(check)}

    assert "names-live-on-until-restart" in names(stateful=True)
    assert "names-do-not-live-on" not in names(stateful=True)
    assert "shell-blocks-run" not in names(languages=("python",))
    assert not names() & names(files=False) - names()
    assert "files-of-the-host-are-not-read" in names(walled=True) - names()
    assert "memory-ends" in names(walled=True, limited=True) - names(walled=True)


def test_each_check_has_a_name_of_its_own_and_states_its_rule():
    assert len({check.name for check in CHECKS}) == len(CHECKS)
    assert all(check.rule.endswith(".") for check in CHECKS)
    with pytest.raises(TypeError, match="telepathic"):
        verify(Sloppy, telepathic=True)
