"""Nested chats: before it answers the writer, an agent talks with a critic in private."""

from autogen import AssistantAgent, UserProxyAgent, config_list_from_json

llm_config = {"config_list": config_list_from_json("OAI_CONFIG_LIST"), "cache_seed": None}

writer = AssistantAgent(
    "writer",
    system_message="You write short posts, and improve them by the feedback you get. "
    "Answer with the post alone.",
    llm_config=llm_config,
)
client = UserProxyAgent(
    "client",
    human_input_mode="NEVER",
    is_termination_msg=lambda msg: "TERMINATE" in msg.get("content", ""),
    code_execution_config=False,
)
critic = AssistantAgent(
    "critic",
    system_message="You say in two sentences how a text could be better.",
    llm_config=llm_config,
)
lawyer = AssistantAgent(
    "lawyer",
    system_message="You say in one sentence whether a text promises what nobody can keep.",
    llm_config=llm_config,
)


def request_for_critique(recipient, messages, sender, config):
    """The first message of each private chat."""
    return f"What do you say to this text?\n\n{messages[-1]['content']}"


def both_opinions(sender, recipient, summary_args):
    """What the writer gets to read: the opinion of each."""
    opinions = {one.name: one.last_message(sender)["content"] for one in (critic, lawyer)}
    return "\n".join(f"{name}: {opinion}" for name, opinion in opinions.items())


client.register_nested_chats(
    [
        {"recipient": critic, "message": request_for_critique, "max_turns": 1},
        {
            "recipient": lawyer,
            "message": request_for_critique,
            "max_turns": 1,
            "summary_method": both_opinions,
        },
    ],
    trigger=writer,
)

result = client.initiate_chat(
    writer, message="Write a post of 20 words about our new tea.", max_turns=2
)
print(result.summary)
