"""A chat behind a stop button: it runs in a thread, tells what happens, and ends when told to."""

import os
import queue
import threading

from autogen import (
    AssistantAgent,
    CancelToken,
    Event,
    RunOptions,
    UserProxyAgent,
    config_list_from_json,
)

LIMIT_S = float(os.environ.get("LIMIT_S", "20"))

storyteller = AssistantAgent(
    "storyteller",
    system_message="You tell a story without end, one sentence at a time.",
    llm_config={"config_list": config_list_from_json("OAI_CONFIG_LIST"), "cache_seed": None},
)
listener = UserProxyAgent(
    "listener",
    human_input_mode="NEVER",
    default_auto_reply="And then?",
    code_execution_config=False,
)

stop = CancelToken()
events: queue.SimpleQueue[Event] = queue.SimpleQueue()
results = {}


def talk() -> None:
    options = RunOptions(cancel=stop, sinks=[events.put])
    results["stopped"] = listener.initiate_chat(
        storyteller, message="Tell me of the sea.", silent=True, run=options
    )


chat = threading.Thread(target=talk)
chat.start()
n_sentences = 0
while (event := events.get()).type != "chat.finished":
    if event.type == "message.sent" and event.agent == "storyteller":
        n_sentences += 1
        print(f"{n_sentences}. {event.data['message']['content']}")
        if n_sentences == 3:
            stop.cancel()  # the button; any thread may press it
chat.join()
print("Ended:", results["stopped"].stop_reason, event.data["n_messages"], "messages")

# A limit of time is a button that presses itself.
results["late"] = listener.initiate_chat(
    storyteller, message="And of the hills.", silent=True, run=RunOptions(timeout_s=LIMIT_S)
)
print("Ended:", results["late"].stop_reason)
