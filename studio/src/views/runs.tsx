/** The list of runs, the newest first. */

import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { type Run, api } from "../api";
import { go, paths } from "../router";
import { age, count, money } from "../ui/format";
import { useKey, useRepeated } from "../ui/hooks";
import { Link } from "../ui/link";
import { Alert, Button, Empty, Skeleton, StatusBadge } from "../ui/parts";

const LOOK_MS = 2000;

const FILTERS: Record<string, (run: Run) => boolean> = {
  All: () => true,
  "Waiting for you": (run) => run.status === "waiting",
  "Under way": (run) => run.status === "running" || run.status === "queued",
  Over: (run) => ["finished", "failed", "cancelled", "dead", "paused"].includes(run.status),
};

export function RunsView({ onNew }: { onNew: () => void }) {
  const [first, setFirst] = useState<Run[] | null>(null);
  const [older, setOlder] = useState<Run[]>([]);
  const [next, setNext] = useState<string | null>(null);
  const [trouble, setTrouble] = useState<string | null>(null);
  const [filter, setFilter] = useState("All");
  const [words, setWords] = useState("");
  const [chosen, setChosen] = useState<string | null>(null);
  const search = useRef<HTMLInputElement>(null);
  const hasOlder = useRef(false);

  useEffect(() => {
    document.title = "Runs · autogen studio";
  }, []);

  const look = useCallback(async (): Promise<void> => {
    try {
      const page = await api.runs();
      setFirst(page.items);
      if (!hasOlder.current) setNext(page.next);
      setTrouble(null);
    } catch (error) {
      setTrouble(error instanceof Error ? error.message : String(error));
    }
  }, []);
  useRepeated(() => void look(), LOOK_MS);

  const more = async (): Promise<void> => {
    if (next === null) return;
    try {
      const page = await api.runs(next);
      hasOlder.current = true;
      setOlder((before) => [...before, ...page.items]);
      setNext(page.next);
    } catch (error) {
      setTrouble(error instanceof Error ? error.message : String(error));
    }
  };

  const shown = useMemo(() => {
    const known = new Map<string, Run>();
    for (const run of [...(first ?? []), ...older]) if (!known.has(run.id)) known.set(run.id, run);
    const wanted = words.trim().toLowerCase();
    const fits = FILTERS[filter] ?? (() => true);
    return [...known.values()].filter(
      (run) =>
        fits(run) && `${run.title} ${run.team ?? ""} ${run.id}`.toLowerCase().includes(wanted),
    );
  }, [first, older, words, filter]);

  const step = (by: 1 | -1): void => {
    const at = shown.findIndex((one) => one.id === chosen);
    const to = shown[at < 0 ? 0 : at + by];
    if (to) setChosen(to.id);
  };
  useKey("j", () => step(1));
  useKey("k", () => step(-1));
  useKey("Enter", () => chosen && go(paths.run(chosen)), chosen !== null);
  useKey("/", () => search.current?.focus());

  return (
    <div className="runs">
      <header className="page-head">
        <h1>Runs</h1>
        <span className="spacer" />
        <input
          ref={search}
          type="search"
          className="search"
          placeholder="Search"
          aria-label="Search runs"
          value={words}
          onChange={(event) => setWords(event.target.value)}
        />
        <Button kind="primary" icon="plus" hint="n" onClick={onNew}>
          New run
        </Button>
      </header>
      <div className="filters" role="group" aria-label="Which runs">
        {Object.keys(FILTERS).map((name) => (
          <button key={name} type="button" aria-pressed={name === filter} onClick={() => setFilter(name)}>
            {name}
          </button>
        ))}
      </div>
      {trouble && <Alert>{trouble}</Alert>}
      {first === null && !trouble && <Skeleton rows={6} />}
      {first !== null && shown.length === 0 && (
        <Empty title={first.length === 0 ? "No runs yet." : "No run fits."}>
          {first.length === 0 && (
            <>
              <p>A run is a chat of a team. Everything in it is kept, and shown here as it happens.</p>
              <Button kind="primary" icon="plus" onClick={onNew}>
                Start the first one
              </Button>
            </>
          )}
        </Empty>
      )}
      <ul className="run-list">
        {shown.map((run) => (
          <li key={run.id}>
            <Link
              to={paths.run(run.id)}
              className={`run-row${run.id === chosen ? " is-chosen" : ""}`}
              testId="run-row"
              runId={run.id}
            >
              <StatusBadge run={run} />
              <span className="run-name">
                <span className="run-words">{run.title || "(the message of the team)"}</span>
                <span className="muted small">{run.team ?? "a program"}</span>
              </span>
              <span className="run-facts">
                <span title="Cost">{money(run.cost_usd)}</span>
                <span title="Tokens">{count(run.n_tokens)} tok</span>
                <span className="when">{age(run.created_at)}</span>
              </span>
            </Link>
          </li>
        ))}
      </ul>
      {next !== null && shown.length > 0 && (
        <Button kind="quiet" onClick={() => void more()}>
          Older runs
        </Button>
      )}
    </div>
  );
}
