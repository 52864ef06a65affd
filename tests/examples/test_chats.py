"""The examples in which two or a few agents talk, people among them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from autogen.io import IOStream
from autogen.testing import Reply, ScriptedHuman, call

Run = Callable[..., dict[str, Any]]


def texts(messages: list[dict[str, Any]]) -> list[Any]:
    return [message["content"] for message in messages]


def test_joke_is_told_once_and_then_comes_from_the_cache(
    run: Run, tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    names = run("joke", ["It had its ups and downs."])
    assert names["reply"] == names["again"] == "It had its ups and downs."
    assert (tmp_path / ".cache" / "41").is_dir()
    out = capsys.readouterr().out
    assert "It had its ups and downs." in out
    assert "comedian" in out
    agent = names["agent"]
    called = agent.get_actual_usage()["gpt-4o-mini"]["total_tokens"]
    assert agent.get_total_usage()["gpt-4o-mini"]["total_tokens"] == 2 * called


def test_currency_is_converted_by_the_tool_and_the_bill_is_there(run: Run) -> None:
    asked = call("currency_calculator", id="c1", base={"currency": "EUR", "amount": 123.45})
    names = run("tools_currency", [asked, "You get 154.31 dollars.\n\nTERMINATE"])
    result = names["result"]
    assert result.stop_reason == "termination"
    assert len(result.chat_history) == 4
    answered = result.chat_history[2]["tool_responses"]
    assert [response["tool_call_id"] for response in answered] == ["c1"]
    assert answered[0]["content"] == '{"currency":"USD","amount":154.31}'
    first, second = (request.json for request in names["server"].requests)
    parameters = first["tools"][0]["function"]["parameters"]
    assert parameters["required"] == ["base"]
    assert parameters["properties"]["quote_currency"]["enum"] == ["EUR", "USD"]
    assert second["messages"][-1]["role"] == "tool"
    assert result.cost.total["total_cost"] > 0
    assert result.cost.unpriced == []


def test_currency_that_does_not_exist_is_told_to_the_model(run: Run) -> None:
    names = run(
        "tools_currency",
        [
            call("currency_calculator", base={"currency": "DEM", "amount": 1}),
            call("currency_calculator", base={"currency": "EUR", "amount": 4}),
            "Five. TERMINATE",
        ],
    )
    said = texts(names["result"].chat_history)
    assert "EUR" in said[2]
    assert "USD" in said[2]
    assert said[4] == '{"currency":"USD","amount":5.0}'
    assert names["result"].stop_reason == "termination"


def test_each_chat_of_the_row_hears_what_the_earlier_ones_came_to(run: Run) -> None:
    names = run(
        "sequential_carryover",
        ["It was tall.", "It fell in 1303.", "- tall\n- fell", "Once upon a time.", "Il etait."],
    )
    assert [result.summary for result in names["results"]] == [
        "- tall\n- fell",
        "Once upon a time.",
        "Il etait.",
    ]
    requests = names["server"].requests
    assert requests[2].last_text == "Give the facts as a list, and nothing else."
    assert requests[3].last_text == (
        "Write a paragraph for a guide book.\nContext: \nIt is for children of ten.\n- tall\n- fell"
    )
    assert requests[4].last_text == "Translate the paragraph.\nContext: \nOnce upon a time."
    assert [result.stop_reason for result in names["results"]] == ["max_turns"] * 3
    # The reflection is on the bill of the chat it belongs to.
    words = [result.cost.total["gpt-4o-mini"]["completion_tokens"] for result in names["results"]]
    assert words == [10, 4, 2]


def test_the_writer_gets_the_opinions_of_the_private_chats(run: Run) -> None:
    names = run(
        "nested_critic",
        ["Best tea on earth.", "Too short.", "Nobody can keep that.", "A tea you may like."],
    )
    result = names["result"]
    assert texts(result.chat_history) == [
        "Write a post of 20 words about our new tea.",
        "Best tea on earth.",
        "critic: Too short.\nlawyer: Nobody can keep that.",
        "A tea you may like.",
    ]
    assert "What do you say to this text?\n\nBest tea on earth." in (
        names["server"].requests[1].last_text
    )
    # The private talk is on the same bill.
    assert result.cost.total["gpt-4o-mini"]["completion_tokens"] == 4 + 2 + 4 + 5


def test_two_players_move_by_turns_through_the_board(run: Run) -> None:
    moves = iter(["a1a8", "e2e4", "e7e5", "g1f3"])

    def model(request: Any) -> Any:
        """Ask for the moves, make one, another where it was refused; then say a word."""
        text = request.last_text
        if request.messages[-1]["role"] != "tool":
            return call("get_legal_moves")
        return "A good move." if text.startswith("Moved") else call("make_move", move=next(moves))

    names = run("nested_chess", model)
    assert names["board"].moves == ["e2e4", "e7e5", "g1f3"]
    refused = [request.last_text for request in names["server"].requests if request.messages[3:]]
    assert "a1a8 is not legal here" in refused[1]
    result = names["result"]
    assert texts(result.chat_history) == ["Let us play. It is your move.", *["A good move."] * 3]
    assert result.stop_reason == "max_turns"
    assert str(names["board"]).splitlines()[0] == "rnbqkbnr"


def test_board_of_the_chess_example_knows_check_and_mate(run: Run) -> None:
    names = run("nested_chess", _quick_players())
    board = names["Board"]()
    for move in "f2f3 e7e5 g2g4 d8h4".split():
        assert move in board.legal_moves()
        board.play(move)
    assert board.is_in_check(white=True)
    assert board.legal_moves() == []
    assert len(names["Board"]().legal_moves()) == 20


def test_chats_run_beside_each_other_with_a_tool_that_is_a_coroutine(run: Run) -> None:
    def model(request: Any) -> Any:
        if request.messages[-1]["role"] == "tool":
            return Reply(f"No coat: {request.last_text}. TERMINATE", delay_s=0.05)
        city = request.last_text.removeprefix("Do I need a coat in ").rstrip("?")
        return Reply(tool_calls=[call("weather", city=city)], delay_s=0.05)

    names = run("async_many_chats", model)
    assert [result.stop_reason for result in names["results"]] == ["termination"] * 5
    assert names["results"][1].chat_history[2]["content"] == "sunny in Lima"
    assert names["server"].max_in_flight == 5


def test_chats_start_when_their_prerequisites_have_ended(run: Run) -> None:
    names = run("sequential_async", lambda request: f"<{request.last_text.split()[0]}>")
    results = names["results"]
    assert {i: result.summary for i, result in results.items()} == {
        1: "<What>",
        2: "<Name>",
        3: "<Plan>",
        4: "<What>",
    }
    assert [results[i].chat_id for i in results] == [1, 2, 3, 4]
    assert results[3].chat_history[0]["content"].endswith("Context: \n<What>\n<Name>")
    assert results[4].chat_history[0]["content"].endswith("Context: \n<Plan>")


def test_stop_button_and_limit_of_time_end_a_story_without_end(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LIMIT_S", "0.3")

    def model(request: Any) -> Any:
        if "hills" in request.messages[1]["content"] or len(request.messages) > 6:
            return Reply(fault="hang")
        return f"Sentence {len(request.messages) // 2}."

    names = run("stop_button", model)
    stopped, late = names["results"]["stopped"], names["results"]["late"]
    assert stopped.stop_reason == "cancelled"
    assert texts(stopped.chat_history)[:6] == [
        "Tell me of the sea.",
        "Sentence 1.",
        "And then?",
        "Sentence 2.",
        "And then?",
        "Sentence 3.",
    ]
    assert (late.stop_reason, texts(late.chat_history)) == ("timeout", ["And of the hills."])
    assert "3. Sentence 3.\nEnded: cancelled" in capsys.readouterr().out


def test_model_client_of_the_users_own_answers_and_is_counted(run: Run) -> None:
    names = run("custom_model_client", [])
    result = names["result"]
    assert result.summary == "HELLO!! HELLO!!"
    assert result.stop_reason == "max_turns"
    assert result.cost.total == {
        "total_cost": 0.001,
        "parrot-1": {
            "cost": 0.001,
            "prompt_tokens": 1,
            "completion_tokens": 2,
            "total_tokens": 3,
        },
    }


def test_person_rejects_with_a_comment_and_then_approves(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    human = ScriptedHuman(["reject: 1 is no prime", "", "Approve"])
    with human, IOStream.set_default(human):
        names = run("review_approve_reject", ["version 1", "version 2", "version 2, again"])
    result = names["result"]
    assert texts(result.chat_history) == [
        "Write a function that says whether n is prime.",
        "version 1",
        "reject: 1 is no prime",
        "version 2",
        "Please show it again.",
        "version 2, again",
        "Approve",
    ]
    assert result.stop_reason == "termination"
    assert result.human_input == ["reject: 1 is no prime", "", "Approve"]
    assert "Approved after 1 rejections:\nversion 2, again" in capsys.readouterr().out


def test_person_is_asked_as_the_mode_says(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    human = ScriptedHuman(["Really?", "", "exit"])
    with human, IOStream.set_default(human):
        run("human_modes", lambda request: "Salt comes from rocks. TERMINATE")
    assert len(human.prompts) == 3
    assert capsys.readouterr().out.splitlines() == [
        "NEVER: 0 answers of a person, ended by termination",
        "TERMINATE: 2 answers of a person, ended by termination",
        "ALWAYS: 1 answers of a person, ended by human_exit",
    ]


def _quick_players() -> Callable[[Any], Any]:
    """Players who make the first move of the list."""

    def model(request: Any) -> Any:
        if request.messages[-1]["role"] != "tool":
            return call("get_legal_moves")
        text = request.last_text
        return "Done." if text.startswith("Moved") else call("make_move", move=text[:4])

    return model
