"""Bad input: what is refused, and in which words."""

from ..rows import better, same

TITLE = "Bad input to agents and chats"

ROWS = [
    better(
        "bad:constructor",
        "A constructor argument of the wrong type raises ValueError and TypeError in one.",
        why="it failed later, inside, with an error about something else",
    ),
    better(
        "bad:recipient",
        "A recipient that is no agent is refused by name.",
        why="it raised AttributeError inside",
    ),
    same("bad:message", "A message that dict() does not take raises TypeError."),
    better(
        "bad:reply-function",
        "A reply function that gives no pair is named in the error.",
        why="it raised 'cannot unpack' without a name",
    ),
    same("bad:text", "NUL bytes and lone surrogates are said, kept and printed."),
    same("bad:model-fails", "An error of the model leaves the chat, with its history."),
    better(
        "bad:own-receive",
        "A receive that makes the reply itself works, and the chat has a stop_reason.",
        why="there was no stop_reason",
    ),
    better(
        "bad:config",
        "Usual mistakes in a configuration are told with what was found and what to write.",
        why="they failed at the first call, in the words of other packages, or not at all",
    ),
    better(
        "bad:service",
        "An error of a model service says which service and model, what happened, what to do.",
        why="it said the status and the body",
    ),
    better(
        "bad:hook",
        "A hook that raises ends the chat with its own error, which carries the history.",
        why="the history was lost",
    ),
    better(
        "bad:hook:none",
        "A hook that gives None is named, with what it must return.",
        why="None was sent or answered, or the chain failed at it",
    ),
    same("bad:duck", "Anything that sends and receives can take part."),
]
