/** Two runs side by side: what they share, and where they part. */

import { useEffect, useState } from "react";
import { type Difference, type Run, api } from "../api";
import { EMPTY, type MessageItem, reduce } from "../model/reducer";
import { paths } from "../router";
import { hueOf } from "../ui/format";
import { Link } from "../ui/link";
import { Alert, Skeleton, StatusBadge } from "../ui/parts";
import { Words } from "../ui/words";

interface Side {
  run: Run;
  messages: MessageItem[];
}

export function DiffView({ id, other }: { id: string; other: string }) {
  const [sides, setSides] = useState<[Side, Side] | null>(null);
  const [difference, setDifference] = useState<Difference | null>(null);
  const [trouble, setTrouble] = useState<string | null>(null);

  useEffect(() => {
    document.title = "Two runs · autogen studio";
    Promise.all([load(id), load(other), api.diff(id, other)]).then(
      ([left, right, found]) => {
        setSides([left, right]);
        setDifference(found);
      },
      (error: unknown) => setTrouble(error instanceof Error ? error.message : String(error)),
    );
  }, [id, other]);

  if (trouble) return <Alert>{trouble}</Alert>;
  if (!sides || !difference) return <Skeleton rows={6} />;
  const [left, right] = sides;
  const n = Math.max(left.messages.length, right.messages.length);
  return (
    <div className="diff" data-testid="diff">
      <header className="page-head">
        <h1>Two runs</h1>
        <p className="muted">
          {difference.is_same
            ? "They say the same."
            : difference.n_same === 0
              ? "They differ from the first message on."
              : difference.n_same === 1
                ? "The first message is the same."
                : `The first ${difference.n_same} messages are the same.`}
        </p>
      </header>
      <div className="sides">
        {[left, right].map((side, at) => (
          <div key={side.run.id} className="side-head">
            <Link to={paths.run(side.run.id)}>{side.run.forked_from === null || at === 0 ? "" : "Fork: "}{side.run.title || side.run.id}</Link>
            <StatusBadge status={side.run.status} />
          </div>
        ))}
        {Array.from({ length: n }, (_, at) => {
          const [a, b] = [left.messages[at], right.messages[at]];
          const isSame = a !== undefined && b !== undefined && saysSame(a, b);
          if (isSame && a) {
            return (
              <details key={at} className="fold same">
                <summary>
                  Both: {a.agent} · {a.content.slice(0, 80)}
                </summary>
                <Words>{a.content}</Words>
              </details>
            );
          }
          return [a, b].map((one, side) => (
            <div key={`${at} ${side}`} className={`cell ${one ? hueOf(one.agent) : "is-empty"}`}>
              {one && (
                <>
                  <strong className="agent">{one.agent}</strong>
                  <Words>{one.content}</Words>
                  {one.toolCalls.map((call) => (
                    <p key={call.id || call.name} className="call">
                      calls <code>{`${call.name}(${call.args})`}</code>
                    </p>
                  ))}
                </>
              )}
            </div>
          ));
        })}
      </div>
    </div>
  );
}

/** Whether two messages differ in nothing that was said or asked for; ids of calls do not count. */
function saysSame(a: MessageItem, b: MessageItem): boolean {
  const calls = (one: MessageItem): string =>
    JSON.stringify(one.toolCalls.map((call) => [call.name, call.args]));
  return a.content === b.content && a.agent === b.agent && calls(a) === calls(b);
}

async function load(id: string): Promise<Side> {
  const [run, events] = await Promise.all([api.run(id), api.events(id)]);
  const messages = reduce(EMPTY, events).items.filter((one) => one.kind === "message");
  return { run, messages };
}
