/**
 * The client model: what a run looks like, worked out from its log of events and nothing else.
 *
 * Stored events come in the order of `pos`; one that is known already changes nothing, so that a
 * stream may be read again from anywhere. Live text is kept apart, until a stored event ends it.
 */

import {
  type ArtifactRecord,
  type CodeBlock,
  type StudioEvent,
  contentOf,
  number,
  text,
} from "./events";

export interface ToolCall {
  id: string;
  name: string;
  args: string;
}

interface Base {
  pos: number;
  at: number;
  chat: string;
  depth: number;
  agent: string;
}

export interface MessageItem extends Base {
  kind: "message";
  recipient: string;
  content: string;
  toolCalls: ToolCall[];
  /** Whether it reports what code or tools gave. */
  isReport: boolean;
  /** Whether that is all it says, and stands in the results before it. */
  isRepeat: boolean;
  /** What it said before a person edited it. */
  original: string | null;
}

export interface CodeItem extends Base {
  kind: "code";
  blocks: CodeBlock[];
  output: string;
  exitCode: number | null;
  artifacts: ArtifactRecord[];
  endPos: number | null;
  endAt: number | null;
}

export interface ToolItem extends Base {
  kind: "tool";
  id: string;
  name: string;
  args: string;
  result: string | null;
  isError: boolean;
  endAt: number | null;
}

export interface EgressItem extends Base {
  kind: "egress";
  host: string;
  port: number | null;
  reason: string;
}

export interface ErrorItem extends Base {
  kind: "error";
  type: string;
  text: string;
}

export interface NoteItem extends Base {
  kind: "note";
  words: string;
  tone: "plain" | "good" | "warn" | "bad";
}

export type Item = MessageItem | CodeItem | ToolItem | EgressItem | ErrorItem | NoteItem;

export interface Live {
  key: string;
  kind: "model.token" | "code.output" | "progress";
  agent: string;
  chat: string;
  text: string;
  isThought: boolean;
}

/** Something that took time, for the timeline. Times in seconds since the epoch. */
export interface Step {
  pos: number;
  kind: "model" | "code" | "tool" | "person";
  agent: string;
  label: string;
  begin: number;
  end: number | null;
  cost: number | null;
  tokens: number;
}

export interface RunModel {
  lastPos: number;
  items: Item[];
  live: Live[];
  steps: Step[];
  agents: string[];
  /** Who spoke to whom, and how often: "a\nb" to a number. */
  spoken: Record<string, number>;
  speaking: string | null;
  beganAt: number | null;
  lastEventAt: number | null;
  cost: number;
  isCostKnown: boolean;
  tokens: number;
  nSteps: number;
  allowed: string[];
  /** Time of the last stored event of each chat: where the next step of it began. */
  lastAt: Record<string, number>;
  depths: Record<string, number>;
}

export const EMPTY: RunModel = {
  lastPos: 0,
  items: [],
  live: [],
  steps: [],
  agents: [],
  spoken: {},
  speaking: null,
  beganAt: null,
  lastEventAt: null,
  cost: 0,
  isCostKnown: true,
  tokens: 0,
  nSteps: 0,
  allowed: [],
  lastAt: {},
  depths: {},
};

/** The model after some events; the one before is left as it was. */
export function reduce(before: RunModel, events: readonly StudioEvent[]): RunModel {
  // Live text comes many times a second: what is stored stays the same object, and is not drawn anew.
  if (events.every((one) => one.pos === null)) {
    const model = { ...before, live: [...before.live] };
    for (const event of events) hear(model, event);
    return model;
  }
  const model: RunModel = {
    ...before,
    items: [...before.items],
    live: [...before.live],
    steps: [...before.steps],
    lastAt: { ...before.lastAt },
    depths: { ...before.depths },
    spoken: { ...before.spoken },
  };
  for (const event of events) {
    if (event.pos === null) hear(model, event);
    else if (event.pos > model.lastPos) take(model, event);
  }
  return model;
}

