"""The exceptions of conversations, under the 0.2 name, and under those that AG2 gave them later."""

from __future__ import annotations

from .errors import (
    AgentNameConflict,
    InvalidCarryOverType,
    ModelToolNotSupportedError,
    NoEligibleSpeaker,
    SenderRequired,
    UndefinedNextAgent,
)

__all__ = [
    "AgentNameConflict",
    "AgentNameConflictError",
    "InvalidCarryOverType",
    "InvalidCarryOverTypeError",
    "ModelToolNotSupportedError",
    "NoEligibleSpeaker",
    "NoEligibleSpeakerError",
    "SenderRequired",
    "SenderRequiredError",
    "UndefinedNextAgent",
    "UndefinedNextAgentError",
]

AgentNameConflictError = AgentNameConflict
InvalidCarryOverTypeError = InvalidCarryOverType
NoEligibleSpeakerError = NoEligibleSpeaker
SenderRequiredError = SenderRequired
UndefinedNextAgentError = UndefinedNextAgent
