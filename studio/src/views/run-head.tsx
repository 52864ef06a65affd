/** The head of a run: what it is, its state and meter, and what people may do with it. */

import { type Run, api } from "../api";
import type { RunModel } from "../model/reducer";
import { paths } from "../router";
import { isStill } from "../stream";
import { age, count, duration, money } from "../ui/format";
import { Icon } from "../ui/icons";
import { Link } from "../ui/link";
import { Button, Gauge, StatusBadge } from "../ui/parts";

export function Head(props: {
  run: Run | null;
  model: RunModel;
  id: string;
  connection: string;
  now: number;
  onAct: (act: () => Promise<unknown>) => Promise<void>;
  onCompare: () => void;
  onRaise: () => void;
  trouble: string | null;
  onSeen: () => void;
}) {
  const { run, model, id, connection, now, onAct, onCompare, onRaise, trouble, onSeen } = props;
  const isOver = isStill(run?.status);
  // A run that goes on with what is left of a budget stops where it stopped.
  const isSpent = run?.stop_reason === "budget" && run.budget !== null;
  const canResume = isOver && run?.status !== "finished" && run?.team !== null;
  return (
    <>
      <header className="run-title">
        <div className="run-ways">
          <Link to={paths.runs} className="back">
            <Icon name="back" /> Runs
          </Link>
          <Button kind="quiet" icon="fork" label="Compare" hint="Lay another run beside it" onClick={onCompare}>
            Compare
          </Button>
        </div>
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
        {run && <StatusBadge run={run} testId="run-status" />}
        <span role="status" className="connection">
          {connection === "reconnecting" ? "Reconnecting…" : ""}
        </span>
        <Meter run={run} model={model} now={now} />
        <div className="doings">
          {run && !isOver && run.team !== null && (
            <Button icon="pause" label="Pause" onClick={() => void onAct(() => api.act(id, "pause"))}>
              <span className="wide-only">Pause</span>
            </Button>
          )}
          {canResume && (
            <Button kind="primary" icon="play" onClick={() => void (isSpent ? onRaise() : onAct(() => api.act(id, "resume")))}>
              {isSpent ? "Raise the budget" : "Resume"}
            </Button>
          )}
          {run && !isOver && (
            <Button kind="danger" icon="stop" label="Stop run" onClick={() => void onAct(() => api.act(id, "cancel"))}>
              <span className="wide-only">Stop run</span>
            </Button>
          )}
        </div>
        {trouble && (
          <div className="bar-trouble" role="alert">
            <span>{trouble}</span>
            <Button kind="quiet" icon="cross" label="Close this message" onClick={onSeen}>
              {null}
            </Button>
          </div>
        )}
      </div>
    </>
  );
}

function Meter({ run, model, now }: { run: Run | null; model: RunModel; now: number }) {
  const limits = run?.budget?.limits;
  const spent = run?.budget?.spent;
  const cost = model.isCostKnown ? model.cost : null;
  const until = (isStill(run?.status) ? model.lastEventAt : null) ?? now / 1000;
  const took = model.beganAt === null ? 0 : until - model.beganAt;
  return (
    <dl className="meter" data-testid="meter">
      <Gauge label="Cost" shown={money(model.nSteps > 0 ? (cost ?? model.cost) : 0, model.isCostKnown)} of={limits?.usd} spent={spent?.usd} unit={(n) => money(n)} />
      <Gauge label="Tokens" shown={count(model.tokens)} of={limits?.tokens} spent={spent?.tokens} unit={count} />
      <Gauge label="Steps" shown={count(model.nSteps)} of={limits?.steps} spent={spent?.steps} unit={count} />
      <Gauge label="Time" shown={duration(took)} of={limits?.seconds} spent={spent?.seconds} unit={duration} />
    </dl>
  );
}
