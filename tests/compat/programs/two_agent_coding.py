from autogen import UserProxyAgent, AssistantAgent

# 1. Assistant (The Brain)
assistant = AssistantAgent(
    name="coder",
    llm_config={"config_list": config_list}
)

# 2. User Proxy (The Executor)
user_proxy = UserProxyAgent(
    name="user_proxy",
    code_execution_config={"work_dir": "coding"},
    human_input_mode="NEVER" # Fully autonomous
)

# 3. Initiate Chat
user_proxy.initiate_chat(
    assistant,
    message="Plot a chart of NVDA stock price YTD."
)
