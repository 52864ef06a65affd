/** One run: its head with state, meter and controls; transcript, timeline, team and files below. */

import { type KeyboardEvent, useEffect, useMemo, useRef, useState } from "react";
import { type TeamDetail, api } from "../api";
import type { MessageItem } from "../model/reducer";
import { useRun } from "../model/use-run";
import { VIEWS, type View, go, paths } from "../router";
import { isStill } from "../stream";
import { useKey } from "../ui/hooks";
import { Hues } from "../ui/hues";
import { Link } from "../ui/link";
import { Alert, Empty } from "../ui/parts";
import { QuestionCard } from "./question";
import { CompareDialog, ForkDialog, RaiseDialog } from "./run-dialogs";
import { Head } from "./run-head";
import { TeamGraph } from "./team";
import { Timeline } from "./timeline";
import { Files, Transcript } from "./transcript";

const NAMES: Record<View, string> = {
  transcript: "Transcript",
  timeline: "Timeline",
  team: "Team",
  files: "Files",
};

export function RunView({ id, view }: { id: string; view: View }) {
  const state = useRun(id);
  const { model, run, questions, artifacts, connection, look } = state;
  const [forking, setForking] = useState<MessageItem | null>(null);
  const [isRaising, setRaising] = useState(false);
  const [isComparing, setComparing] = useState(false);
  const [trouble, setTrouble] = useState<string | null>(null);
  const [chosen, setChosen] = useState<number | null>(null);
  const team = useTeam(run?.team ?? null);
  const now = useNow(run !== null && !isStill(run.status));

  const isAsking = questions.length > 0;
  useEffect(() => {
    // Whoever looks at another page meanwhile is told by the tab that somebody is waited for.
    const what = run ? `${run.title || run.team || "run"} · ` : "";
    document.title = `${isAsking ? "(asks you) " : ""}${what}autogen studio`;
  }, [run, isAsking]);

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

  const messages = useMemo(
    () => model.items.filter((one) => one.kind === "message"),
    [model.items],
  );
  const step = (by: 1 | -1): void => {
    const at = messages.findIndex((one) => one.pos === chosen);
    const next = messages[at < 0 ? (by > 0 ? 0 : messages.length - 1) : at + by];
    if (next) {
      setChosen(next.pos);
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
        <p>It was removed, or is in another database.</p>
        <Link to={paths.runs}>All runs</Link>
      </Empty>
    );
  }
  const isTold = view === "transcript" && model.items.some((one) => one.kind === "error");
  return (
    <Hues value={model.agents}>
      <div className="run">
        <Head
          run={run}
          model={model}
          id={id}
          connection={connection}
          now={now}
          onAct={attempt}
          onCompare={() => setComparing(true)}
          onRaise={() => setRaising(true)}
          trouble={trouble}
          onSeen={() => setTrouble(null)}
        />
        {run?.error && !isTold && <Alert>{`${run.error.type}: ${run.error.text}`}</Alert>}
        <Tabs chosen={view} onChoose={(next) => go(paths.run(id, next))} nFiles={artifacts.length} />
        <div role="tabpanel" id={`panel-${view}`} aria-labelledby={`tab-${view}`} className="panel">
          {view === "transcript" && (
            <Transcript
              items={model.items}
              live={model.live}
              allowed={model.allowed}
              artifacts={artifacts}
              isLoading={run === null || connection === "connecting"}
              isOver={isStill(run?.status)}
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
                    onLate={setTrouble}
                  />
                ))}
            </Transcript>
          )}
          {view === "timeline" && (
            <Timeline
              steps={model.steps}
              now={isStill(run?.status) ? (model.lastEventAt ?? now / 1000) : now / 1000}
            />
          )}
          {view === "team" && <TeamGraph team={team} model={model} />}
          {view === "files" &&
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
        {isRaising && run?.budget && (
          <RaiseDialog run={run} budget={run.budget} onClose={() => setRaising(false)} onDone={look} />
        )}
      </div>
    </Hues>
  );
}

function Tabs(props: { chosen: View; onChoose: (view: View) => void; nFiles: number }) {
  const { chosen, onChoose, nFiles } = props;
  const list = useRef<HTMLDivElement>(null);
  const move = (event: KeyboardEvent): void => {
    const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    const next = VIEWS[(VIEWS.indexOf(chosen) + by + VIEWS.length) % VIEWS.length];
    if (by === 0 || !next) return;
    onChoose(next);
    list.current?.querySelector<HTMLElement>(`#tab-${next}`)?.focus();
  };
  return (
    <div className="tabs" role="tablist" aria-label="Views of the run" ref={list} onKeyDown={move}>
      {VIEWS.map((name) => (
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
          {NAMES[name]}
          {name === "files" && nFiles > 0 && <span className="count">{nFiles}</span>}
        </button>
      ))}
    </div>
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
