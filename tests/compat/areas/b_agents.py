"""Agents: what the constructors take, and what the attributes and simple methods say."""

from ..rows import better, same

TITLE = "Agents"

ROWS = [
    same("agent:defaults", "Every constructor parameter has the 0.2 default."),
    same("agent:positions", "Positional arguments stand in the 0.2 order in all three classes."),
    same("agent:methods", "The methods take the 0.2 arguments under their names, in their order."),
    same("agent:class-attributes", "Subclasses set defaults through the 0.2 class attributes."),
    same("agent:description", "The description is the system message as it was at construction."),
    same("agent:assistant", "An assistant asks nobody, runs no code, and knows when to stop."),
    same("agent:user-proxy", "A user proxy asks at every message and runs code."),
    same("agent:user-proxy:description", "Its description goes with its human_input_mode."),
    same("agent:function-names", "Function names that a model could not call raise ValueError."),
    same("agent:code-config:none", "code_execution_config=None warns and means {}."),
    same("agent:code-config:bad", "code_execution_config of another type raises ValueError."),
    same("agent:code-config:copied", "The code_execution_config is copied one level deep."),
    same("agent:llm-config:no-model", "An llm_config without a model raises the 0.2 ValueError."),
    same("agent:llm-config:no-dict", "An llm_config that is no dict raises AssertionError."),
    better(
        "agent:llm-config:shared",
        "llm_config is copied one level deep; clients and functions in it are shared.",
        why="values that cannot be deep-copied, such as HTTP clients, needed a __deepcopy__",
    ),
    better(
        "agent:bad-arguments",
        "An unknown human_input_mode and an end rule that is no function are refused.",
        why="they were noticed in the middle of a chat, or never",
    ),
    same("agent:system-message", "update_system_message changes what the model is told first."),
    same("agent:last-message", "last_message without an agent wants a single conversation."),
    same("agent:reply-limits", "Limits of replies are kept for everybody and by sender."),
    same("agent:counters", "Counters and flags are reset for one sender or for all."),
    same("agent:clear-history", "clear_history forgets one conversation or all of them."),
    same("agent:clear-history:preserve", "It can keep the newest messages, tool pairs whole."),
    same("agent:reset", "reset clears histories, counters, flags, usage and reply configs."),
    same("agent:functions", "function_map and can_execute_function tell what can be called."),
    same("agent:register-function", "register_function adds, overrides with a warning, removes."),
    same("agent:no-client", "Without a model there is no client, no usage and no cost."),
    same("agent:private-names", "The private names that subclasses touch are there."),
    same(
        "agent:subclass-methods",
        "Summaries, carryover and the steps before a reply are methods to call and override.",
    ),
    same(
        "agent:subclass-model",
        "_generate_oai_reply_from_client is how a model is asked, for replies and summaries; "
        "what overrides it is called.",
    ),
    same("agent:subclass-names", "Helpers that overrides call are there: names, carryover, texts."),
    same("agent:subclass-send", "_process_message_before_send can be called and overridden."),
    same("agent:json-text", "_format_json_str escapes line breaks inside of texts."),
    better(
        "agent:copied",
        "Agents and groups can be deep-copied; models, executors and functions are shared.",
        why="an agent with a model could not be copied",
    ),
    same("utils:chat-info", "consolidate_chat_info checks entries of chats."),
    same("utils:tags", "parse_tags_from_content finds tags and their attributes."),
    same("agent:mocks", "Mocks stand in for clients, executors, people, functions and methods."),
    same("agent:protocol", "Agents satisfy the Agent and LLMAgent protocols."),
    same("agent:protocol:group", "Whatever has the methods of Agent may be a member of a group."),
]
