"""Chats one after the other: each starts with what the earlier ones came to."""

from autogen import AssistantAgent, ConversableAgent, config_list_from_json

llm_config = {"config_list": config_list_from_json("OAI_CONFIG_LIST")}

editor = ConversableAgent(
    "editor", llm_config=False, human_input_mode="NEVER", default_auto_reply="Go on, please."
)
researcher = AssistantAgent(
    "researcher", system_message="You list facts, one per line.", llm_config=llm_config
)
writer = AssistantAgent(
    "writer", system_message="You write short, lively paragraphs.", llm_config=llm_config
)
translator = AssistantAgent(
    "translator", system_message="You translate into French.", llm_config=llm_config
)

results = editor.initiate_chats(
    [
        {
            "recipient": researcher,
            "message": "What should a visitor know about the lighthouse of Alexandria?",
            "max_turns": 2,
            "summary_method": "reflection_with_llm",
            "summary_args": {"summary_prompt": "Give the facts as a list, and nothing else."},
        },
        {
            "recipient": writer,
            "message": "Write a paragraph for a guide book.",
            "carryover": "It is for children of ten.",
            "max_turns": 1,
            "summary_method": "last_msg",
        },
        {
            "recipient": translator,
            "message": "Translate the paragraph.",
            "max_turns": 1,
            # The facts of the first chat are of no use here.
            "finished_chat_indexes_to_exclude_from_carryover": [0],
        },
    ]
)

for number, result in enumerate(results, 1):
    print(f"{number}. {result.summary}  ({result.cost.total['total_cost']:.4f} dollars)")
