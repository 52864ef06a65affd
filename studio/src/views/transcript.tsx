/** What was said and done in a run, as it happens. */

import { type ReactNode, memo, useEffect, useLayoutEffect, useRef, useState } from "react";
import { type Artifact, api } from "../api";
import type {
  CodeItem,
  EgressItem,
  ErrorItem,
  Item,
  Live,
  MessageItem,
  NoteItem,
  ToolItem,
} from "../model/reducer";
import { bytes, clipped, clock, duration } from "../ui/format";
import { useFollowing } from "../ui/following";
import { useHue } from "../ui/hues";
import { Icon } from "../ui/icons";
import { useNear } from "../ui/near";
import { Avatar, Button, Skeleton } from "../ui/parts";
import { Code, Output, Words } from "../ui/words";

/** The newest items are on the page; more of the older ones as somebody scrolls up to them. */
const MOST_ITEMS = 400;
const FEWEST_MORE = 200;

/** Letters of the arguments that stand beside a call; all of them are where it is carried out. */
const MOST_ARGS = 120;

export interface Doings {
  onFork: (message: MessageItem) => void;
  onAllow: (host: string, port: number | null) => void;
}

export function Transcript(props: {
  items: Item[];
  live: Live[];
  allowed: string[];
  artifacts: Artifact[];
  isLoading: boolean;
  isOver: boolean;
  chosen: number | null;
  doings: Doings;
  children: ReactNode;
}) {
  const { items, live, allowed, artifacts, isLoading, isOver, chosen, doings, children } = props;
  const { body, end, isFollowing, leave } = useFollowing();

  const [first, setFirst] = useState(0);
  const newest = Math.max(0, Math.ceil((items.length - MOST_ITEMS) / FEWEST_MORE) * FEWEST_MORE);
  if (isFollowing && first !== newest) setFirst(newest);
  const top = useRef<HTMLButtonElement>(null);
  const earlier = (): void => setFirst((before) => Math.max(0, before - FEWEST_MORE));
  useEffect(() => {
    if (top.current === null || isFollowing) return;
    const sight = new IntersectionObserver(
      (changes) => {
        if (changes.some((one) => one.isIntersecting)) earlier();
      },
      { rootMargin: "600px 0px" },
    );
    sight.observe(top.current);
    return () => sight.disconnect();
  }, [first, isFollowing]);

  // Whoever goes about by keys gets there, also where it was not on the page yet.
  const chosenAt = chosen === null ? -1 : items.findIndex((one) => one.pos === chosen);
  useLayoutEffect(() => {
    if (chosenAt < 0) return;
    leave();
    setFirst((before) => Math.min(before, Math.max(0, chosenAt - 20)));
  }, [chosenAt, leave]);
  useEffect(() => {
    if (chosen !== null) {
      document.getElementById(`event-${chosen}`)?.scrollIntoView({ block: "nearest" });
    }
  }, [chosen, first]);

  return (
    <div ref={body}>
      {first > 0 && (
        <button type="button" className="earlier" ref={top} onClick={earlier}>
          {first} earlier
        </button>
      )}
      <div className="transcript" role="log" aria-label="Transcript" aria-live="polite">
        {isLoading && items.length === 0 && <Skeleton rows={4} />}
        <Said
          items={items}
          first={first}
          allowed={allowed}
          artifacts={artifacts}
          isOver={isOver}
          chosen={chosen}
          doings={doings}
        />
        {live.map((one) => (
          <Speaking key={one.key} live={one} />
        ))}
      </div>
      {children}
      <div ref={end} className="end" />
      {!isFollowing && (
        <button
          type="button"
          className="to-end"
          onClick={() => end.current?.scrollIntoView({ block: "end" })}
        >
          <Icon name="down" /> Newest
        </button>
      )}
    </div>
  );
}

const NONE: Artifact[] = [];

