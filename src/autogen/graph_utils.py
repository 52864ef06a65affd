"""Transition graphs of group chats: who may speak after whom.

A graph is a dict from each agent to the list of agents that may follow it.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from .errors import AutogenError, UsageError

__all__ = [
    "check_graph_validity",
    "has_self_loops",
    "invert_disallowed_to_allowed",
    "visualize_speaker_transitions_dict",
]

logger = logging.getLogger("autogen")

_Graph = Mapping[Any, Sequence[Any]]


def has_self_loops(allowed_speaker_transitions: _Graph) -> bool:
    """Whether some agent may follow itself."""
    return any(_holds(after, agent) for agent, after in allowed_speaker_transitions.items())


def check_graph_validity(allowed_speaker_transitions_dict: Any, agents: Sequence[Any]) -> None:
    """Refuse a graph that can't be one of these agents; log what is odd about it.

    Odd are agents that nobody comes after and that come after nobody, agents on one side only of
    graph and group, and agents listed twice.

    Raises:
        UsageError: It is no dict of agents of the group to lists of agents.
    """
    check_graph_shape(allowed_speaker_transitions_dict, agents)
    _log_oddities(allowed_speaker_transitions_dict, agents)


def check_graph_shape(graph: Any, agents: Sequence[Any]) -> None:
    """Refuse what is no graph of these agents, whether it says what is allowed or what is not.

    Raises:
        UsageError: It is no dict of agents of the group to lists of agents.
    """
    if not isinstance(graph, dict):
        raise UsageError(
            f"the speaker transitions are a {type(graph).__name__}; they must be a dict of agent "
            "to list of agents."
        )
    for agent, after in graph.items():
        if not isinstance(after, list):
            raise UsageError(
                f"the speaker transitions of {_name(agent)} are a {type(after).__name__}; they "
                "must be a list of agents."
            )
    for agent in graph:
        if not _holds(agents, agent):
            raise UsageError(
                f"the speaker transitions name {_name(agent)}, who is not in the group; keys must "
                "be agents of the group."
            )
    for agent, after in graph.items():
        for other in after:
            if not _is_agent(other):
                raise UsageError(
                    f"the speaker transitions of {_name(agent)} hold {other!r}, which is not an "
                    "agent."
                )


def _log_oddities(graph: _Graph, agents: Sequence[Any]) -> None:
    reached = [agent for after in graph.values() for agent in after]
    named = [*graph, *reached]
    for agent in agents:
        if not graph.get(agent) and not _holds(reached, agent):
            logger.warning(
                "The agent %s is isolated: nobody comes after it and it comes after nobody.",
                _name(agent),
            )
    left_out = _names(agent for agent in agents if not _holds(named, agent))
    if left_out:
        logger.warning("The speaker transitions do not name these agents: %s.", left_out)
    strangers = _names(agent for agent in reached if not _holds(agents, agent))
    if strangers:
        logger.warning("The speaker transitions name agents outside the group: %s.", strangers)
    for agent, after in graph.items():
        twice = _names(a for i, a in enumerate(after) if _holds(after[:i], a))
        if twice:
            logger.warning("After %s these agents are listed twice: %s.", _name(agent), twice)


def invert_disallowed_to_allowed(
    disallowed_speaker_transitions_dict: _Graph, agents: Sequence[Any]
) -> dict[Any, list[Any]]:
    """The graph that allows everything, an agent after itself included, except these transitions.

    Args:
        disallowed_speaker_transitions_dict: Agent to the agents that may not follow it.
        agents: All agents of the group; the lists come in their order.
    """
    return {
        agent: [
            other
            for other in agents
            if not _holds(disallowed_speaker_transitions_dict.get(agent, ()), other)
        ]
        for agent in agents
    }


def visualize_speaker_transitions_dict(
    speaker_transitions_dict: _Graph, agents: Sequence[Any], export_path: str | None = None
) -> None:
    """Draw the graph: on screen, or into a file.

    Args:
        speaker_transitions_dict: The graph.
        agents: All agents of the group.
        export_path: The picture's path; its ending says the format. None shows it instead.

    Raises:
        AutogenError: matplotlib or networkx is not installed.
    """
    try:
        plt = importlib.import_module("matplotlib.pyplot")
        nx = importlib.import_module("networkx")
    except ImportError as error:
        raise AutogenError(
            "Drawing speaker transitions needs matplotlib and networkx: "
            "pip install matplotlib networkx"
        ) from error
    drawn = nx.DiGraph()
    drawn.add_nodes_from(agent.name for agent in agents)
    drawn.add_edges_from(
        (agent.name, other.name)
        for agent, after in speaker_transitions_dict.items()
        for other in after
    )
    figure, axes = plt.subplots(figsize=(12, 10))
    places = nx.spring_layout(drawn, seed=0)
    nx.draw_networkx(drawn, places, ax=axes, node_color="lightsteelblue", node_size=2500)
    axes.set_axis_off()
    if export_path is None:
        plt.show()
    else:
        figure.savefig(export_path)
    plt.close(figure)


def _holds(agents: Sequence[Any], agent: Any) -> bool:
    # By identity first, as lists do; agents may define what equal means.
    return any(one is agent or one == agent for one in agents)


def _is_agent(value: Any) -> bool:
    return hasattr(value, "name") and hasattr(value, "generate_reply")


def _name(agent: Any) -> str:
    return repr(getattr(agent, "name", agent))


def _names(agents: Any) -> str:
    return ", ".join(dict.fromkeys(_name(agent) for agent in agents))
