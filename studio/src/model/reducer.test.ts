import { describe, expect, it } from "vitest";
import type { StudioEvent } from "./events";
import { EMPTY, type Item, reduce } from "./reducer";

let pos = 0;

function stored(type: string, data: Record<string, unknown>, more: Partial<StudioEvent> = {}) {
  pos += 1;
  const base = { v: 1, run_id: "r", pos, key: `k${pos}`, at: pos, chat_id: "1", agent: null };
  return { ...base, parent: null, type, data, ...more } satisfies StudioEvent;
}

function live(type: string, agent: string, text: string, isSnapshot = false): StudioEvent {
  const data = { text, is_snapshot: isSnapshot };
  const base = { v: 1, run_id: "r", pos: null, key: null, at: 0, chat_id: "1", parent: null };
  return { ...base, type, agent, data };
}

function said(sender: string, recipient: string, content: string): StudioEvent {
  return stored(
    "message.sent",
    { sender, recipient, message: { content, role: "assistant" } },
    { agent: sender },
  );
}

const only = <K extends Item["kind"]>(items: Item[], kind: K) =>
  items.filter((one): one is Extract<Item, { kind: K }> => one.kind === kind);

describe("the log", () => {
  it("may be read again from anywhere", () => {
    pos = 0;
    const log = [said("user", "coder", "hi"), said("coder", "user", "hello")];
    const once = reduce(EMPTY, log);
    expect(reduce(once, log).items).toEqual(once.items);
    expect(reduce(reduce(EMPTY, log.slice(0, 1)), log)).toEqual(once);
    expect(EMPTY.items).toEqual([]);
  });

  it("tells who spoke to whom", () => {
    pos = 0;
    const model = reduce(EMPTY, [said("a", "b", "1"), said("b", "a", "2"), said("a", "b", "3")]);
    expect(model.agents).toEqual(["a", "b"]);
    expect(model.spoken).toEqual({ "a\nb": 2, "b\na": 1 });
  });
});

describe("live text", () => {
  it("grows, is replaced by a snapshot, and ends with the message", () => {
    pos = 0;
    let model = reduce(EMPTY, [live("model.token", "coder", "He"), live("model.token", "coder", "llo")]);
    expect(model.live.map((one) => one.text)).toEqual(["Hello"]);
    model = reduce(model, [live("model.token", "coder", "Hello, wor", true)]);
    expect(model.live.map((one) => one.text)).toEqual(["Hello, wor"]);
    model = reduce(model, [said("coder", "user", "Hello, world")]);
    expect(model.live).toEqual([]);
    expect(model.items).toHaveLength(1);
  });

  it("of one agent outlives the message of another", () => {
    pos = 0;
    const model = reduce(EMPTY, [live("model.token", "coder", "He"), said("user", "coder", "x")]);
    expect(model.live).toHaveLength(1);
  });
});

describe("code", () => {
  it("keeps its output, files and time", () => {
    pos = 0;
    const artifact = { name: "a.png", mime: "image/png", size_bytes: 1, sha256: "0" };
    const model = reduce(EMPTY, [
      stored("code.started", { blocks: [{ language: "python", code: "1" }], languages: ["python"] }),
      live("code.output", "", "part"),
      stored("code.finished", { exit_code: 0, output: "whole", artifacts: [artifact] }),
    ]);
    const [item] = only(model.items, "code");
    expect(item).toMatchObject({ output: "whole", exitCode: 0, artifacts: [artifact] });
    expect(model.steps).toMatchObject([{ kind: "code", begin: 1, end: 2 }]);
  });
});

describe("money", () => {
  it("is unknown as soon as one price is", () => {
    pos = 0;
    const paid = { model: "m", prompt_tokens: 3, completion_tokens: 4, cost_usd: 0.5 };
    let model = reduce(EMPTY, [stored("model.answered", paid)]);
    expect([model.cost, model.isCostKnown, model.tokens]).toEqual([0.5, true, 7]);
    model = reduce(model, [stored("model.answered", { ...paid, is_cached: true, cost_usd: null })]);
    expect([model.cost, model.isCostKnown, model.tokens]).toEqual([0.5, true, 7]);
    model = reduce(model, [stored("model.answered", { ...paid, cost_usd: null })]);
    expect(model.isCostKnown).toBe(false);
  });
});

describe("an edit", () => {
  it("shows the new words and keeps the old ones", () => {
    pos = 0;
    const model = reduce(EMPTY, [
      said("coder", "user", "old"),
      stored("message.edited", { sender: "coder", recipient: "user", message: { content: "new" } }),
    ]);
    expect(only(model.items, "message")).toMatchObject([{ content: "new", original: "old" }]);
  });
});

describe("tools", () => {
  it("meet their answers by their ids", () => {
    pos = 0;
    const call = (id: string) => stored("tool.called", { id, name: "add", arguments: "{}" });
    const model = reduce(EMPTY, [
      call("a"),
      call("b"),
      stored("tool.answered", { id: "b", name: "add", content: "2", is_ok: true }),
      stored("tool.answered", { id: "a", name: "add", content: "Error: no", is_ok: false }),
    ]);
    expect(only(model.items, "tool")).toMatchObject([
      { result: "Error: no", isError: true },
      { result: "2", isError: false },
    ]);
  });

  it("are told once: the message that passes their answers on repeats nothing", () => {
    pos = 0;
    const answer = (id: string, content: string) => [
      stored("tool.called", { id, name: "add", arguments: "{}" }),
      stored("tool.answered", { id, name: "add", content, is_ok: true }),
    ];
    const report = (...responses: [string, string][]) => {
      const tool_responses = responses.map(([tool_call_id, content]) => ({ tool_call_id, content }));
      const content = responses.map((one) => one[1]).join("\n\n");
      const message = { role: "tool", tool_responses, content };
      return stored("message.sent", { sender: "user", recipient: "coder", message });
    };
    const log = [...answer("a", "2"), ...answer("b", "3")];
    const told = (last: StudioEvent) => only(reduce(EMPTY, [...log, last]).items, "message")[0];
    expect(told(report(["a", "2"], ["b", "3"]))).toMatchObject({ isReport: true, isRepeat: true });
    // Hooks of agents may have made something else of it.
    expect(told(report(["a", "2"], ["b", "4"]))).toMatchObject({ isReport: true, isRepeat: false });
    const old = { role: "function", name: "add", content: "5" };
    expect(told(stored("message.sent", { sender: "user", recipient: "coder", message: old }))).toMatchObject(
      { isReport: true, isRepeat: false },
    );
  });
});

describe("a report of code", () => {
  const ran = (output: string, report: string) => {
    pos = 0;
    const log = [
      stored("code.started", { blocks: [], languages: ["python"] }),
      stored("code.finished", { exit_code: 0, output, artifacts: [] }),
      said("user", "coder", report),
    ];
    return only(reduce(EMPTY, log).items, "message")[0];
  };

  it("repeats nothing that stands above it", () => {
    const report = "exitcode: 0 (execution succeeded)\nCode output: 1\n4\n";
    expect(ran("1\n4\n", report)).toMatchObject({ isReport: true, isRepeat: true });
    expect(ran("1\n5\n", report)).toMatchObject({ isReport: true, isRepeat: false });
    expect(ran("1\n4\n", "I ran it.")).toMatchObject({ isReport: false, isRepeat: false });
  });
});