/** What is stored; drawn anew when something was added, and not with every word that comes. */
const Said = memo(function Said(props: {
  items: Item[];
  first: number;
  allowed: string[];
  artifacts: Artifact[];
  isOver: boolean;
  chosen: number | null;
  doings: Doings;
}) {
  const { items, first, allowed, artifacts, isOver, chosen, doings } = props;
  return items
    .slice(first)
    .map((item) => (
      <One
        key={`${item.pos} ${item.kind}`}
        item={item}
        doings={doings}
        isAllowed={item.kind === "egress" && allowed.includes(item.host)}
        isOver={item.kind === "egress" && isOver}
        artifacts={item.kind === "code" && item.artifacts.length > 0 ? artifacts : NONE}
        isChosen={item.pos === chosen}
      />
    ));
});

const One = memo(function One(props: {
  item: Item;
  doings: Doings;
  isAllowed: boolean;
  isOver: boolean;
  artifacts: Artifact[];
  isChosen: boolean;
}) {
  const { item, doings, isAllowed, isOver, artifacts, isChosen } = props;
  switch (item.kind) {
    case "message":
      return <Message item={item} onFork={doings.onFork} isChosen={isChosen} />;
    case "code":
      return <Ran item={item} artifacts={artifacts} />;
    case "tool":
      return <Tool item={item} />;
    case "egress":
      return <Refused item={item} isAllowed={isAllowed} isOver={isOver} onAllow={doings.onAllow} />;
    case "error":
      return <Failed item={item} />;
    case "note":
      return <Note item={item} />;
  }
});

function Message(props: { item: MessageItem; onFork: Doings["onFork"]; isChosen: boolean }) {
  const { item, onFork, isChosen } = props;
  const { at, isNear } = useNear<HTMLElement>();
  const words = isNear ? (
    <Words>{item.content}</Words>
  ) : (
    <div className="plain-words">{item.content}</div>
  );
  const isEmpty = item.content.trim() === "" && item.toolCalls.length === 0;
  return (
    <article
      ref={at}
      className={`message ${useHue(item.agent)} depth-${item.depth}${isChosen ? " is-chosen" : ""}`}
      data-testid="message"
      data-pos={item.pos}
      data-agent={item.agent}
      id={`event-${item.pos}`}
    >
      <Avatar name={item.agent} />
      <div className="message-body">
        <header>
          <strong className="agent">{item.agent}</strong>
          <span className="muted">to {item.recipient}</span>
          {item.original !== null && <span className="tag">edited</span>}
          <span className="spacer" />
          <Button kind="quiet" icon="fork" label={`Fork from message ${item.pos}`} hint="Fork from here" onClick={() => onFork(item)}>
            <span className="wide-only">Fork</span>
          </Button>
          <time className="muted" dateTime={new Date(item.at * 1000).toISOString()}>
            {clock(item.at)}
          </time>
        </header>
        {item.isRepeat ? (
          <p className="muted">passes on the results above</p>
        ) : item.isReport ? (
          <details className="fold">
            <summary>{item.content.split("\n", 1)[0] || "results"}</summary>
            <Output label="Reported results">{item.content}</Output>
          </details>
        ) : (
          item.content && words
        )}
        {isEmpty && <p className="muted">(an empty message)</p>}
        {item.toolCalls.map((call) => (
          <p key={call.id || call.name} className="call">
            <Icon name="tool" /> calls <code>{call.name}</code>{" "}
            <span className="muted small">{clipped(call.args, MOST_ARGS)}</span>
          </p>
        ))}
        {item.original !== null && (
          <details className="fold">
            <summary>What it said before the edit</summary>
            <Words>{item.original}</Words>
          </details>
        )}
      </div>
    </article>
  );
}

function Ran({ item, artifacts }: { item: CodeItem; artifacts: Artifact[] }) {
  const isOver = item.endPos !== null;
  const isBad = isOver && item.exitCode !== 0;
  const files = artifacts.filter((one) => one.pos === item.endPos);
  return (
    <div className={`ran depth-${item.depth}`}>
      <header>
        <Icon name="code" />
        <strong>{item.agent}</strong>
        <span>{isOver ? "ran" : "is running"} {item.blocks.length === 1 ? "a block" : `${item.blocks.length} blocks`} of {item.blocks[0]?.language || "code"}</span>
        <span className="spacer" />
        {isOver && (
          <span className={`badge tone-${isBad ? "bad" : "good"}`}>
            exit {item.exitCode}
          </span>
        )}
        {item.endAt !== null && <span className="muted">{duration(item.endAt - item.at)}</span>}
      </header>
      <details className="fold" open={false}>
        <summary>The code</summary>
        {item.blocks.map((block, n) => (
          <Code key={n} language={block.language} code={block.code} />
        ))}
      </details>
      {isOver && (
        <div data-testid="code-output">
          <Output label="Output of the code">{item.output.trimEnd() || "(no output)"}</Output>
        </div>
      )}
      {files.length > 0 && <Files artifacts={files} />}
    </div>
  );
}

