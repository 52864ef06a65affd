/** Requests to the server that the page came from; what goes wrong is told in its own words. */

import type { StudioEvent } from "./model/events";

export type Status =
  | "queued"
  | "running"
  | "waiting"
  | "paused"
  | "finished"
  | "failed"
  | "cancelled"
  | "dead";

/** A run with one of these does not go on by itself. */
export const STILL: ReadonlySet<Status> = new Set(["paused", "finished", "failed", "cancelled", "dead"]);

export interface Amounts {
  usd: number | null;
  tokens: number | null;
  seconds: number | null;
  steps: number | null;
  code_seconds: number | null;
}

export interface Run {
  id: string;
  team: string | null;
  title: string;
  status: Status;
  stop_reason: string | null;
  result: { summary?: unknown } | null;
  error: { type: string; text: string } | null;
  forked_from: string | null;
  forked_at: number | null;
  created_at: string | null;
  updated_at: string | null;
  cost_usd: number | null;
  n_tokens: number;
  n_steps: number;
  n_open_questions: number;
  budget: Budget | null;
}

export interface Team {
  name: string;
  description: string;
}

export interface Agent {
  name: string;
  kind: "assistant" | "user" | "manager" | "agent";
  description: string;
  model: string | null;
  runs_code: boolean;
  tools: string[];
}

export interface TeamDetail extends Team {
  agents: Agent[];
  edges: [string, string][];
}

export interface Question {
  id: string;
  run_id: string;
  agent: string;
  kind: "text" | "approve";
  prompt: string;
  default: string | null;
  deadline_at: string | null;
  pos: number | null;
}

export interface Artifact {
  id: string;
  pos: number;
  name: string;
  media_type: string;
  size: number;
}

export interface Difference {
  is_same: boolean;
  n_same: number;
  left_pos: number | null;
  right_pos: number | null;
  text: string;
}

/** A budget that runs share. */
export interface Budget {
  name: string;
  limits: Amounts;
  spent: Amounts;
  is_spent: boolean;
}

export interface UsageRow {
  key: string | null;
  n_calls: number;
  n_cached: number;
  prompt_tokens: number;
  completion_tokens: number;
  cost_usd: number;
  is_cost_known: boolean;
}

/** What the server said is wrong. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    detail: string,
  ) {
    super(detail);
  }
}

let signedOut: () => void = () => undefined;

/** Have `told` called as soon as the server does not know us. */
export function onSignedOut(told: () => void): void {
  signedOut = told;
}

async function ask<T>(method: string, path: string, body?: unknown, more?: RequestInit): Promise<T> {
  const sent: RequestInit = { method, credentials: "same-origin", ...more };
  if (body !== undefined) {
    sent.body = JSON.stringify(body);
    sent.headers = { "Content-Type": "application/json" };
  }
  let answer: Response;
  try {
    answer = await fetch(`/api/v1${path}`, sent);
  } catch {
    throw new Problem(0, "The server does not answer. Is it running?");
  }
  if (!answer.ok) {
    if (answer.status === 401 && path !== "/session") signedOut();
    throw new Problem(answer.status, await detailOf(answer));
  }
  return (answer.status === 204 ? undefined : await answer.json()) as T;
}

async function detailOf(answer: Response): Promise<string> {
  try {
    const told = (await answer.json()) as { title?: string; detail?: string };
    return told.detail ?? told.title ?? `The server answered ${answer.status}.`;
  } catch {
    return `The server answered ${answer.status}.`;
  }
}

const at = (id: string): string => `/runs/${encodeURIComponent(id)}`;

export type Answer = { action: "approve" | "edit" | "text" | "deny" | "stop"; text?: string };

export interface NewRun {
  team: string;
  message?: string;
  budget?: { usd?: number; steps?: number };
  files?: string[];
}

export const api = {
  signIn: (token: string) => ask<void>("POST", "/session", { token }),
  teams: () => ask<{ items: Team[] }>("GET", "/teams").then((page) => page.items),
  team: (name: string) => ask<TeamDetail>("GET", `/teams/${encodeURIComponent(name)}`),
  runs: (cursor?: string) =>
    ask<{ items: Run[]; next: string | null }>(
      "GET",
      `/runs?limit=50${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`,
    ),
  run: (id: string) => ask<Run>("GET", at(id)),
  begin: (asked: NewRun) => ask<Run>("POST", "/runs", asked),
  act: (id: string, verb: "cancel" | "pause" | "resume") => ask<Run>("POST", `${at(id)}/${verb}`),
  resumeWith: (id: string, budget: Partial<Amounts>) =>
    ask<Run>("POST", `${at(id)}/resume`, { budget }),
  fork: (id: string, pos: number, edit: string | null) =>
    ask<Run>("POST", `${at(id)}/fork`, { at: pos, edit }),
  diff: (id: string, other: string) =>
    ask<Difference>("GET", `${at(id)}/diff?other=${encodeURIComponent(other)}`),
  allow: (id: string, host: string, port: number | null) =>
    ask<unknown>("POST", `${at(id)}/egress`, { host, port }),
  artifacts: async (id: string): Promise<Artifact[]> => {
    const all: Artifact[] = [];
    for (let after: number | null = 0; after !== null; ) {
      const page: { items: Artifact[]; next: number | null } = await ask(
        "GET",
        `${at(id)}/artifacts?after=${after}`,
      );
      all.push(...page.items);
      after = page.next;
    }
    return all;
  },
  questions: (id: string) =>
    ask<{ items: Question[] }>(
      "GET",
      `/questions?status=open&run_id=${encodeURIComponent(id)}`,
    ).then((page) => page.items),
  answer: (id: string, answer: Answer) =>
    ask<unknown>("POST", `/questions/${encodeURIComponent(id)}/answer`, answer),
  usage: (by: "model" | "agent" | "day") =>
    ask<{ items: UsageRow[] }>("GET", `/usage?by=${by}`).then((page) => page.items),
  budgets: () => ask<{ items: Budget[]; next: string | null }>("GET", "/budgets?limit=200"),
  upload: (file: File) =>
    ask<{ id: string }>("POST", `/files?name=${encodeURIComponent(file.name)}`, undefined, {
      body: file,
      headers: { "Content-Type": "application/octet-stream" },
    }),
  events: async (id: string): Promise<StudioEvent[]> => {
    const all: StudioEvent[] = [];
    for (let after = 0; ; ) {
      const page = await ask<{ items: StudioEvent[]; next: number }>(
        "GET",
        `${at(id)}/events?limit=1000&after=${after}`,
      );
      all.push(...page.items);
      if (page.items.length < 1000) return all;
      after = page.next;
    }
  },
  eventsUrl: (id: string, after: number) => `/api/v1${at(id)}/events?after=${after}`,
  artifactUrl: (id: string) => `/api/v1/artifacts/${encodeURIComponent(id)}`,
};
