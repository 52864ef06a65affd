"""An agent that learns: what one chat taught it, it still knows in the next, and after a restart.

Run it twice: the second time the memory in ./memory is there from the beginning.
"""

from autogen import ConversableAgent, UserProxyAgent, config_list_from_json
from autogen.agentchat.contrib.capabilities.teachability import Teachability

llm_config = {"config_list": config_list_from_json("OAI_CONFIG_LIST"), "cache_seed": None}
user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False)


def teachable_agent() -> ConversableAgent:
    """A new agent, which has nothing in common with others but the folder of its memory."""
    agent = ConversableAgent("teachable_agent", llm_config=llm_config, human_input_mode="NEVER")
    teachability = Teachability(verbosity=1, path_to_db_dir="./memory")
    teachability.add_to_agent(agent)
    return agent


taught = user.initiate_chat(
    teachable_agent(),
    message="I live in Bergen. When I ask for the weather, answer with one word.",
    max_turns=1,
)
asked = user.initiate_chat(
    teachable_agent(), message="How is the weather where I live?", max_turns=1
)
print(asked.summary)
