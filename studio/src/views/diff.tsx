/** Two runs side by side: what they share, and where they part. */

import { type ReactNode, useEffect, useState } from "react";
import { type Difference, type Run, api } from "../api";
import { EMPTY, type MessageItem, reduce } from "../model/reducer";
import { paths } from "../router";
import { clipped } from "../ui/format";
import { Hues, useHue } from "../ui/hues";
import { Link } from "../ui/link";
import { useNear } from "../ui/near";
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
  const agents = [...new Set(sides.flatMap((side) => side.messages.map((one) => one.agent)))];
  return (
    <Hues value={agents}>
      <div className="diff" data-testid="diff">
        <header className="page-head">
          <h1>Two runs</h1>
          <p className="muted">
            {difference.is_same
              ? "They say the same."
              : difference.n_same === 0
                ? "They part at the first message."
                : difference.n_same === 1
                  ? "The first message is the same."
                  : `The first ${difference.n_same} messages are the same.`}
          </p>
        </header>
        <div className="sides">
          {[left, right].map((side, at) => (
            <div key={side.run.id} className="side-head">
              <StatusBadge run={side.run} />
              <Link to={paths.run(side.run.id)}>
                {side.run.forked_from === null || at === 0 ? "" : "Fork: "}
                {side.run.title || side.run.id}
              </Link>
            </div>
          ))}
          {rowsOf(left.messages, right.messages)}
        </div>
      </div>
    </Hues>
  );
}

/** Messages side by side; neighbours that both runs share are folded into one row. */
function rowsOf(left: MessageItem[], right: MessageItem[]): ReactNode[] {
  const rows: ReactNode[] = [];
  let shared: MessageItem[] = [];
  const fold = (): void => {
    if (shared.length > 0) rows.push(<Shared key={`same ${rows.length}`} messages={shared} />);
    shared = [];
  };
  for (let at = 0; at < Math.max(left.length, right.length); at += 1) {
    const [a, b] = [left[at], right[at]];
    if (a && b && saysSame(a, b)) {
      shared.push(a);
    } else {
      fold();
      rows.push(<Cell key={`${at} left`} message={a} />, <Cell key={`${at} right`} message={b} isRight />);
    }
  }
  fold();
  return rows;
}

function Shared({ messages }: { messages: MessageItem[] }) {
  const [isOpen, setOpen] = useState(false);
  const [first] = messages;
  return (
    <details className="fold same" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        {messages.length === 1 ? "The same in both" : `${messages.length} messages, the same in both`}
        {": "}
        {first?.agent} · {clipped(first?.content ?? "", 80)}
      </summary>
      {isOpen && messages.map((one) => <Cell key={one.pos} message={one} />)}
    </details>
  );
}

function Cell({ message, isRight }: { message: MessageItem | undefined; isRight?: boolean }) {
  const hue = useHue(message?.agent ?? "");
  const { at, isNear } = useNear<HTMLDivElement>();
  if (!message) return <div className="cell is-empty" />;
  return (
    <div className={`cell ${hue}${isRight ? " is-right" : ""}`} ref={at}>
      <strong className="agent">{message.agent}</strong>
      {isNear ? (
        <Words>{message.content}</Words>
      ) : (
        <div className="plain-words">{message.content}</div>
      )}
      {message.toolCalls.map((call) => (
        <p key={call.id || call.name} className="call">
          calls <code>{`${call.name}(${call.args})`}</code>
        </p>
      ))}
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
