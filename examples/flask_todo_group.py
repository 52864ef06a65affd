"""A planner, a coder and a reviewer build a small web service; the user runs what they write."""

import os

from autogen import AssistantAgent, GroupChat, GroupChatManager, UserProxyAgent

llm_config = {"model": "gpt-4o-mini", "api_key": os.environ["OPENAI_API_KEY"], "temperature": 0}

planner = AssistantAgent(
    name="planner",
    system_message="You split a task into at most five steps. You write no code.",
    llm_config=llm_config,
)
coder = AssistantAgent(
    name="coder",
    system_message="You write complete, tested Python in one fenced block, which saves the "
    "program as a file and checks it.",
    llm_config=llm_config,
)
reviewer = AssistantAgent(
    name="reviewer",
    system_message="You look for bugs in code that has run. If there are none, you answer "
    "APPROVED, and in a line of its own TERMINATE.",
    llm_config=llm_config,
)
user_proxy = UserProxyAgent(
    name="user_proxy",
    human_input_mode="NEVER",
    code_execution_config={"work_dir": "todo", "use_docker": False, "last_n_messages": 1},
)


def next_speaker(last_speaker, groupchat):
    """Plan, code, run; back to the coder where it failed, else review; back to the coder again."""
    if last_speaker is user_proxy:
        if len(groupchat.messages) == 1:
            return planner
        has_run = groupchat.messages[-1]["content"].startswith("exitcode: 0")
        return reviewer if has_run else coder
    return {planner: coder, coder: user_proxy, reviewer: coder}[last_speaker]


group_chat = GroupChat(
    agents=[user_proxy, planner, coder, reviewer],
    messages=[],
    max_round=12,
    speaker_selection_method=next_speaker,
)
manager = GroupChatManager(groupchat=group_chat, llm_config=llm_config)

result = user_proxy.initiate_chat(
    manager,
    message="Build a REST service with Flask, in app.py, that keeps a list of things to do: "
    "create, read, change and delete.",
)
print("Files:", [file.name for file in result.artifacts])
