"""People and ends: when a chat ends, and when a person is asked."""

from ..rows import better, same

TITLE = "People, and how a chat ends"

ROWS = [
    same("human:never:stops-at-termination", "NEVER: a message that ends the chat stops it."),
    same("human:never:stops-at-limit", "NEVER: at the limit of replies the chat stops."),
    same("human:terminate:asks", "TERMINATE: asks at an end and at the limit, not before."),
    same("human:always:asks", "ALWAYS: asks at every message, whatever the limit."),
    same("human:empty:end", "An empty answer to an ending message stops the chat."),
    same("human:empty:goes-on", "An empty answer to another message lets the agent answer."),
    same("human:answer", "Any other answer is the reply, and the count starts again."),
    same("human:limit-zero", "With limit 0 an empty answer is sent as an empty reply."),
    better(
        "human:exit",
        "exit ends the chat, in capitals and with blanks around it too.",
        why="EXIT and ' exit' were sent as ordinary replies",
    ),
    same("human:interrupted", "A person's word answers open calls with USER INTERRUPTED."),
    same("human:override", "get_human_input can be overridden in either flavour."),
    same("human:stream", "get_human_input asks the default IOStream and keeps the raw answer."),
    better(
        "human:notices",
        "After an empty answer one line says so, and whether the agent replies or the chat ends.",
        why="every reply was announced, where nobody was asked too",
    ),
    better(
        "human:record",
        "ChatResult.human_input has the answers of both sides, however they were asked.",
        why="only the initiator's were listed, and none of an overridden get_human_input",
    ),
    better(
        "end:default:last-line",
        "By default a chat ends at a message whose last line is TERMINATE, marks aside.",
        why="only the bare word matched, so default agents thanked each other 100 times",
    ),
    better(
        "end:default:suffix",
        "A user proxy takes the word at the end of any line for the end.",
        why="as above",
    ),
    better(
        "end:default:not-the-task",
        "The opening message of a chat never ends it by the default rule.",
        why="a task that mentions the word ended the chat before it began",
    ),
    better(
        "end:default:not-work",
        "The default rule waits while the message has code or calls that the agent executes.",
        why="models send the code and the word together, and the code was not run",
    ),
    same("end:own-rule", "A rule of the user's decides alone, at the opening message too."),
    better(
        "end:own-rule:content",
        "A rule of the user's sees '' where the content is None.",
        why="'TERMINATE' in message['content'] crashed on a tool call",
    ),
    better(
        "end:empty",
        "Two empty messages in a row end the chat.",
        why="two silent agents exchanged 200 empty messages",
    ),
    better(
        "end:reason",
        "stop_reason says why a chat ended.",
        why="there was no way to tell",
    ),
]