// -- live text

function hear(model: RunModel, event: StudioEvent): void {
  if (event.type !== "model.token" && event.type !== "code.output" && event.type !== "progress") {
    return;
  }
  const isThought = typeof event.data.reasoning === "string";
  const words = text(isThought ? event.data.reasoning : event.data.text);
  const [agent, chat] = [event.agent ?? "", event.chat_id ?? ""];
  const key = [event.type, chat, agent, isThought].join("\n");
  const at = model.live.findIndex((one) => one.key === key);
  const known = at < 0 ? undefined : model.live[at];
  const isAnew = event.data.is_snapshot === true || event.type === "progress";
  const whole = known && !isAnew ? known.text + words : words;
  const one: Live = { key, kind: event.type, agent, chat, text: whole, isThought };
  if (at < 0) model.live.push(one);
  else model.live[at] = one;
  if (event.type === "model.token") model.speaking = agent;
}

function endLive(model: RunModel, event: StudioEvent, kinds: readonly string[]): void {
  model.live = model.live.filter(
    (one) =>
      !kinds.includes(one.kind) || one.agent !== (event.agent ?? "") || one.chat !== (event.chat_id ?? ""),
  );
}

// -- stored events

function take(model: RunModel, event: StudioEvent): void {
  const pos = event.pos ?? 0;
  const chat = event.chat_id ?? "";
  const { data } = event;
  const base: Base = {
    pos,
    at: event.at,
    chat,
    depth: model.depths[chat] ?? 0,
    agent: event.agent ?? "",
  };
  model.lastPos = pos;
  model.lastEventAt = event.at;
  model.beganAt ??= event.at;
  const note = (words: string, tone: NoteItem["tone"] = "plain"): void => {
    model.items.push({ ...base, kind: "note", words, tone });
  };
  switch (event.type) {
    case "chat.started":
      model.depths[chat] =
        event.parent === null ? 0 : Math.min(4, (model.depths[event.parent] ?? 0) + 1);
      if (event.parent !== null) {
        note(`${text(data.initiator)} asks ${text(data.recipient)} aside`);
      }
      break;
    case "message.sent":
      sent(model, event, base);
      break;
    case "message.edited":
      edited(model, event, base);
      break;
    case "model.answered":
      answered(model, event, base);
      break;
    case "code.started":
      model.items.push({
        ...base,
        kind: "code",
        blocks: (data.blocks as CodeBlock[] | undefined) ?? [],
        output: "",
        exitCode: null,
        artifacts: [],
        endPos: null,
        endAt: null,
      });
      begin(model, base, "code", `${languagesOf(data)} code`);
      break;
    case "code.finished":
      codeFinished(model, event);
      break;
    case "tool.called":
      model.items.push({
        ...base,
        kind: "tool",
        id: text(data.id),
        name: text(data.name),
        args: text(data.arguments),
        result: null,
        isError: false,
        endAt: null,
      });
      begin(model, base, "tool", text(data.name));
      break;
    case "tool.answered":
      toolAnswered(model, event);
      break;
    case "speaker.selected":
      model.speaking = text(data.name) || null;
      endLive(model, event, ["model.token"]);
      break;
    case "question.asked":
      begin(model, base, "person", "a person");
      model.speaking = null;
      break;
    case "question.answered":
      finish(model, event, "person");
      note("a person answered", "good");
      break;
    case "question.expired":
      finish(model, event, "person");
      note("the time for an answer is over", "warn");
      break;
    case "egress.refused":
      model.items.push({
        ...base,
        kind: "egress",
        host: text(data.host),
        port: typeof data.port === "number" ? data.port : null,
        reason: text(data.reason),
      });
      break;
    case "egress.allowed":
      if (!model.allowed.includes(text(data.host))) {
        model.allowed = [...model.allowed, text(data.host)];
      }
      break;
    case "guard.tripped":
      note(text(data.text), "warn");
      break;
    case "budget.spent":
      note(text(data.text), "warn");
      break;
    case "error":
      model.items.push({
        ...base,
        kind: "error",
        type: text(data.type) || "error",
        text: text(data.text),
      });
      model.live = [];
      model.speaking = null;
      break;
    case "run.paused":
      note(...endOf(data.stop_reason, "paused"));
      model.live = [];
      model.speaking = null;
      break;
    case "run.resumed":
      note("resumed");
      model.live = [];
      break;
    case "run.forked":
      note("forked here");
      break;
    case "run.finished":
      note(...endOf(data.stop_reason, "ended"));
      model.live = [];
      model.speaking = null;
      break;
    default:
      break;
  }
  model.lastAt[chat] = event.at;
}

