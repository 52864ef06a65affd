"""What a logger of runs is: the class that loggers of your own extend."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

__all__ = ["BaseLogger"]


class BaseLogger(ABC):
    """Gets everything that `autogen.runtime_logging` is told, in the thread that says it.

    What it raises reaches the chat, so a logger that may fail catches its own errors.
    """

    @abstractmethod
    def start(self) -> str:
        """Begin a session; its id."""

    @abstractmethod
    def log_chat_completion(
        self,
        invocation_id: str,
        client_id: int,
        wrapper_id: int,
        source: Any,
        request: Mapping[str, Any],
        response: Any,
        is_cached: int,
        cost: float,
        start_time: str,
    ) -> None:
        """A model was asked.

        Args:
            invocation_id: Of this request.
            client_id: Of the config entry that answered.
            wrapper_id: Of the wrapper that asked.
            source: The agent, or its name.
            request: What was asked.
            response: The answer, or a text that says what went wrong.
            is_cached: 1 if it came from a cache.
            cost: US dollars.
            start_time: UTC, as `logger_utils.get_current_ts` writes it.
        """

    @abstractmethod
    def log_new_agent(self, agent: Any, init_args: Mapping[str, Any]) -> None:
        """An agent was made."""

    @abstractmethod
    def log_event(self, source: Any, name: str, **kwargs: Any) -> None:
        """Something happened to `source`, an agent or the name of one."""

    @abstractmethod
    def log_new_wrapper(self, wrapper: Any, init_args: Mapping[str, Any]) -> None:
        """An `OpenAIWrapper` was made."""

    @abstractmethod
    def log_new_client(self, client: Any, wrapper: Any, init_args: Mapping[str, Any]) -> None:
        """A client of a wrapper was made."""

    @abstractmethod
    def log_function_use(
        self, source: Any, function: Any, args: Mapping[str, Any], returns: Any
    ) -> None:
        """`source` called a function; `function` is the function or its name."""

    @abstractmethod
    def stop(self) -> None:
        """End the session and close what is open."""

    @abstractmethod
    def get_connection(self) -> Any:
        """The connection to the database; None where there is none."""
