"""Chats with prerequisites: each starts as soon as those it waits for have ended."""

import asyncio

from autogen import AssistantAgent, UserProxyAgent, config_list_from_json

llm_config = {"config_list": config_list_from_json("OAI_CONFIG_LIST")}


def expert(name: str, task: str) -> AssistantAgent:
    return AssistantAgent(name, system_message=task, llm_config=llm_config)


traveller = UserProxyAgent("traveller", human_input_mode="NEVER", code_execution_config=False)
queue = [
    {
        "chat_id": 1,
        "recipient": expert("weather", "You know the climate of every country."),
        "message": "What is the weather like in Iceland in May?",
        "max_turns": 1,
    },
    {
        "chat_id": 2,
        "recipient": expert("sights", "You know what is worth seeing."),
        "message": "Name three sights of Iceland.",
        "max_turns": 1,
    },
    {
        "chat_id": 3,
        "prerequisites": [1, 2],
        "recipient": expert("planner", "You plan journeys, a line per day."),
        "message": "Plan three days in Iceland.",
        "max_turns": 1,
    },
    {
        "chat_id": 4,
        "prerequisites": [3],
        "recipient": expert("packer", "You write packing lists."),
        "message": "What do I have to pack for this journey?",
        "max_turns": 1,
    },
]

results = asyncio.run(traveller.a_initiate_chats(queue))
for chat_id, result in results.items():
    print(f"{chat_id}. {result.summary}")
