"""A group as a state machine: who may speak after whom is written down as a graph."""

from autogen import (
    AssistantAgent,
    GroupChat,
    GroupChatManager,
    UserProxyAgent,
    config_list_from_json,
)

llm_config = {"config_list": config_list_from_json("OAI_CONFIG_LIST")}

customer = UserProxyAgent("customer", human_input_mode="NEVER", code_execution_config=False)
front_desk = AssistantAgent(
    "front_desk",
    system_message="You find out whether a question is about money or about technology.",
    description="Sends a question on; speaks first.",
    llm_config=llm_config,
)
billing = AssistantAgent(
    "billing",
    system_message="You answer questions about invoices.",
    description="Knows invoices.",
    llm_config=llm_config,
)
technician = AssistantAgent(
    "technician",
    system_message="You answer questions about routers.",
    description="Knows routers.",
    llm_config=llm_config,
)
closer = AssistantAgent(
    "closer",
    system_message="You sum up in one sentence what was answered and end with TERMINATE.",
    description="Closes the case.",
    llm_config=llm_config,
)

# Where only one agent may follow, no model is asked who is next.
transitions = {
    customer: [front_desk],
    front_desk: [billing, technician],
    billing: [front_desk, closer],
    technician: [front_desk, closer],
    closer: [customer],
}
group_chat = GroupChat(
    agents=[customer, front_desk, billing, technician, closer],
    messages=[],
    max_round=12,
    allowed_or_disallowed_speaker_transitions=transitions,
    speaker_transitions_type="allowed",
    send_introductions=True,
)
manager = GroupChatManager(groupchat=group_chat, llm_config=llm_config)

result = customer.initiate_chat(
    manager, message="My router restarts every hour, and I was billed twice.", max_turns=1
)

print(" -> ".join(message["name"] for message in group_chat.messages))
print(result.summary)
