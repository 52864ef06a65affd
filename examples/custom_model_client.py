"""A model of your own: a class with four methods, named in the config list. No key is needed."""

from types import SimpleNamespace

from autogen import AssistantAgent, UserProxyAgent


class Parrot:
    """Says what it heard, in capitals, as often as its config says."""

    def __init__(self, config, times=1, **kwargs):
        self.times = times
        self.volume = config["params"]["volume"]

    def create(self, params):
        heard = params["messages"][-1]["content"]
        text = " ".join([heard.upper() + "!" * self.volume] * self.times)
        message = SimpleNamespace(content=text, function_call=None, tool_calls=None)
        return SimpleNamespace(choices=[SimpleNamespace(message=message)], model=params["model"])

    def message_retrieval(self, response):
        return [choice.message.content for choice in response.choices]

    def cost(self, response):
        return 0.001

    @staticmethod
    def get_usage(response):
        return {
            "prompt_tokens": 1,
            "completion_tokens": 2,
            "total_tokens": 3,
            "cost": 0.001,
            "model": response.model,
        }


config_list = [{"model": "parrot-1", "model_client_cls": "Parrot", "params": {"volume": 2}}]

bird = AssistantAgent("bird", llm_config={"config_list": config_list, "cache_seed": None})
bird.register_model_client(model_client_cls=Parrot, times=2)
user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False)

result = user.initiate_chat(bird, message="hello", max_turns=1)
print(result.summary)
print(result.cost.total)
