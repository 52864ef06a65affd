"""Code in messages: which is run, and what is replied."""

from __future__ import annotations

from typing import Any

import pytest
from tests.chat.cast import plain, speaker, texts
from tests.compat.requirements import requirement

from autogen import ConversableAgent
from autogen.testing import FakeExecutor
from autogen.testing.face import Face


def block(code: str, language: str = "python") -> str:
    return f"```{language}\n{code}\n```"


def heard(*contents: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": content} for content in contents]


def runs(face: Face, messages: list[dict[str, Any]], **config: Any) -> list[str]:
    """The code that an agent runs of `messages`."""
    executor = FakeExecutor(lambda blocks: "out")
    agent = plain("a", code_execution_config={"executor": executor, **config})
    face.generate_code_execution_reply(agent, messages=messages, sender=plain("b"))
    return [found.code.strip() for found in executor.blocks]


@requirement("code:reply", "code:newest")
@pytest.mark.parametrize(
    "result,text",
    [
        ("42\n", "exitcode: 0 (execution succeeded)\nCode output: 42\n"),
        ((1, "NameError"), "exitcode: 1 (execution failed)\nCode output: NameError"),
        ((124, ""), "exitcode: 124 (execution failed)\nCode output: "),
    ],
)
def test_what_is_replied(face: Face, result: Any, text: str) -> None:
    with FakeExecutor([result]) as executor:
        bot = speaker("bot", [block("print(42)") + "\nand\n" + block("ls", "sh"), "TERMINATE"])
        user = plain("user", code_execution_config={"executor": executor})
        done = face.initiate_chat(user, bot, message="go", silent=True)
    assert done.chat_history[2]["content"] == text
    assert [b.language for b in executor.blocks] == ["python", "sh"]


@requirement("code:newest", "code:auto")
def test_the_newest_message_with_code_wins(face: Face) -> None:
    assert runs(face, heard(block("old"), block("new"), "words")) == ["new"]


@requirement("code:auto")
def test_by_default_everything_since_the_agent_spoke_is_looked_at(face: Face) -> None:
    own = {"role": "assistant", "content": block("mine")}
    assert runs(face, [*heard(block("old")), own, *heard("words")]) == []
    assert runs(face, [*heard(block("old")), own, *heard(block("new"), "a", "b")]) == ["new"]
    assert runs(face, [own]) == []


@requirement("code:last-n")
@pytest.mark.parametrize("n,expected", [(0, []), (1, []), (2, ["b"]), (3, ["b"]), (99, ["b"])])
def test_last_n_messages(face: Face, n: int, expected: list[str]) -> None:
    messages = [*heard(block("a"), block("b")), {"role": "assistant", "content": "mine"}]
    assert runs(face, messages, last_n_messages=n) == expected


@requirement("code:last-n:bad")
@pytest.mark.parametrize("n", [-1, "all", 1.5, None, True])
def test_a_last_n_messages_that_is_no_number(face: Face, n: Any) -> None:
    with pytest.raises(ValueError, match="last_n_messages"):
        runs(face, heard("x"), last_n_messages=n)


@requirement("code:none")
def test_without_code_the_chain_goes_on(face: Face) -> None:
    with FakeExecutor([]) as executor:
        agent = speaker("a", ["a word"], code_execution_config={"executor": executor})
        assert face.generate_reply(agent, messages=heard("hi"), sender=plain("b")) == "a word"


@requirement("code:content")
def test_content_that_is_empty_or_in_parts(face: Face) -> None:
    parts = [{"type": "text", "text": block("parts")}]
    assert runs(face, heard(parts, "", None)) == ["parts"]
    assert runs(face, heard(lambda context: "x")) == []


@requirement("code:hooks")
@pytest.mark.parametrize("flavour", ["sync", "async"])
def test_execute_code_blocks_overridden(face: Face, flavour: str) -> None:
    class Own(ConversableAgent):
        if flavour == "sync":

            def execute_code_blocks(self, code_blocks: Any) -> Any:
                return 0, f"ran {code_blocks}"
        else:

            async def a_execute_code_blocks(self, code_blocks: Any) -> Any:
                return 0, f"ran {code_blocks}"

    agent = Own("a", code_execution_config={"use_docker": False})
    final, text = face.generate_code_execution_reply(
        agent, messages=heard(block("x = 1")), sender=plain("b")
    )
    assert final
    assert text.startswith("exitcode: 0 (execution succeeded)\nCode output: ran [('python', 'x = 1")


@requirement("code:hooks")
def test_run_code_overridden(face: Face) -> None:
    ran: list[Any] = []

    class Own(ConversableAgent):
        def run_code(self, code: str, lang: str = "python", **kwargs: Any) -> Any:
            ran.append((lang, code.strip()))
            return (0 if "good" in code else 3), f"out of {code.strip()}\n", None

    agent = Own("a", code_execution_config={"use_docker": False})
    messages = heard(block("good") + "\n" + block("bad", "sh") + "\n" + block("never"))
    _, text = face.generate_code_execution_reply(agent, messages=messages, sender=plain("b"))
    assert ran == [("python", "good"), ("sh", "bad")]
    assert text == "exitcode: 3 (execution failed)\nCode output: \nout of good\n\nout of bad\n"
    _, text = face.generate_code_execution_reply(
        agent, messages=heard(block("x", "cobol")), sender=plain("b")
    )
    assert text == "exitcode: 1 (execution failed)\nCode output: \nunknown language cobol"


@requirement("code:executor")
@pytest.mark.parametrize("key", ["use_docker", "work_dir", "timeout"])
def test_an_executor_stands_alone(key: str) -> None:
    executor = FakeExecutor([])
    agent = plain("a", code_execution_config={"executor": executor})
    assert agent.code_executor is executor
    assert agent._code_executor is executor
    with pytest.raises(ValueError, match=key):
        plain("a", code_execution_config={"executor": executor, key: 1})


@requirement("code:executor")
def test_an_executor_that_fails_takes_the_chat_along(face: Face) -> None:
    bot = speaker("bot", [block("x")])
    user = plain("user", code_execution_config={"executor": FakeExecutor([OSError("gone")])})
    with pytest.raises(OSError, match="gone") as caught:
        face.initiate_chat(user, bot, message="go", silent=True)
    kept = caught.value.chat_result  # type: ignore[attr-defined]
    assert texts(kept.chat_history) == ["go", block("x")]


@requirement("code:hooks")
def test_the_older_names_run_code_too(face: Face) -> None:
    agent = plain("a", code_execution_config={"work_dir": "x"})
    with FakeExecutor(["one", (2, "two"), "three"]) as executor:
        agent._legacy_executor = executor
        assert face.run_code(agent, "print(1)", filename="a.py") == (0, "one", None)
        blocks = [("", "print(2)"), ("sh", "never")]
        assert face.execute_code_blocks(agent, blocks) == (2, "\ntwo")
        _, text = face.generate_code_execution_reply(
            agent, messages=heard(block("x")), sender=plain("b")
        )
    assert text == "exitcode: 0 (execution succeeded)\nCode output: \nthree"
    assert executor.blocks[0].code == "# filename: a.py\nprint(1)"
    assert executor.blocks[1].language == "python"
    assert (agent.use_docker, plain("b").use_docker) == (None, None)
