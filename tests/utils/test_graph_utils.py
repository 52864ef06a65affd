"""Transition graphs."""

from __future__ import annotations

import logging
import sys

import pytest
from tests.compat.requirements import requirement

from autogen import ConversableAgent
from autogen.errors import AutogenError
from autogen.graph_utils import (
    check_graph_validity,
    has_self_loops,
    invert_disallowed_to_allowed,
    visualize_speaker_transitions_dict,
)


@pytest.fixture
def agents() -> list[ConversableAgent]:
    return [ConversableAgent(name, llm_config=False) for name in ("a", "b", "c")]


def test_good_graph_says_nothing(agents, caplog):
    a, b, c = agents
    check_graph_validity({a: [b], b: [c], c: [a]}, agents)
    assert caplog.text == ""


@requirement("graph:valid")
def test_graph_must_be_a_dict(agents):
    with pytest.raises(ValueError, match="are a list; they must be a dict"):
        check_graph_validity([agents[0]], agents)


@requirement("graph:valid")
def test_values_must_be_lists(agents):
    a, b, _ = agents
    with pytest.raises(ValueError, match="of 'a' are a ConversableAgent"):
        check_graph_validity({a: b}, agents)


@requirement("graph:valid")
def test_keys_must_be_members(agents):
    stranger = ConversableAgent("stranger", llm_config=False)
    with pytest.raises(ValueError, match="'stranger', who is not in the group"):
        check_graph_validity({stranger: [agents[0]]}, agents)


@requirement("graph:valid")
def test_elements_must_be_agents(agents):
    a, b, _ = agents
    with pytest.raises(ValueError, match="of 'a' hold 'b', which is not an agent"):
        check_graph_validity({a: [b, "b"]}, agents)


@requirement("graph:warned")
def test_oddities_are_logged(agents, caplog):
    a, b, _ = agents
    stranger = ConversableAgent("stranger", llm_config=False)
    with caplog.at_level(logging.WARNING, "autogen"):
        check_graph_validity({a: [b, b, stranger], b: [a]}, agents)
    assert "The agent 'c' is isolated" in caplog.text
    assert "do not name these agents: 'c'" in caplog.text
    assert "outside the group: 'stranger'" in caplog.text
    assert "After 'a' these agents are listed twice: 'b'" in caplog.text


@requirement("graph:loops")
def test_self_loops_are_seen(agents):
    a, b, _ = agents
    assert has_self_loops({a: [b], b: [b]})
    assert not has_self_loops({a: [b], b: [a]})


@requirement("graph:invert")
def test_what_is_not_disallowed_is_allowed(agents):
    a, b, c = agents
    assert invert_disallowed_to_allowed({a: [b, a], b: []}, agents) == {
        a: [c],
        b: [a, b, c],
        c: [a, b, c],
    }


def test_drawing_without_its_packages_says_what_to_install(agents, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    monkeypatch.setitem(sys.modules, "networkx", None)
    with pytest.raises(AutogenError, match="pip install matplotlib networkx"):
        visualize_speaker_transitions_dict({}, agents)


@requirement("graph:drawn")
def test_graph_is_drawn_into_a_file(agents, tmp_path, require_part, monkeypatch):
    try:
        import matplotlib
        import networkx  # noqa: F401
    except ImportError as error:
        require_part("drawing", because=str(error), do="pip install matplotlib networkx")
    matplotlib.use("agg")
    a, b, _ = agents
    picture = tmp_path / "graph.png"
    visualize_speaker_transitions_dict({a: [b]}, agents, export_path=str(picture))
    assert picture.read_bytes().startswith(b"\x89PNG")
