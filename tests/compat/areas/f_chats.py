"""Chats: how they begin, what they cost, and what is left of them."""

from ..rows import better, same

TITLE = "Chats"

ROWS = [
    same("chat:result", "ChatResult has the 0.2 fields."),
    same("chat:max-turns", "max_turns=n is n messages of the initiator, each with its answer."),
    better(
        "chat:max-turns:stop",
        "With max_turns too the chat ends when the other side stops.",
        why="the initiator went on alone",
    ),
    better(
        "chat:max-turns:bad",
        "A max_turns that is no whole number from 1 on raises ValueError.",
        why="0 sent nothing and a text failed inside",
    ),
    same("chat:message:none", "Without a message a person is asked for it, with the prompt >."),
    same("chat:message:callable", "A function as message gets sender, recipient and context."),
    same("chat:message:dict", "A dict as message is not changed."),
    same("chat:context", "Further keywords of any name are context for the first message."),
    same("chat:init-message:override", "generate_init_message can be overridden."),
    same("chat:carryover", "Carryover stands behind the message, after the 0.2 heading."),
    same("chat:carryover:list", "A list of it is joined by newlines; messages give their content."),
    same("chat:carryover:parts", "Before content in parts it is a text part."),
    same("chat:carryover:callable", "What a message function makes gets no carryover."),
    same("chat:carryover:bad", "Carryover of another type raises InvalidCarryOverType."),
    same("chat:history:cleared", "clear_history forgets what both sides said before, or keeps it."),
    same("chat:prepared", "A chat begins with counters at 0 on both sides."),
    better(
        "chat:history:snapshot",
        "chat_history is a copy; later chats do not change it.",
        why="it was the live list",
    ),
    better(
        "chat:cache",
        "Both agents use the cache of the chat, and get theirs back however it ends.",
        why="it stayed after an exception",
    ),
    same("chat:cache:answers", "With a cache the same question is answered once."),
    better(
        "chat:error",
        "Every exception that leaves a chat has the chat so far as .chat_result.",
        why="the history was lost",
    ),
    better(
        "chat:interrupt",
        "Ctrl-C too; both agents can be used again.",
        why="interrupted chats left agents half prepared",
    ),
    better(
        "chat:same-pair",
        "A second chat of the same two agents at the same time raises ValueError.",
        why="both wrote into one history",
    ),
    better(
        "chat:two-at-once",
        "One agent may be in several chats at once with different partners.",
        why="the limits of one chat counted in others",
    ),
    better(
        "chat:long",
        "A chat of 100,000 messages needs no more stack than one of two.",
        why="RecursionError after 494 messages",
    ),
    same("summary:last-msg", "By default the summary is the last message without TERMINATE."),
    same("summary:last-msg:parts", "Texts of content in parts are joined by newlines."),
    same("summary:last-msg:missing", "Where there is none, it warns and is empty."),
    same("summary:none", "None as method gives an empty summary."),
    same("summary:reflection", "A model reads the transcript and a prompt, and nothing else."),
    same("summary:reflection:client", "It is the recipient's, else the initiator's."),
    same("summary:reflection:args", "Prompt and role can be chosen; wrong ones raise ValueError."),
    same("summary:reflection:refused", "A request the service refuses warns and gives ''."),
    same("summary:callable", "A function gets sender, recipient and the arguments."),
    better(
        "summary:class",
        "A subclass sets the method and the prompt that its summaries have by default.",
        why="those of ConversableAgent were used, whatever a subclass said",
    ),
    same("summary:bad", "Another method, or no model to reflect, raises AssertionError at once."),
    better(
        "summary:args",
        "summary_args is not changed.",
        why="the chat's cache was written into it, and into the default",
    ),
    better(
        "cost:chat",
        "cost is what this chat used, everything that ran inside it included.",
        why="it counted since the agents were made, and left out what ran inside",
    ),
    better(
        "cost:pair",
        "cost answers as the 0.2 dict and as a pair.",
        why="documents described a pair and the code gave a dict",
    ),
    better(
        "cost:unpriced",
        "A model without a known price counts 0, warns once, and is named in cost.unpriced.",
        why="an unknown price looked like a free model",
    ),
    same("usage:agents", "gather_usage_summary adds up agents over all their chats."),
    better(
        "run:timeout",
        "RunOptions(timeout_s=) ends a chat, its history kept.",
        why="there was no limit of time",
    ),
    better(
        "run:cancel",
        "A CancelToken ends a chat from any thread, in the middle of a model call too.",
        why="there was no way to stop a chat",
    ),
    better(
        "run:sinks",
        "Sinks get typed events in order.",
        why="there was only text on a terminal",
    ),
    better(
        "run:ambient",
        "autogen.options holds for every chat inside its block.",
        why="options went through every call, or not at all",
    ),
]
