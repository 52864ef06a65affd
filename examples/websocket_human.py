"""A person far away: the chat prints to, and asks through, a web socket.

Serves one conversation. Connect to the address that it prints, with `python -m websockets` and the
address, for example; send a question, and `exit` to end.
"""

import os
import threading

from autogen import AssistantAgent, UserProxyAgent, config_list_from_json
from autogen.io import IOWebsockets

config_list = config_list_from_json("OAI_CONFIG_LIST")
is_over = threading.Event()


def on_connect(iostream: IOWebsockets) -> None:
    try:
        iostream.print("What would you like to know?")
        question = iostream.input()
        assistant = AssistantAgent("assistant", llm_config={"config_list": config_list})
        user = UserProxyAgent("user", human_input_mode="ALWAYS", code_execution_config=False)
        result = user.initiate_chat(assistant, message=question)
        iostream.print(f"Goodbye ({result.stop_reason}).")
    finally:
        is_over.set()


port = int(os.environ.get("PORT", "8765"))
with IOWebsockets.run_server_in_thread(on_connect=on_connect, port=port) as uri:
    print(f"Waiting at {uri}", flush=True)
    is_over.wait()
