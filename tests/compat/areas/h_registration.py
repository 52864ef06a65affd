"""Registering functions, and chats inside a reply."""

from ..rows import better, same

TITLE = "Registering functions and nested chats"

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
    same("nested:summary", "The reply is the summary of the last nested chat."),
    same("nested:message", "The first chat without a message passes on the last one heard."),
    same("nested:callable", "A function as message gets recipient, messages, sender, config."),
    same("nested:empty", "Without any message left the reply is a final None."),
    same("nested:own-reply", "A reply function of the user's runs the queue itself."),
    same("nested:own-reply:wrong", "One that cannot be called raises ValueError."),
    same("nested:async", "use_async wants chat ids, and is left out of sync chats."),
]
