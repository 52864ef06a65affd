"""Questions about documents: the passages that fit are put before the question."""

from pathlib import Path

from autogen import AssistantAgent, config_list_from_json
from autogen.agentchat.contrib.retrieve_user_proxy_agent import RetrieveUserProxyAgent

HANDBOOK = {
    "opening.md": "# Opening\n\nThe lighthouse opens at nine. On Mondays it is closed.",
    "lamp.md": "# Lamp\n\nThe lamp is changed every 400 days, by two keepers.",
    "stairs.md": "# Stairs\n\n199 steps lead to the gallery; there is no lift.",
}
docs = Path("handbook")
docs.mkdir(exist_ok=True)
for name, text in HANDBOOK.items():
    (docs / name).write_text(text, encoding="utf-8")

config_list = config_list_from_json("OAI_CONFIG_LIST")
assistant = AssistantAgent(
    "assistant",
    system_message="You answer from the context you are given.",
    llm_config={"config_list": config_list, "cache_seed": None},
)
ragproxyagent = RetrieveUserProxyAgent(
    name="ragproxyagent",
    human_input_mode="NEVER",
    max_consecutive_auto_reply=3,
    code_execution_config=False,
    retrieve_config={
        "task": "qa",
        "docs_path": str(docs),
        "model": config_list[0]["model"],
        "collection_name": "handbook",
        "get_or_create": True,
    },
)

result = ragproxyagent.initiate_chat(
    assistant,
    message=ragproxyagent.message_generator,
    problem="How many steps lead to the gallery?",
    n_results=1,
)
print(result.summary)
