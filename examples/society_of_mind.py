"""A society of mind: one agent to others, inside a whole group that talks it over."""

from autogen import (
    AssistantAgent,
    GroupChat,
    GroupChatManager,
    UserProxyAgent,
    config_list_from_json,
)
from autogen.agentchat.contrib.society_of_mind_agent import SocietyOfMindAgent

llm_config = {"config_list": config_list_from_json("OAI_CONFIG_LIST"), "cache_seed": None}

optimist = AssistantAgent(
    "optimist", system_message="You say what speaks for an idea.", llm_config=llm_config
)
skeptic = AssistantAgent(
    "skeptic",
    system_message="You say what speaks against an idea. When all is said, end with TERMINATE.",
    llm_config=llm_config,
)
group_chat = GroupChat(
    agents=[optimist, skeptic], messages=[], max_round=6, speaker_selection_method="round_robin"
)
manager = GroupChatManager(
    groupchat=group_chat,
    llm_config=llm_config,
    is_termination_msg=lambda msg: "TERMINATE" in msg["content"],
)

adviser = SocietyOfMindAgent("adviser", chat_manager=manager, llm_config=llm_config)
user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False)

result = user.initiate_chat(adviser, message="Should we sell tea by the cup?", max_turns=1)

print(result.summary)
print("Cost, the inner talk included:", result.cost.total)
