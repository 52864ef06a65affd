/** Text of agents: as Markdown once that part of the page is there, as it is until then. */

import { Suspense, lazy, memo } from "react";

/** The part of the page that draws Markdown; asked for ahead where there will be some. */
export const loadWords = () => import("./markdown");
const Markdown = lazy(loadWords);

/** Longer texts than this are folded. */
const MOST_LINES = 40;
const MOST_LETTERS = 6000;

export const Words = memo(function Words({ children }: { children: string }) {
  return (
    <Suspense fallback={<div className="plain-words">{children}</div>}>
      <Markdown>{children}</Markdown>
    </Suspense>
  );
});

export function Code({ language, code }: { language: string; code: string }) {
  const fence = "`".repeat(Math.max(3, longestTicks(code) + 1));
  return <Words>{`${fence}${language}\n${code}\n${fence}`}</Words>;
}

function longestTicks(code: string): number {
  return Math.max(0, ...[...code.matchAll(/`+/g)].map((one) => one[0].length));
}

/** Output of programs; a long one is folded after its beginning. */
export function Output({ children, label }: { children: string; label: string }) {
  const lines = children.split("\n");
  const isLong = lines.length > MOST_LINES || children.length > MOST_LETTERS;
  const pre = (words: string) => (
    <pre className="output" tabIndex={0} role="group" aria-label={label}>
      {words}
    </pre>
  );
  if (!isLong) return pre(children);
  return (
    <>
      {pre(lines.slice(0, 12).join("\n").slice(0, 2000))}
      <details className="fold">
        <summary>All {lines.length} lines</summary>
        {pre(children)}
      </details>
    </>
  );
}
