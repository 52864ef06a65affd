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
]