/** Pictures as they are, other files to be saved. */
export function Files({ artifacts }: { artifacts: Artifact[] }) {
  const isPicture = (one: Artifact): boolean => /^image\/(png|jpeg|gif|webp)$/.test(one.media_type);
  return (
    <div className="files">
      {artifacts.map((one) => (
        <figure key={one.id} className="file">
          {isPicture(one) && <img src={api.artifactUrl(one.id)} alt={one.name} loading="lazy" />}
          <figcaption>
            <a href={api.artifactUrl(one.id)} download={one.name.split("/").at(-1)}>
              <Icon name="file" /> {one.name}
            </a>
            <span className="muted">{bytes(one.size)}</span>
          </figcaption>
        </figure>
      ))}
    </div>
  );
}

function Tool({ item }: { item: ToolItem }) {
  return (
    <div className={`ran depth-${item.depth}`}>
      <header>
        <Icon name="tool" />
        <strong>{item.agent}</strong>
        <span>
          {item.result === null ? "is calling" : "called"} <code>{item.name}</code>
        </span>
        <span className="spacer" />
        {item.isError && <span className="badge tone-bad">error</span>}
        {item.endAt !== null && <span className="muted">{duration(item.endAt - item.at)}</span>}
      </header>
      <details className="fold">
        <summary>Arguments</summary>
        <Code language="json" code={item.args} />
      </details>
      {item.result !== null && <Output label={`Result of ${item.name}`}>{item.result}</Output>}
    </div>
  );
}

/** A host that code may not reach; it can be allowed as long as there is code to reach it. */
function Refused(props: {
  item: EgressItem;
  isAllowed: boolean;
  isOver: boolean;
  onAllow: Doings["onAllow"];
}) {
  const { item, isAllowed, isOver, onAllow } = props;
  return (
    <div className={`refused depth-${item.depth}`}>
      <Icon name="shield" />
      <div>
        The code was kept from reaching <code>{item.host}</code>
        {item.port !== null && <>, port {item.port}</>}.
        <div className="muted small">{item.reason}</div>
      </div>
      {isAllowed ? (
        <span className="badge tone-good">allowed</span>
      ) : isOver ? (
        <span className="badge tone-plain">not allowed</span>
      ) : (
        <Button onClick={() => onAllow(item.host, item.port)}>Allow {item.host}</Button>
      )}
    </div>
  );
}

function Failed({ item }: { item: ErrorItem }) {
  return (
    <div className="failed" role="alert">
      <strong>{item.type}</strong>
      <p>{item.text}</p>
    </div>
  );
}

function Note({ item }: { item: NoteItem }) {
  return (
    <div className={`note tone-${item.tone}`}>
      <span>{item.words}</span>
    </div>
  );
}

/** Text that is not stored yet. */
function Speaking({ live }: { live: Live }) {
  const hue = useHue(live.agent);
  if (live.kind === "progress") {
    return (
      <p className="progress">
        <span className="dot is-live" aria-hidden="true" /> {live.text}
      </p>
    );
  }
  if (live.kind === "code.output") {
    return (
      <div className="ran" data-testid="code-output" aria-live="off">
        <pre className="output" tabIndex={0} role="group" aria-label="Live output">
          {live.text}
        </pre>
      </div>
    );
  }
  return (
    <article className={`message ${hue}`} data-testid="live-message" aria-live="off">
      <Avatar name={live.agent} />
      <div className="message-body">
        <header>
          <strong className="agent">{live.agent}</strong>
          <span className="muted">{live.isThought ? "is thinking" : "is writing"}</span>
        </header>
        <div className={`plain-words${live.isThought ? " muted" : ""}`}>
          {live.text}
          <span className="caret" aria-hidden="true" />
        </div>
      </div>
    </article>
  );
}
