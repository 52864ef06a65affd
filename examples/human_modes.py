"""When a person is asked: ALWAYS at every message, TERMINATE at the end of a task, NEVER."""

from autogen import AssistantAgent, UserProxyAgent, config_list_from_json

assistant = AssistantAgent(
    "assistant",
    system_message="You answer in one sentence, and end with TERMINATE.",
    llm_config={"config_list": config_list_from_json("OAI_CONFIG_LIST"), "cache_seed": None},
)

results = {}
for mode in ("NEVER", "TERMINATE", "ALWAYS"):
    # At a question, Enter alone lets the agent go on by itself, and `exit` ends the chat.
    user = UserProxyAgent("user", human_input_mode=mode, code_execution_config=False)
    results[mode] = user.initiate_chat(assistant, message="Why is the sea salty?")

for mode, result in results.items():
    print(f"{mode}: {len(result.human_input)} answers of a person, ended by {result.stop_reason}")
