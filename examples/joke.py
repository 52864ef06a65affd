"""One agent, one answer: `generate_reply` without a chat, and a cache that gives it again."""

import os

from autogen import ConversableAgent

agent = ConversableAgent(
    "comedian",
    system_message="You tell very short jokes.",
    llm_config={
        "config_list": [{"model": "gpt-4o-mini", "api_key": os.environ["OPENAI_API_KEY"]}],
        "cache_seed": 41,  # answers are kept in .cache/41; None keeps none
        "temperature": 0.7,
    },
    code_execution_config=False,
    human_input_mode="NEVER",
)

question = [{"role": "user", "content": "Tell me a joke about a lighthouse."}]
reply = agent.generate_reply(messages=question)
again = agent.generate_reply(messages=question)  # from the cache, for nothing

print(reply)
agent.print_usage_summary()
