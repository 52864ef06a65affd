"""Many chats beside each other in one event loop, with a tool that is a coroutine."""

import asyncio
from typing import Annotated

from autogen import AssistantAgent, UserProxyAgent, config_list_from_json

llm_config = {"config_list": config_list_from_json("OAI_CONFIG_LIST"), "cache_seed": None}
CITIES = ["Oslo", "Lima", "Hanoi", "Accra", "Quito"]


async def ask(city: str):
    assistant = AssistantAgent(
        f"guide_to_{city}",
        system_message="Use your tool, answer in one sentence, and end with TERMINATE.",
        llm_config=llm_config,
    )
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False)

    @user.register_for_execution()
    @assistant.register_for_llm(description="The weather in a city.")
    async def weather(city: Annotated[str, "Name of the city"]) -> str:
        await asyncio.sleep(0)  # a real one would ask a service here
        return f"sunny in {city}"

    return await user.a_initiate_chat(assistant, message=f"Do I need a coat in {city}?")


async def main():
    return await asyncio.gather(*(ask(city) for city in CITIES))


results = asyncio.run(main())
for city, result in zip(CITIES, results, strict=True):
    print(f"{city}: {result.summary}")
