"""Agent cards: how clients of A2A find out what a team does, and where it answers."""

from __future__ import annotations

from a2a.types.a2a_pb2 import (
    AgentCapabilities,
    AgentCard,
    AgentInterface,
    AgentSkill,
    HTTPAuthSecurityScheme,
    SecurityRequirement,
    SecurityScheme,
    StringList,
)
from a2a.utils.constants import PROTOCOL_VERSION_CURRENT, TransportProtocol

from ..._version import __version__
from ..common import Parts

__all__ = ["card_of"]

_TEXT = ["text/plain"]


def card_of(parts: Parts, base_url: str, team: str | None) -> AgentCard:
    """The card of a team, or of the server with all teams as skills.

    Args:
        parts: Of the service.
        base_url: Under which the server was asked, with a slash at its end.
        team: Name of the team, or None.
    """
    names = sorted(parts.teams) if team is None else [team]
    skills = []
    for name in names:
        words = parts.teams[name].description or f"The team {name}."
        skills.append(AgentSkill(id=name, name=name, description=words, tags=["team"]))
    path = "a2a" if team is None else f"a2a/{team}"
    interface = AgentInterface(
        url=base_url + path,
        protocol_binding=TransportProtocol.JSONRPC.value,
        protocol_version=PROTOCOL_VERSION_CURRENT,
    )
    words = "Teams of agents; name one as 'team' in the metadata of a message."
    return AgentCard(
        name=team or "autogen",
        description=words if team is None else skills[0].description,
        version=__version__,
        supported_interfaces=[interface],
        capabilities=AgentCapabilities(streaming=True),
        default_input_modes=_TEXT,
        default_output_modes=_TEXT,
        skills=skills,
        security_schemes={
            "bearer": SecurityScheme(
                http_auth_security_scheme=HTTPAuthSecurityScheme(scheme="Bearer")
            )
        },
        security_requirements=[SecurityRequirement(schemes={"bearer": StringList()})],
    )
