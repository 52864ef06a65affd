"""The first program of many: a coding assistant, and a user that runs what it writes."""

import os

from autogen import AssistantAgent, UserProxyAgent

llm_config = {
    "model": "gpt-4o-mini",
    "temperature": 0,
    "api_key": os.environ["OPENAI_API_KEY"],
}

assistant = AssistantAgent(
    name="coding_assistant",
    llm_config=llm_config,
    system_message="You write clean Python in fenced blocks. When the output is right, "
    "answer with TERMINATE.",
)
user = UserProxyAgent(
    name="user",
    human_input_mode="NEVER",
    code_execution_config={"work_dir": "workspace", "use_docker": False},
    max_consecutive_auto_reply=5,
)

result = user.initiate_chat(
    assistant, message="Write a function for Fibonacci numbers and print the first ten."
)
print(result.stop_reason)
