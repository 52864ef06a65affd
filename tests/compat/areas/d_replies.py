"""Sending, receiving, and the chain of functions that make a reply."""

from ..rows import better, same

TITLE = "Sending and replying"

ROWS = [
    same("send:request-reply", "request_reply decides; None leaves it to reply_at_receive."),
    same("send:exchange", "send returns when the exchange it began has ended."),
    same("send:silent", "An agent's silent attribute wins over the argument, for what it says."),
    same("send:printed", "A message is printed with its sender and receiver, calls included."),
    same("send:override", "send and receive can be overridden in either flavour, calling super."),
    same("send:private-overrides", "The private steps of receiving can be overridden too."),
    same("reply:one-shot", "generate_reply(messages) answers without a sender and keeps nothing."),
    better(
        "reply:one-shot:no-limit",
        "Replies without a sender do not count towards the limit of replies.",
        why="every 101st one-shot was None",
    ),
    same("reply:nothing-given", "Neither messages nor sender raises the 0.2 AssertionError."),
    same("reply:default", "Where nothing answers, the reply is default_auto_reply."),
    same("reply:order", "Functions are asked from position 0; the first final answer counts."),
    same("reply:position-two", "Position 2 is right after the human check."),
    same("reply:arguments", "A reply function gets messages, sender and config by name."),
    same("reply:final-none", "A final None ends the exchange."),
    same("reply:exclude", "exclude leaves functions out, whichever of their two names it holds."),
    same("reply:triggers", "Triggers are classes, agents, names, functions, and lists of these."),
    same("reply:trigger:none", "None in a list matches a call without sender."),
    same("reply:trigger:wrong", "Another trigger raises ValueError; no bool, AssertionError."),
    same("reply:trigger:sender", "A name as trigger without a sender raises SenderRequired."),
    same("reply:config", "Each row has a copy of its config; reset brings the first one back."),
    same("reply:remove-others", "remove_other_reply_funcs leaves the new function alone."),
    same("reply:replace", "replace_reply_func swaps a function in place."),
    better(
        "reply:replace:faces",
        "Replacing a built-in by its sync name counts in async chats too.",
        why="async chats asked the async built-in before the replacement",
    ),
    same("reply:async", "Async chats ask plain and coroutine functions."),
    same("reply:async:refused", "A sync chat refuses async-only reply functions by name."),
    same("reply:async:ignored", "It leaves out those registered to be left out."),
    better(
        "reply:once",
        "Each built-in is asked once per reply, in async chats too.",
        why="the sync and the async twin both ran, so people were asked twice",
    ),
    same("reply:built-ins:override", "A subclass overrides built-ins by name, in one flavour."),
    same("reply:built-ins:list", "The rows are the built-ins in the 0.2 order, async twin first."),
    same("reply:code-row", "Code execution takes part only where it is enabled."),
    same("hook:last-message", "process_last_received_message changes what is answered."),
    same("hook:all-messages", "process_all_messages_before_reply changes all of it."),
    same("hook:before-send", "process_message_before_send changes what both sides keep."),
    same("hook:order", "Hooks run in order, the last-message ones before the others."),
    same("hook:names", "The six names can be registered; others raise AssertionError."),
    same("hook:duplicate", "Registering a hook twice raises AssertionError."),
    same("hook:mismatch", "A hook of the wrong flavour warns and is left out."),
    same("hook:skipped", "Last-message hooks skip calls, contexts, empty content and exit."),
    better(
        "hook:history",
        "What hooks change for a reply does not change the stored history.",
        why="the stored message was rewritten, against its documentation",
    ),
    better(
        "hook:one-flavour",
        "A hook registered in one flavour runs on both faces.",
        why="sync hooks were skipped in async chats",
    ),
]
