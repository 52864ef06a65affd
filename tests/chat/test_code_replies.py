"""Code in messages: which is run, and what is replied."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.chat.cast import plain, speaker, texts
from tests.compat.requirements import requirement

import autogen
from autogen import ConversableAgent, GroupChat, GroupChatManager
from autogen.coding import LocalCommandLineCodeExecutor
from autogen.errors import NoWallError, UsageError
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


@requirement("code:hooks", "code:newline", "code:languages")
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


@requirement("code:languages:names")
@pytest.mark.parametrize("language", ["python3", "PYTHON", "py", "Bash", "sh", "Shell"])
def test_languages_of_the_older_form_by_their_names(face: Face, language: str) -> None:
    agent = plain("a", code_execution_config={})
    agent._legacy_executor = FakeExecutor(["ran"])
    assert face.execute_code_blocks(agent, [(language, "x")]) == (0, "\nran")


@requirement("code:config:off")
def test_false_runs_no_code(face: Face) -> None:
    agent = plain("a", code_execution_config=False)
    messages = heard(block("x"))
    assert face.generate_code_execution_reply(agent, messages=messages) == (False, None)
    assert (agent.use_docker, agent.code_executor) == (None, None)
    assert face.generate_reply(agent, messages=messages, sender=plain("b")) == ""


@requirement("code:config:lazy", "code:config:defaults")
def test_an_agent_with_the_defaults_touches_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    agent = autogen.UserProxyAgent("user")
    assert list(tmp_path.iterdir()) == []
    assert (agent._executor.timeout, str(agent._executor.work_dir)) == (600, "coding")
    assert list(tmp_path.iterdir()) == []


@requirement("code:run-code")
@pytest.mark.wall
def test_run_code_obeys_what_it_is_given(face: Face, tmp_path: Path, require_part: Any) -> None:
    config = {"work_dir": str(tmp_path / "own"), "use_docker": False, "require_wall": True}
    agent = plain("a", code_execution_config=config)
    try:
        code = "import os; print(os.path.basename(os.getcwd()))"
        assert face.run_code(agent, code) == (0, "own\n", None)
        given = {"work_dir": str(tmp_path / "other"), "timeout": 1}
        assert face.run_code(agent, code, **given) == (0, "other\n", None)
        assert face.run_code(agent, "while True: ...", **given)[0] == 124
        chosen = agent._executor
        assert face.run_code(agent, code, work_dir=config["work_dir"])[1] == "own\n"
        assert agent._executor is chosen
    except NoWallError as error:
        require_part("a wall", because=str(error), do="apt-get install bubblewrap")
    finally:
        agent._executor.stop()
    with pytest.raises(ValueError, match="unknown key 'workdir'; did you mean 'work_dir'"):
        face.run_code(agent, "x", workdir="y")


# -- a configuration that nothing can be made of ---------------------------------------------------


@requirement("code:config:unknown-key")
@pytest.mark.parametrize(
    "config, problem",
    [
        ({"workdir": "x"}, "unknown key 'workdir'; did you mean 'work_dir'"),
        ({"timeouts": 5}, "did you mean 'timeout'"),
        ({"zebra": 5}, r"unknown key 'zebra'; known are .*work_dir"),
        ({1: 5}, "unknown key 1"),
        ({"commandline-local": {"work_dir": "x"}}, "say 'executor': 'commandline-local'"),
        ({"timeout": 0}, "timeout is 0"),
        ({"timeout": "5"}, "timeout is '5'"),
        ({"work_dir": 5}, "work_dir is 5"),
        ({"use_docker": 5}, "use_docker is 5"),
        ({"use_docker": ["a", 5]}, "use_docker is"),
        ({"last_n_messages": "all"}, "last_n_messages is 'all'"),
        ({"executor": "nonsense"}, "Unknown code executor nonsense"),
        ({"executor": "commandline-local", "commandline-local": "x"}, "must be a dict"),
        ({"executor": "commandline-local", "commandline-loc": {}}, "mean 'commandline-local'"),
    ],
)
def test_a_wrong_configuration_is_refused_at_once(config: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        plain("a", code_execution_config=config)


@requirement("code:wall:variable")
def test_a_variable_with_nonsense_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOGEN_USE_DOCKER", "perhaps")
    with pytest.raises(ValueError, match="AUTOGEN_USE_DOCKER is 'perhaps'"):
        plain("a", code_execution_config={})
    assert plain("a", code_execution_config={"use_docker": False}).use_docker is False
    plain("b", code_execution_config=False)


@requirement("code:config:unknown-key")
@pytest.mark.parametrize("key", ["network", "require_wall", "memory_mb", "packages"])
def test_a_setting_of_a_wall_is_not_lost_beside_an_executor(key: str) -> None:
    with pytest.raises(ValueError, match=f"'{key}' can't stand beside 'executor'"):
        plain("a", code_execution_config={"executor": FakeExecutor([]), key: "none"})


@requirement("code:config:keys")
def test_the_keys_of_the_older_form_are_taken() -> None:
    config = {"work_dir": None, "use_docker": None, "timeout": None, "last_n_messages": 3}
    assert str(plain("a", code_execution_config=config)._executor.work_dir) == "coding"
    images = plain("b", code_execution_config={"use_docker": ["a", "b"], "executor": None})
    assert images.use_docker == ["a", "b"]
    one = plain("c", code_execution_config={"executor": FakeExecutor([]), "last_n_messages": 1})
    assert one.use_docker is None


# -- a work_dir that cannot be ---------------------------------------------------------------------


@requirement("code:work-dir:early")
@pytest.mark.parametrize("role", ["initiator", "recipient", "member"])
def test_a_chat_whose_code_could_not_be_saved_costs_nothing(
    face: Face, tmp_path: Path, role: str
) -> None:
    (tmp_path / "file").write_text("")
    config = {"work_dir": str(tmp_path / "file" / "below")}
    coder = speaker("coder", [])
    user = plain("user", code_execution_config=config)
    first, second = {
        "initiator": (user, coder),
        "recipient": (coder, user),
        "member": (coder, GroupChatManager(GroupChat([coder, user]))),
    }[role]
    with pytest.raises(UsageError, match=r"work_dir '.*below' is no folder: '.*file' is a file"):
        face.initiate_chat(first, second, message="go", silent=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


@requirement("code:work-dir:early")
def test_a_chat_whose_executor_lost_its_folder_costs_nothing(face: Face, tmp_path: Path) -> None:
    (tmp_path / "above").mkdir()
    executor = LocalCommandLineCodeExecutor(work_dir=tmp_path / "above" / "work")
    shutil.rmtree(tmp_path / "above")
    user = plain("user", code_execution_config={"executor": executor})
    with pytest.raises(UsageError, match="does not exist"):
        face.initiate_chat(user, speaker("coder", []), message="go", silent=True)


@requirement("code:work-dir:early")
def test_a_folder_that_nobody_named_is_no_reason_to_refuse(
    face: Face, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "coding").write_text("a file")
    monkeypatch.chdir(tmp_path)
    user = plain("user", code_execution_config={}, human_input_mode="NEVER")
    done = face.initiate_chat(user, speaker("coder", ["TERMINATE"]), message="go", silent=True)
    assert texts(done.chat_history) == ["go", "TERMINATE"]


# -- what code leaves ------------------------------------------------------------------------------

MAKES = """import struct, zlib
def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
picture = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"00")) + chunk(b"IEND", b"")
open("chart.png", "wb").write(b"\\x89PNG\\r\\n\\x1a\\n" + picture)
open("table.csv", "a").write("1,2\\n")
print("made")"""


@requirement("exec:artifacts")
@pytest.mark.parametrize("form", ["local", pytest.param("sandbox", marks=pytest.mark.wall), "dict"])
def test_files_that_code_made_are_listed_once(
    face: Face, tmp_path: Path, form: str, require_part: Any
) -> None:
    work = tmp_path / "work"
    config: dict[str, Any] = {"work_dir": work, "use_docker": False, "require_wall": True}
    if form != "dict":
        config = {"executor": f"commandline-{form}", f"commandline-{form}": {"work_dir": work}}
    # The second message changes one of the files and makes a third.
    again = "open('table.csv', 'a').write('3,4\\n'); open('sub.txt', 'w').write('x')"
    coder = speaker("coder", [block(MAKES), block("# filename: task.py\n" + again), "TERMINATE"])
    user = plain("user", code_execution_config=config, human_input_mode="NEVER")
    try:
        done = face.initiate_chat(user, coder, message="go", silent=True)
    except NoWallError as error:
        require_part("a wall", because=str(error), do="apt-get install bubblewrap")
    finally:
        getattr(user._executor, "stop", lambda: None)()
    assert done.stop_reason == "termination", done.chat_history
    found = [(artifact.name, artifact.mime) for artifact in done.artifacts]
    assert found == [
        ("chart.png", "image/png"),
        ("sub.txt", "text/plain"),
        ("table.csv", "text/csv"),
    ]
    table = done.artifacts[-1]
    assert Path(table.path).read_text() == "1,2\n3,4\n"
    assert table.size_bytes == 8
