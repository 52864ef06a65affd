from autogen import ConversableAgent

config_list = [{"model": "gpt-4", "api_key": os.environ["OPENAI_API_KEY"]}]

agent = ConversableAgent(
    "chatbot",
    llm_config={
		"cache_seed": 41, # seed for caching and reproducibility  
		"config_list": config_list, # a list of OpenAI API configurations  
		"temperature": 0,
    },
    code_execution_config=False,  # Turn off code execution, by default it is off.
    function_map=None,  # No registered functions, by default it is None.
    human_input_mode="NEVER",  # Never ask for human input.
    
)

reply = agent.generate_reply(messages=[{"content": "Tell me a joke.", "role": "user"}])  
print(reply)
