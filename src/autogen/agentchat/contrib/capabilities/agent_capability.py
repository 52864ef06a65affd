"""`AgentCapability`: something that can be added to an agent after it was made."""

from __future__ import annotations

from typing import Any

__all__ = ["AgentCapability"]


class AgentCapability:
    """The base of capabilities: subclasses say in `add_to_agent` what they give an agent."""

    def add_to_agent(self, agent: Any) -> None:
        """Give this capability to `agent`.

        Raises:
            NotImplementedError: The subclass does not say how.
        """
        raise NotImplementedError(f"{type(self).__name__} must define add_to_agent(agent).")
