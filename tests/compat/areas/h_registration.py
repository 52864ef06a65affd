"""Registering functions: telling models of them, and letting agents call them."""

from ..rows import better, same

TITLE = "Registering functions"

ROWS = [
    same("register:llm", "register_for_llm adds the schema and gives the function back."),
    same("register:llm:stacked", "Name and description are inherited by outer decorators."),
    same("register:llm:no-description", "Without a description it raises the 0.2 ValueError."),
    same("register:llm:no-model", "Without a model it raises the 0.2 AssertionError."),
    same("register:llm:api-style", "api_style 'function' fills functions; another raises."),
    same("register:execution", "register_for_execution adds a wrapper that knows its origin."),
    same("register:both", "register_function tells the caller and equips the executor."),
    same("register:signature", "Signatures are added, replaced with a warning, and removed."),
    same("register:signature:wrong", "Wrong signatures raise ValueError, no model AssertionError."),
    better(
        "register:keeps-client",
        "Registering keeps the client, its usage and its own model clients.",
        why="the client was made anew and forgot them",
    ),
    same("schema:shape", "The schema has the 0.2 shape, with defaults and descriptions."),
    same("schema:missing", "Parameters without annotation and default raise the 0.2 TypeError."),
]
