import type { MouseEvent, ReactNode } from "react";
import { go } from "../router";

/** A link inside the studio; opens in another tab the way every link does. */
export function Link(props: {
  to: string;
  children: ReactNode;
  className?: string;
  current?: boolean;
  testId?: string;
  runId?: string;
}) {
  const { to, children, className, current, testId, runId } = props;
  const click = (event: MouseEvent): void => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    go(to);
  };
  return (
    <a
      href={to}
      className={className}
      onClick={click}
      aria-current={current ? "page" : undefined}
      data-testid={testId}
      data-run-id={runId}
    >
      {children}
    </a>
  );
}
