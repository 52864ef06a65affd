"""A person reviews code: `approve` ends the chat, everything else is a wish for a better version.

Enter alone is no review: the agent then asks for one.
"""

from autogen import AssistantAgent, UserProxyAgent, config_list_from_json

coder = AssistantAgent(
    name="coder",
    system_message="You write one Python function. When a reviewer rejects it, read the comment "
    "and answer with a better version, complete.",
    llm_config={"config_list": config_list_from_json("OAI_CONFIG_LIST")},
    is_termination_msg=lambda msg: msg["content"].strip().lower() == "approve",
)
reviewer = UserProxyAgent(
    name="reviewer",
    human_input_mode="ALWAYS",
    default_auto_reply="Please show it again.",
    code_execution_config=False,
)

print("Answer with 'approve', or with 'reject: ' and what should be different.")
result = reviewer.initiate_chat(coder, message="Write a function that says whether n is prime.")

n_rejected = sum(answer.lower().startswith("reject") for answer in result.human_input)
versions = [message["content"] for message in result.chat_history if message["role"] == "user"]
verdict = "Approved" if result.stop_reason == "termination" else "Left open"
print(f"{verdict} after {n_rejected} rejections:\n{versions[-1]}")
