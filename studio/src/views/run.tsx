/** One run: its head with state, meter and controls; transcript, timeline, team and files below. */

import { type KeyboardEvent, useEffect, useMemo, useRef, useState } from "react";
import { type Run, type TeamDetail, api } from "../api";
import type { MessageItem, RunModel } from "../model/reducer";
import { useRun } from "../model/use-run";
import { go, paths } from "../router";
import { isStill } from "../stream";
import { age, count, duration, money } from "../ui/format";
import { useKey } from "../ui/hooks";
import { Icon } from "../ui/icons";
import { Link } from "../ui/link";
import { Alert, Button, Dialog, Empty, Skeleton, StatusBadge } from "../ui/parts";
import { QuestionCard } from "./question";
import { TeamGraph } from "./team";
import { Timeline } from "./timeline";
import { Files, Transcript } from "./transcript";

const TABS = ["Transcript", "Timeline", "Team", "Files"] as const;
type Tab = (typeof TABS)[number];

export function RunView({ id }: { id: string }) {
  const state = useRun(id);
  const { model, run, questions, artifacts, connection, look } = state;
  const [tab, setTab] = useState<Tab>("Transcript");
  const [forking, setForking] = useState<MessageItem | null>(null);
  const [isComparing, setComparing] = useState(false);
  const [trouble, setTrouble] = useState<string | null>(null);
  const [chosen, setChosen] = useState<number | null>(null);
  const team = useTeam(run?.team ?? null);
  const now = useNow(run !== null && !isStill(run.status));

  useEffect(() => {
    document.title = run ? `${run.title || run.team || "run"} · autogen studio` : "autogen studio";
  }, [run]);

  const attempt = async (act: () => Promise<unknown>): Promise<void> => {
    setTrouble(null);
    try {
      await act();
    } catch (error) {
      setTrouble(error instanceof Error ? error.message : String(error));
    }
    look();
  };

  const doings = useMemo(
    () => ({
      onFork: setForking,
      onAllow: (host: string, port: number | null) => {
        void attempt(() => api.allow(id, host, port));
      },
    }),
    // `attempt` sets state and looks again, by functions that stay.
    // eslint-disable-next-line react-hooks/exhaustive-deps
    [id, look],
  );

  const messages = model.items.filter((one) => one.kind === "message");
  const step = (by: 1 | -1): void => {
    const at = messages.findIndex((one) => one.pos === chosen);
    const next = messages[at < 0 ? (by > 0 ? 0 : messages.length - 1) : at + by];
    if (next) {
      setChosen(next.pos);
      document.getElementById(`event-${next.pos}`)?.scrollIntoView({ block: "nearest" });
    }
  };
  useKey("j", () => step(1));
  useKey("k", () => step(-1));
  useKey("f", () => {
    const item = messages.find((one) => one.pos === chosen);
    if (item) setForking(item);
  });
  useKey("b", () => go(paths.runs));

  if (state.isMissing) {
    return (
      <Empty title="There is no such run.">
        <Link to={paths.runs}>All runs</Link>
      </Empty>
    );
  }
  return (
    <div className="run">
      <Head
        run={run}
        model={model}
        id={id}
        connection={connection}
        now={now}
        onAct={attempt}
        onCompare={() => setComparing(true)}
      />
      {trouble && <Alert>{trouble}</Alert>}
      {run?.error && <Alert>{`${run.error.type}: ${run.error.text}`}</Alert>}
      <Tabs chosen={tab} onChoose={setTab} nFiles={artifacts.length} />
      <div role="tabpanel" id={`panel-${tab}`} aria-labelledby={`tab-${tab}`} className="panel">
        {tab === "Transcript" && (
          <Transcript
            items={model.items}
            live={model.live}
            allowed={model.allowed}
            artifacts={artifacts}
            isLoading={run === null || connection === "connecting"}
            chosen={chosen}
            doings={doings}
          >
            {questions
              .filter((one) => one.pos === null || one.pos <= model.lastPos)
              .map((one) => (
                <QuestionCard
                  key={one.id}
                  question={one}
                  about={messages.find((message) => message.pos === one.pos)}
                  onAnswered={look}
                />
              ))}
          </Transcript>
        )}
        {tab === "Timeline" && <Timeline steps={model.steps} now={now / 1000} />}
        {tab === "Team" && <TeamGraph team={team} model={model} />}
        {tab === "Files" &&
          (artifacts.length > 0 ? (
            <Files artifacts={artifacts} />
          ) : (
            <Empty title="No files yet.">
              <p>What the code of a run leaves in its folder is shown here.</p>
            </Empty>
          ))}
      </div>
      {isComparing && <CompareDialog run={id} onClose={() => setComparing(false)} />}
      {forking && <ForkDialog run={id} message={forking} onClose={() => setForking(null)} />}
    </div>
  );
}