const END_WORDS: Record<string, string> = {
  termination: "done",
  human_exit: "ended by a person",
  max_turns: "ended: the limit of turns",
  max_round: "ended: the limit of rounds",
  max_replies: "ended: the limit of replies",
  no_reply: "ended: nobody had more to say",
  no_speaker: "ended: nobody was to speak next",
  budget: "stopped: the budget is spent",
  loop: "stopped: the agents repeated themselves",
  timeout: "stopped: the time is up",
  cancelled: "stopped by a person",
  paused: "paused",
  error: "ended by an error",
};

/** Ends that nobody wished for. */
const CUT_SHORT = new Set(["budget", "loop", "timeout", "no_speaker"]);

function endOf(given: unknown, otherwise: string): [string, NoteItem["tone"]] {
  const reason = text(given);
  const words = END_WORDS[reason] ?? (reason ? `${otherwise}: ${reason}` : otherwise);
  return [words, CUT_SHORT.has(reason) ? "warn" : "plain"];
}

function languagesOf(data: Record<string, unknown>): string {
  const names = (data.languages as string[] | undefined) ?? [];
  return [...new Set(names)].join(", ") || "some";
}

function addAgent(model: RunModel, name: string): void {
  if (name && !model.agents.includes(name)) model.agents = [...model.agents, name];
}

function callsOf(message: unknown): ToolCall[] {
  const { tool_calls, function_call } = (message ?? {}) as {
    tool_calls?: { id?: string; function?: { name?: string; arguments?: string } }[];
    function_call?: { name?: string; arguments?: string };
  };
  const calls = tool_calls ?? (function_call ? [{ id: "", function: function_call }] : []);
  return calls.map((one) => ({
    id: text(one.id),
    name: text(one.function?.name),
    args: text(one.function?.arguments),
  }));
}

function sent(model: RunModel, event: StudioEvent, base: Base): void {
  const { data } = event;
  const message = (data.message ?? {}) as Record<string, unknown>;
  const [sender, recipient] = [text(data.sender), text(data.recipient)];
  const content = contentOf(message);
  const role = text(message.role);
  addAgent(model, sender);
  addAgent(model, recipient);
  const pair = `${sender}\n${recipient}`;
  model.spoken[pair] = (model.spoken[pair] ?? 0) + 1;
  endLive(model, { ...event, agent: sender }, ["model.token"]);
  if (model.speaking === sender) model.speaking = null;
  model.items.push({
    ...base,
    kind: "message",
    agent: sender,
    recipient,
    content,
    toolCalls: callsOf(message),
    isReport: role === "tool" || role === "function" || /^exitcode: -?\d+ \(/.test(content),
    isRepeat: isRepeat(model, base.chat, message),
    original: null,
  });
}

/** Whether all that a message says stands in the results of the code or the tools before it. */
function isRepeat(model: RunModel, chat: string, message: Record<string, unknown>): boolean {
  const content = contentOf(message);
  if (message.role === "tool" || message.role === "function") {
    const { tool_responses } = message as { tool_responses?: Record<string, unknown>[] };
    const given = tool_responses ?? [{ tool_call_id: message.tool_call_id, content }];
    return given.every((one) => {
      const id = text(one.tool_call_id);
      const called = model.items.findLast(
        (item) => item.kind === "tool" && item.chat === chat && item.id === id,
      );
      return called?.kind === "tool" && called.result === text(one.content);
    });
  }
  const ran = model.items.findLast((one) => one.kind === "code" && one.chat === chat);
  const output = /^exitcode: -?\d+ \([^)]*\)\nCode output: ([\s\S]*)$/.exec(content)?.[1];
  return ran?.kind === "code" && output?.trim() === ran.output.trim();
}

