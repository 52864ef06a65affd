"""Groups of agents: rows."""

from ..rows import better, same

TITLE = "Groups"

ROWS = [
    better(
        "group:views:delivered",
        "Every list of members and manager holds what real deliveries would have put there.",
        why="each message was copied once per member",
    ),
    same("group:views:many", "So it does with 64 members and 200 messages."),
    same("group:views:roles", "Members see their own lines as assistant, those of others as user."),
    same("group:views:live", "Members, histories and lists may be changed while a group talks."),
    same("group:members:foreign", "Any object with the methods of an agent can be a member."),
    same("group:members:shared", "An agent may be in several groups."),
    same("group:members:same-name", "Members of the same name are distinct."),
    same("group:members:nested", "A manager can be a member; a group can run inside a turn."),
    same("group:fields:defaults", "The fields, their order and defaults are those of 0.2."),
    same("group:fields:refused", "A field that can't work raises ValueError, with the 0.2 texts."),
    same("group:graph:refused", "Transitions that can't work raise ValueError."),
    same("group:graph:odd", "Isolated, doubled and unknown agents in transitions are logged."),
    same("group:graph:derived", "allowed_speaker_transitions_dict says who may follow whom."),
    same("group:methods:append", "append sets name and text content of the message it is given."),
    same("group:methods:by-name", "agent_by_name and nested_agents look into inner groups."),
    same("group:methods:next", "next_agent goes round the order among those given."),
    same("group:methods:texts", "The texts for the model list names and descriptions."),
    same("group:methods:pick", "random_select_speaker picks among those given."),
    same("group:manager:tools", "A manager with tools or functions raises the 0.2 ValueError."),
    same("group:manager:properties", "A manager has groupchat and last_speaker; reset empties."),
    same("group:run:rounds", "max_round counts every recorded message, the opening one too."),
    same("group:run:outsider", "An agent outside the group can open its chat."),
    better(
        "group:end:manager",
        "The manager's rule ends the chat after everybody heard the last message, on all faces.",
        why="async chats did not pass the last message on",
    ),
    better(
        "group:end:opening",
        "By default the word in the opening message ends nothing.",
        why="a task that mentions it ended at once",
    ),
    same("group:end:member", "A member who ends, leaves or says nothing ends the chat."),
    better(
        "group:run:human-input",
        "human_input has what people in the group said.",
        why="only the initiator's person was recorded",
    ),
    better(
        "group:run:silent",
        "silent of initiate_chat holds for the group.",
        why="a manager printed all the same",
    ),
    same("group:run:printed", "Each message is printed once, after who speaks next."),
    better(
        "group:run:introductions",
        "Introductions are told once per history and are not in the transcript.",
        why="each run told them again",
    ),
    better(
        "group:run:prepared",
        "clear_history clears the group, its members and the manager's lists.",
        why="the manager's lists of other members were kept",
    ),
    same("group:run:limit", "Members' limits of replies count in a group."),
    better(
        "group:run:cost",
        "The cost has every member and the selection of speakers.",
        why="it had the initiator and the manager only",
    ),
    same("group:run:reflection", "A reflection reads the transcript of the group."),
    better(
        "group:run:cache",
        "Members use the cache of the chat and get their own back, after errors too.",
        why="an error left it in place",
    ),
    same("group:run:interrupt", "Ctrl-C lets the admin speak; without one it goes on upwards."),
    same("group:run:direct", "run_chat can be called by a program."),
    same("group:run:override", "run_chat and select_speaker can be overridden."),
    better(
        "group:run:events",
        "Who speaks next is an event.",
        why="it was printed only",
    ),
    same("group:run:max-turns", "max_turns counts the messages of the initiator's side."),
    same("group:clear:forms", "A person's clear history [agent] [number] forgets what it says."),
    same("group:clear:calls", "With results of calls at least the call is kept."),
]
