"""A group: the model chooses who speaks; a coder writes, a terminal runs, a critic gives marks."""

import autogen

config_list = autogen.config_list_from_json("OAI_CONFIG_LIST")
llm_config = {"config_list": config_list, "cache_seed": 42}

user_proxy = autogen.UserProxyAgent(
    name="User_proxy",
    system_message="A human admin, and the terminal that runs code.",
    code_execution_config={"last_n_messages": 3, "work_dir": "groupchat", "use_docker": False},
    human_input_mode="NEVER",
)
coder = autogen.AssistantAgent(name="Coder", llm_config=llm_config)
critic = autogen.AssistantAgent(
    name="Critic",
    system_message="""You judge charts and the code that draws them. Give a mark from 1 to 10 for
    each of: correct data, fitting kind of chart, labels, looks. Say what has to change; write no
    code. When every mark is 8 or more, end with a
    line that says TERMINATE.""",
    description="Judges a chart after the code has run.",
    llm_config=llm_config,
)

groupchat = autogen.GroupChat(agents=[user_proxy, coder, critic], messages=[], max_round=12)
manager = autogen.GroupChatManager(groupchat=groupchat, llm_config=llm_config)

result = user_proxy.initiate_chat(
    manager,
    message="Draw the share of each planet in the mass of all planets as chart.svg, "
    "with no library.",
)

for message in groupchat.messages:
    print(message["name"], "said", len(message["content"]), "characters")
print("It ended because of:", result.stop_reason)