function edited(model: RunModel, event: StudioEvent, base: Base): void {
  const sender = text(event.data.sender);
  const at = model.items.findLastIndex(
    (one) =>
      one.kind === "message" && one.chat === base.chat && (!sender || one.agent === sender),
  );
  const item = model.items[at];
  if (item?.kind === "message") {
    model.items[at] = {
      ...item,
      content: contentOf(event.data.message),
      isRepeat: false,
      toolCalls: callsOf(event.data.message),
      original: item.original ?? (item.content || item.toolCalls.map((one) => one.args).join("\n")),
    };
  }
}

function answered(model: RunModel, event: StudioEvent, base: Base): void {
  const { data } = event;
  const cached = data.is_cached === true;
  const tokens = number(data.prompt_tokens) + number(data.completion_tokens);
  const cost = typeof data.cost_usd === "number" ? data.cost_usd : null;
  model.steps.push({
    pos: base.pos,
    kind: "model",
    agent: base.agent,
    label: text(data.model) + (cached ? " (cached)" : ""),
    begin: model.lastAt[base.chat] ?? event.at,
    end: event.at,
    cost: cached ? 0 : cost,
    tokens: cached ? 0 : tokens,
  });
  model.nSteps += 1;
  if (!cached) {
    model.tokens += tokens;
    model.cost += cost ?? 0;
    model.isCostKnown &&= cost !== null;
  }
}

function begin(model: RunModel, base: Base, kind: Step["kind"], label: string): void {
  model.steps.push({
    pos: base.pos,
    kind,
    agent: base.agent,
    label,
    begin: base.at,
    end: null,
    cost: null,
    tokens: 0,
  });
  if (kind !== "person") model.nSteps += 1;
}

/** End the open step of a kind that began first. */
function finish(model: RunModel, event: StudioEvent, kind: Step["kind"]): void {
  const at = model.steps.findIndex((one) => one.kind === kind && one.end === null);
  const step = model.steps[at];
  if (step) model.steps[at] = { ...step, end: event.at };
}

function codeFinished(model: RunModel, event: StudioEvent): void {
  const { data } = event;
  finish(model, event, "code");
  const at = model.items.findLastIndex(
    (one) => one.kind === "code" && one.endPos === null && one.chat === (event.chat_id ?? ""),
  );
  const item = model.items[at];
  if (item?.kind === "code") {
    model.items[at] = {
      ...item,
      output: text(data.output),
      exitCode: number(data.exit_code),
      artifacts: (data.artifacts as ArtifactRecord[] | undefined) ?? [],
      endPos: event.pos,
      endAt: event.at,
    };
  }
  endLive(model, event, ["code.output", "progress"]);
}

function toolAnswered(model: RunModel, event: StudioEvent): void {
  const { data } = event;
  finish(model, event, "tool");
  const [id, name] = [text(data.id), text(data.name)];
  const at = model.items.findIndex(
    (one) => one.kind === "tool" && one.result === null && one.id === id && one.name === name,
  );
  const item = model.items[at];
  if (item?.kind === "tool") {
    model.items[at] = {
      ...item,
      result: text(data.content),
      isError: data.is_ok === false,
      endAt: event.at,
    };
  }
}