function Head(props: {
  run: Run | null;
  model: RunModel;
  id: string;
  connection: string;
  now: number;
  onAct: (act: () => Promise<unknown>) => Promise<void>;
  onCompare: () => void;
}) {
  const { run, model, id, connection, now, onAct, onCompare } = props;
  const isOver = isStill(run?.status);
  const canResume = isOver && run?.status !== "finished" && run?.team !== null;
  return (
    <>
      <header className="run-title">
        <Link to={paths.runs} className="back">
          <Icon name="back" /> Runs
        </Link>
        <h1>{run?.title || run?.team || "Run"}</h1>
        <p className="muted small">
          {run?.team && <>team {run.team} · </>}
          {run && <>{age(run.created_at)} · </>}
          <code>{id}</code>
          {run?.forked_from && (
            <>
              {" · "}
              <Link to={paths.diff(run.forked_from, id)}>Compare with original</Link>
            </>
          )}
        </p>
      </header>
      <div className="run-bar" role="group" aria-label="State of the run">
        {run && <StatusBadge status={run.status} testId="run-status" />}
        <span role="status" className="connection">
          {connection === "reconnecting" ? "Reconnecting…" : ""}
        </span>
        <Meter run={run} model={model} now={now} />
        <span className="spacer" />
        <Button kind="quiet" icon="fork" label="Compare" onClick={onCompare}>
          <span className="wide-only">Compare</span>
        </Button>
        {run && !isOver && run.team !== null && (
          <Button icon="pause" label="Pause" onClick={() => void onAct(() => api.act(id, "pause"))}>
            <span className="wide-only">Pause</span>
          </Button>
        )}
        {canResume && (
          <Button kind="primary" icon="play" onClick={() => void onAct(() => api.act(id, "resume"))}>
            Resume
          </Button>
        )}
        {run && !isOver && (
          <Button kind="danger" icon="stop" label="Stop run" onClick={() => void onAct(() => api.act(id, "cancel"))}>
            <span className="wide-only">Stop run</span>
          </Button>
        )}
      </div>
    </>
  );
}

function Meter({ run, model, now }: { run: Run | null; model: RunModel; now: number }) {
  const limits = run?.budget?.limits;
  const spent = run?.budget?.spent;
  const cost = model.isCostKnown ? model.cost : null;
  const took = model.beganAt === null ? 0 : (model.endedAt ?? now / 1000) - model.beganAt;
  return (
    <dl className="meter" data-testid="meter">
      <Gauge label="Cost" shown={money(model.nSteps > 0 ? (cost ?? model.cost) : 0, model.isCostKnown)} of={limits?.usd} spent={spent?.usd} unit={(n) => money(n)} />
      <Gauge label="Tokens" shown={count(model.tokens)} of={limits?.tokens} spent={spent?.tokens} unit={count} />
      <Gauge label="Steps" shown={count(model.nSteps)} of={limits?.steps} spent={spent?.steps} unit={count} />
      <Gauge label="Time" shown={duration(took)} of={limits?.seconds} spent={spent?.seconds} unit={duration} />
    </dl>
  );
}

function Gauge(props: {
  label: string;
  shown: string;
  of: number | null | undefined;
  spent: number | null | undefined;
  unit: (n: number) => string;
}) {
  const { label, shown, of, spent, unit } = props;
  const share = of ? Math.min(1, (spent ?? 0) / of) : null;
  return (
    <div className="gauge">
      <dt>{label}</dt>
      <dd>
        {shown}
        {of !== null && of !== undefined && <span className="muted"> of {unit(of)}</span>}
        {share !== null && (
          <meter min={0} max={1} high={0.8} value={share} aria-label={`${label} of the budget`} />
        )}
      </dd>
    </div>
  );
}

function Tabs(props: { chosen: Tab; onChoose: (tab: Tab) => void; nFiles: number }) {
  const { chosen, onChoose, nFiles } = props;
  const list = useRef<HTMLDivElement>(null);
  const move = (event: KeyboardEvent): void => {
    const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    const next = TABS[(TABS.indexOf(chosen) + by + TABS.length) % TABS.length];
    if (by === 0 || !next) return;
    onChoose(next);
    list.current?.querySelector<HTMLElement>(`#tab-${next}`)?.focus();
  };
  return (
    <div className="tabs" role="tablist" aria-label="Views of the run" ref={list} onKeyDown={move}>
      {TABS.map((name) => (
        <button
          key={name}
          type="button"
          role="tab"
          id={`tab-${name}`}
          aria-selected={name === chosen}
          aria-controls={name === chosen ? `panel-${name}` : undefined}
          tabIndex={name === chosen ? 0 : -1}
          onClick={() => onChoose(name)}
        >
          {name}
          {name === "Files" && nFiles > 0 && <span className="count">{nFiles}</span>}
        </button>
      ))}
    </div>
  );
}

function ForkDialog(props: { run: string; message: MessageItem; onClose: () => void }) {
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

/** Which other run to lay beside this one. */
function CompareDialog({ run, onClose }: { run: string; onClose: () => void }) {
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

function useTeam(name: string | null): TeamDetail | null {
  const [team, setTeam] = useState<TeamDetail | null>(null);
  useEffect(() => {
    let isWanted = true;
    if (name !== null) {
      api.team(name).then(
        (found) => {
          // Servers that know a team by name alone draw it from who spoke.
          if (isWanted && Array.isArray(found.agents)) setTeam(found);
        },
        () => setTeam(null),
      );
    }
    return () => {
      isWanted = false;
    };
  }, [name]);
  return team;
}

/** The time, a few times a second while something runs. */
function useNow(isOn: boolean): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    if (!isOn) return;
    const timer = window.setInterval(() => setNow(Date.now()), 500);
    return () => window.clearInterval(timer);
  }, [isOn]);
  return now;
}
