// Talks to a team through the official client, and prints what became of each turn as a JSON line.
//
//     node talk.mjs '{"url": ..., "token": ..., "turns": [{"say": TEXT}, {"resume": RESPONSE}]}'
//
// A response answers every open interrupt: {"status": "resolved", "payload": ...}.

import { HttpAgent, buildResumeArray } from "@ag-ui/client";

const task = JSON.parse(process.argv[2]);
const agent = new HttpAgent({
  url: task.url,
  headers: { Authorization: `Bearer ${task.token}` },
  threadId: task.thread,
});

for (const [n, turn] of task.turns.entries()) {
  const told = { types: [], outcome: null, interrupts: [], error: null, said: [], result: null };
  const subscriber = {
    onEvent: ({ event }) => void told.types.push(event.type),
    onNewMessage: ({ message }) => void told.said.push([message.role, message.content ?? ""]),
    onRunFinishedEvent: ({ outcome, interrupts, event }) => {
      told.outcome = outcome;
      told.interrupts = (interrupts ?? []).map(({ reason, message }) => ({ reason, message }));
      told.result = event.result;
    },
    onRunErrorEvent: ({ event }) => void (told.error = event.message),
  };
  const parameters = {};
  if (turn.say !== undefined) {
    agent.addMessage({ id: `said-${n}`, role: "user", content: turn.say });
  } else {
    const open = agent.pendingInterrupts;
    const responses = Object.fromEntries(open.map(({ id }) => [id, turn.resume]));
    parameters.resume = buildResumeArray(open, responses);
  }
  try {
    await agent.runAgent(parameters, subscriber);
  } catch (error) {
    told.error ??= String(error.message ?? error);
  }
  console.log(JSON.stringify(told));
}
