"""Two agents: one writes code, the other runs it and tells what happened, until it works."""

from autogen import AssistantAgent, UserProxyAgent, config_list_from_json

config_list = config_list_from_json("OAI_CONFIG_LIST")

assistant = AssistantAgent(
    name="assistant",
    llm_config={"config_list": config_list, "cache_seed": 42, "temperature": 0},
)
user_proxy = UserProxyAgent(
    name="user_proxy",
    human_input_mode="NEVER",
    max_consecutive_auto_reply=10,
    is_termination_msg=lambda msg: msg.get("content", "").rstrip().endswith("TERMINATE"),
    code_execution_config={"work_dir": "coding", "use_docker": False},
)

result = user_proxy.initiate_chat(
    assistant,
    message="Simulate 100 throws of two dice, and save how often each sum came to sums.csv.",
    summary_method="reflection_with_llm",
)

print("It ended because of:", result.stop_reason)
print("Files:", [file.name for file in result.artifacts])
print("Summary:", result.summary)
