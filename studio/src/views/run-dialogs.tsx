/** What is asked before a run is forked, goes on with another budget, or is laid beside another. */

import { useEffect, useState } from "react";
import { type Budget, type Run, api } from "../api";
import type { MessageItem } from "../model/reducer";
import { go, paths } from "../router";
import { LIMITS, age } from "../ui/format";
import { Link } from "../ui/link";
import { Alert, Button, Dialog, Empty, Skeleton } from "../ui/parts";

export function ForkDialog(props: { run: string; message: MessageItem; onClose: () => void }) {
  const { run, message, onClose } = props;
  const [words, setWords] = useState(message.content);
  const [trouble, setTrouble] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const fork = async (): Promise<void> => {
    setBusy(true);
    try {
      const made = await api.fork(run, message.pos, words === message.content ? null : words);
      onClose();
      go(paths.run(made.id));
    } catch (error) {
      setTrouble(error instanceof Error ? error.message : String(error));
      setBusy(false);
    }
  };
  return (
    <Dialog title="Fork" onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void fork();
        }}
      >
        <p className="muted">
          A new run that shares everything up to this message of {message.agent}, at no cost, and
          goes on from there.
        </p>
        <label className="field">
          <span>Message</span>
          <textarea rows={8} value={words} onChange={(event) => setWords(event.target.value)} />
        </label>
        {trouble && <Alert>{trouble}</Alert>}
        <div className="actions">
          <span className="spacer" />
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" type="submit" icon="fork" disabled={isBusy}>
            Fork
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

/** New limits for a run whose budget is spent; it goes on with them at once. */
export function RaiseDialog(props: { run: Run; budget: Budget; onClose: () => void; onDone: () => void }) {
  const { run, budget, onClose, onDone } = props;
  const limited = LIMITS.filter((one) => budget.limits[one.key] !== null);
  const [limits, setLimits] = useState<Record<string, string>>(() =>
    Object.fromEntries(limited.map((one) => [one.key, String(2 * (budget.limits[one.key] ?? 0))])),
  );
  const [trouble, setTrouble] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const raise = async (): Promise<void> => {
    setBusy(true);
    try {
      const asked = limited.map((one) => [one.key, Number(limits[one.key])] as const);
      await api.resumeWith(run.id, Object.fromEntries(asked));
      onClose();
      onDone();
    } catch (error) {
      setTrouble(error instanceof Error ? error.message : String(error));
      setBusy(false);
    }
  };
  return (
    <Dialog title="Raise the budget" onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void raise();
        }}
      >
        <p className="muted">
          The run stopped before it would have spent more than it may. With these limits for all of
          it, it goes on from there.
        </p>
        <div className="field-row">
          {limited.map((one) => (
            <label key={one.key} className="field">
              <span>{one.label}</span>
              <input
                type="number"
                min="0"
                step="any"
                required
                inputMode="decimal"
                value={limits[one.key]}
                onChange={(event) => setLimits({ ...limits, [one.key]: event.target.value })}
              />
              <span className="muted small">
                {one.unit(budget.spent[one.key] ?? 0)} of {one.unit(budget.limits[one.key] ?? 0)} spent
              </span>
            </label>
          ))}
        </div>
        {trouble && <Alert>{trouble}</Alert>}
        <div className="actions">
          <span className="spacer" />
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" type="submit" icon="play" disabled={isBusy}>
            Go on
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

/** Which other run to lay beside this one. */
export function CompareDialog({ run, onClose }: { run: string; onClose: () => void }) {
  const [others, setOthers] = useState<Run[] | null>(null);
  useEffect(() => {
    api.runs().then(
      (page) => setOthers(page.items.filter((one) => one.id !== run)),
      () => setOthers([]),
    );
  }, [run]);
  return (
    <Dialog title="Compare with another run" onClose={onClose}>
      {others === null && <Skeleton rows={3} />}
      {others?.length === 0 && <Empty title="There is no other run." />}
      <ul className="run-list choices">
        {others?.map((one) => (
          <li key={one.id}>
            <Link to={paths.diff(run, one.id)} className="choice">
              <span className="run-words">{one.title || one.id}</span>
              <span className="muted small">
                {one.team ?? "a program"} · {age(one.created_at)}
              </span>
            </Link>
          </li>
        ))}
      </ul>
    </Dialog>
  );
}
