"""`Teachability`: what one conversation teaches, a later one recalls; on all faces."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.compat.requirements import requirement

from autogen import ConversableAgent, UserProxyAgent
from autogen.agentchat.contrib.capabilities.teachability import MemoStore, Teachability
from autogen.agentchat.contrib.text_analyzer_agent import TextAnalyzerAgent
from autogen.testing import Face, ScriptedModel

Teach = Callable[..., Teachability]


@pytest.fixture
def teach(tmp_path: Path) -> Iterator[Teach]:
    """Makes memories in one folder, and closes them."""
    made: list[Teachability] = []

    def make(**options: Any) -> Teachability:
        made.append(Teachability(**{"path_to_db_dir": str(tmp_path / "memory"), **options}))
        return made[-1]

    yield make
    for one in made:
        one.memo_store.close()


def lesson(task: str | None = None, advice: str | None = None, **facts: str) -> str:
    told = [{"question": q.replace("_", " "), "answer": a} for q, a in facts.items()]
    return json.dumps({"task": task, "advice": advice, "facts": told})


def teachable(model: ScriptedModel, memory: Teachability) -> ConversableAgent:
    agent = ConversableAgent("teachable", llm_config=model.config(), human_input_mode="NEVER")
    memory.add_to_agent(agent)
    return agent


def user() -> UserProxyAgent:
    return UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False)


def tell(face: Face, message: Any, agent: ConversableAgent) -> None:
    """Let a user say `message` to `agent`, which answers it."""
    partner = ConversableAgent("user", human_input_mode="NEVER", default_auto_reply=None)
    face.send(partner, message, agent, request_reply=True, silent=True)


def asked(model: ScriptedModel, k: int) -> Any:
    return model.requests[k]["messages"][-1]["content"]


@requirement("teach:recalled")
def test_a_fact_is_recalled_in_a_later_conversation(face: Face, teach: Teach) -> None:
    fact = lesson(**{"What_is_the_name_of_the_user's_dog?": "Argos"})
    with ScriptedModel([fact, "Noted.", lesson(), "Argos."]) as model:
        first = teachable(model, teach())
        face.initiate_chat(
            user(), first, message="My dog is called Argos.", max_turns=1, silent=True
        )
        second = teachable(model, teach())
        result = face.initiate_chat(
            user(), second, message="What is my dog's name?", max_turns=1, silent=True
        )
    assert asked(model, 1) == "My dog is called Argos."
    assert asked(model, 3).startswith("What is my dog's name?\n\n# Memories")
    assert "What is the name of the user's dog? Argos" in asked(model, 3)
    assert result.chat_history[0]["content"] == "What is my dog's name?"
    assert result.chat_history[-1]["content"] == "Argos."


@requirement("teach:advice")
def test_advice_is_recalled_by_the_kind_of_task(face: Face, teach: Teach) -> None:
    kind = "summarise a scientific paper"
    told = lesson(task=kind, advice="Begin with the result.")
    script = [told, "Yes.", lesson(task=kind), "The result: ..."]
    with ScriptedModel(script) as model:
        agent = teachable(model, teach())
        tell(face, "Sum up paper 1. Always begin with the result.", agent)
        tell(face, "Here comes the next one: 2408.1234.", agent)
    assert "Begin with the result." in asked(model, 3)


@requirement("teach:replaced")
def test_a_fact_told_anew_replaces_the_old_one(face: Face, teach: Teach) -> None:
    memory = teach()
    script = [
        lesson(**{"Which_colour_does_the_user_like?": "blue"}),
        "ok",
        lesson(**{"Which_colour__does_the_user_LIKE?": "green"}),
        "ok",
    ]
    with ScriptedModel(script) as model:
        agent = teachable(model, memory)
        tell(face, "I like blue.", agent)
        tell(face, "I like green.", agent)
    assert [memo[1] for memo in memory.memo_store.get_related_memos("colour", 10, 2)] == ["green"]


@requirement("teach:nonsense")
@pytest.mark.parametrize(
    "answer", ["I can't do that.", "{broken", "{}", '{"facts": "no", "task": 3}']
)
def test_an_analyzer_that_answers_nonsense_teaches_nothing(
    face: Face, teach: Teach, answer: str
) -> None:
    memory = teach()
    with ScriptedModel([answer, "Hello."]) as model:
        tell(face, "Hi there.", teachable(model, memory))
    assert memory.memo_store.last_memo_id == 0
    assert asked(model, 1) == "Hi there."


def test_words_around_the_json_do_not_matter(face: Face, teach: Teach) -> None:
    memory = teach()
    script = [f"Sure:\n```json\n{lesson(q='a')}\n```\nThat is all.", "Hello."]
    with ScriptedModel(script) as model:
        tell(face, "Hi there.", teachable(model, memory))
    assert memory.memo_store.get_nearest_memo("q")[:2] == ("q", "a")


def test_messages_of_parts_get_a_part_more(face: Face, teach: Teach) -> None:
    memory = teach()
    memory.memo_store.add_input_output_pair("What is the name of the dog?", "Argos")
    message = {"content": [{"type": "text", "text": "What is the name of the dog?"}]}
    with ScriptedModel([lesson(), "Argos."]) as model:
        tell(face, message, teachable(model, memory))
    parts = asked(model, 1)
    assert parts[0] == message["content"][0]
    assert "Argos" in parts[1]["text"]


@requirement("teach:limits")
def test_thresholds_and_numbers_limit_what_is_recalled(face: Face, teach: Teach) -> None:
    memory = teach(max_num_retrievals=1)
    for name in ("Argos", "Bello"):
        memory.memo_store.add_input_output_pair("What is the name of the dog?", name)
    with ScriptedModel([lesson(), "x"]) as model:
        tell(face, "the dog Bello", teachable(model, memory))
    assert "Bello" in asked(model, 1) and "Argos" not in asked(model, 1)

    strict = teach(recall_threshold=0.1)
    with ScriptedModel([lesson(), "x"]) as model:
        tell(face, "the dog Bello", teachable(model, strict))
    assert asked(model, 1) == "the dog Bello"


@requirement("teach:verbosity")
def test_verbosity_prints_what_is_learned(
    face: Face, teach: Teach, capsys: pytest.CaptureFixture[str]
) -> None:
    with ScriptedModel([lesson(q="a"), "x", lesson(), "x"]) as model:
        agent = teachable(model, teach(verbosity=3))
        tell(face, "q is a", agent)
        tell(face, "q?", agent)
    printed = capsys.readouterr().out
    for text in ("Learned: q -> a", "Recalled (", "Looked up: q?", "The analyzer read:"):
        assert text in printed


@requirement("teach:cost")
def test_what_the_analyzer_costs_counts_in_the_chat(face: Face, teach: Teach) -> None:
    with ScriptedModel([lesson(), "Hello."]) as model:
        agent = teachable(model, teach())
        result = face.initiate_chat(user(), agent, message="Hi.", max_turns=1, silent=True)
    total = result.cost["usage_including_cached_inference"]["scripted"]
    assert total["completion_tokens"] == 1 + len(lesson().split())


def test_other_tasks_go_on_while_the_analyzer_thinks(teach: Teach) -> None:
    """On the async face neither the model nor the store holds the event loop."""
    threads: list[int] = []
    memory = teach()
    real = memory.memo_store.get_related_memos

    def recall(*args: Any) -> Any:
        threads.append(threading.get_ident())
        return real(*args)

    memory.memo_store.get_related_memos = recall  # type: ignore[method-assign]
    with ScriptedModel([lesson(), "Hello."]) as model:
        agent = teachable(model, memory)
        asyncio.run(agent.a_generate_reply([{"content": "Hi."}], user()))
    assert threads and threading.get_ident() not in threads


def test_a_memory_needs_a_model(teach: Teach) -> None:
    with pytest.raises(ValueError, match="'mute' has none"):
        teach().add_to_agent(ConversableAgent("mute", llm_config=False))


@requirement("teach:model")
def test_a_memory_can_have_a_model_of_its_own(face: Face, teach: Teach) -> None:
    with ScriptedModel([lesson(q="a")]) as small, ScriptedModel(["Hello."]) as large:
        agent = teachable(large, teach(llm_config=small.config()))
        tell(face, "Hi.", agent)


@requirement("teach:system")
def test_the_system_message_tells_of_the_memory(teach: Teach) -> None:
    agent = teachable(ScriptedModel([]), teach())
    assert agent.system_message.startswith("You are a helpful AI Assistant.\n")
    assert "memory" in agent.system_message


@requirement("teach:reset")
def test_reset_forgets_and_examples_fill(teach: Teach, capsys: pytest.CaptureFixture[str]) -> None:
    memory = teach()
    memory.prepopulate_db()
    assert memory.memo_store.get_nearest_memo("How many legs has a spider?")[1].startswith("Eight")
    n_memos = memory.memo_store.last_memo_id
    memory.memo_store.list_memos()
    assert f"{n_memos} memos in" in capsys.readouterr().out
    assert teach().memo_store.last_memo_id == n_memos
    emptied = teach(reset_db=True, verbosity=1)
    assert emptied.memo_store.last_memo_id == 0
    assert "is emptied" in capsys.readouterr().out
    with pytest.raises(ValueError, match="there are no memos"):
        emptied.memo_store.get_nearest_memo("x")


@requirement("teach:kept")
def test_memos_outlive_the_process(tmp_path: Path) -> None:
    program = (
        "import sys; from autogen.agentchat.contrib.capabilities.teachability import MemoStore; "
        "MemoStore(path_to_db_dir=sys.argv[1]).add_input_output_pair('Which port?', '7717')"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", program, str(tmp_path)], check=True)
    store = MemoStore(path_to_db_dir=str(tmp_path))
    assert store.get_nearest_memo("which port is it?")[:2] == ("Which port?", "7717")
    store.close()


@requirement("analyzer:chat")
def test_an_analyzer_in_a_chat_reads_the_last_two_messages(face: Face) -> None:
    messages = [{"content": "Cats sleep."}, {"content": "Who sleeps?"}]
    with ScriptedModel(["Cats.", "Hm?"]) as model:
        analyzer = TextAnalyzerAgent(llm_config=model.config())
        answer = face.generate_reply(analyzer, messages=messages, sender=user())
        assert answer == "Cats."
        # One message alone is no text with instructions.
        answer = face.generate_reply(analyzer, messages=messages[:1], sender=user())
        assert answer == "Hm?"
    content = asked(model, 0)
    assert "# TEXT\nCats sleep." in content
    assert content.count("# INSTRUCTIONS\nWho sleeps?") == 2


def test_an_analyzer_without_a_model_says_so(face: Face) -> None:
    with pytest.raises(ValueError, match="give it an llm_config"):
        face.analyze_text(TextAnalyzerAgent(), "text", "instructions")
