"""Tools: the assistant asks for a function, the user proxy calls it, with checked arguments."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from autogen import AssistantAgent, UserProxyAgent, config_list_from_json, register_function

CurrencySymbol = Literal["EUR", "USD"]
EUR_IN_USD = 1.25


class Currency(BaseModel):
    """An amount of money."""

    currency: Annotated[CurrencySymbol, Field(description="Which money it is")]
    amount: Annotated[float, Field(0, description="How much of it", ge=0)]


def convert(
    base: Annotated[Currency, "What to change, in the money it is in"],
    quote_currency: Annotated[CurrencySymbol, "The money to change it to"] = "USD",
) -> Currency:
    """Change an amount into another currency."""
    in_usd = base.amount * (EUR_IN_USD if base.currency == "EUR" else 1)
    amount = in_usd / (EUR_IN_USD if quote_currency == "EUR" else 1)
    return Currency(currency=quote_currency, amount=round(amount, 2))


clerk = AssistantAgent(
    name="clerk",
    system_message="You change money. Use the function you have, and end with TERMINATE.",
    llm_config={"config_list": config_list_from_json("OAI_CONFIG_LIST")},
)
customer = UserProxyAgent(
    name="customer",
    human_input_mode="NEVER",
    max_consecutive_auto_reply=5,
    code_execution_config=False,
)
register_function(
    convert,
    caller=clerk,
    executor=customer,
    name="currency_calculator",
    description="Changes an amount of money into another currency.",
)

result = customer.initiate_chat(clerk, message="How many dollars do I get for 123.45 euros?")

print(result.chat_history[-1]["content"])
print("Cost:", result.cost)
