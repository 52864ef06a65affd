/** Small parts that several views share. */

import { type ReactNode, useEffect, useRef } from "react";
import type { Run, Status } from "../api";
import { initials } from "./format";
import { useHue } from "./hues";
import { Icon, type IconName } from "./icons";

const STATUS_TONE: Record<Status, string> = {
  queued: "plain",
  running: "accent",
  waiting: "warn",
  paused: "plain",
  finished: "good",
  failed: "bad",
  cancelled: "plain",
  dead: "bad",
};

/** What had a run stop that could go on, where nobody paused it. */
const STOPPED: Record<string, string> = {
  budget: "budget spent",
  timeout: "out of time",
};

export function StatusBadge({ run, testId }: { run: Run; testId?: string }) {
  const { status } = run;
  const stopped = status === "paused" ? STOPPED[run.stop_reason ?? ""] : undefined;
  return (
    <span className={`badge tone-${stopped ? "warn" : STATUS_TONE[status]}`} data-testid={testId}>
      <span className={`dot${status === "running" ? " is-live" : ""}`} aria-hidden="true" />
      {stopped ?? (status === "waiting" ? "waiting for you" : status)}
    </span>
  );
}

export function Avatar({ name }: { name: string }) {
  return (
    <span className={`avatar ${useHue(name)}`} aria-hidden="true">
      {initials(name)}
    </span>
  );
}

export function Button(props: {
  children: ReactNode;
  onClick?: () => void;
  icon?: IconName;
  kind?: "primary" | "plain" | "quiet" | "danger";
  label?: string;
  disabled?: boolean;
  type?: "button" | "submit";
  hint?: string;
}) {
  const { children, icon, kind = "plain", label, hint, type = "button", ...rest } = props;
  return (
    <button type={type} className={`button ${kind}`} aria-label={label} title={hint} {...rest}>
      {icon && <Icon name={icon} />}
      {children}
    </button>
  );
}

/** A dialog over the page: keeps the focus, closes by Escape, and gives the focus back. */
export function Dialog(props: { title: string; onClose: () => void; children: ReactNode }) {
  const { title, onClose, children } = props;
  const at = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const opener = document.activeElement;
    const dialog = at.current;
    dialog?.showModal();
    // Where people write first; else the button that closes it has the focus.
    dialog?.querySelector<HTMLElement>("textarea, input:not([type=file])")?.focus();
    return () => {
      dialog?.close();
      if (opener instanceof HTMLElement) opener.focus();
    };
  }, []);
  return (
    <dialog
      ref={at}
      className="dialog"
      aria-label={title}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => {
        if (event.target === at.current) onClose();
      }}
    >
      <div className="dialog-body">
        <header className="dialog-head">
          <h2>{title}</h2>
          <Button kind="quiet" icon="cross" label="Close" onClick={onClose}>
            {null}
          </Button>
        </header>
        {children}
      </div>
    </dialog>
  );
}

export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <p className="empty-title">{title}</p>
      {children}
    </div>
  );
}

export function Skeleton({ rows }: { rows: number }) {
  return (
    <div aria-busy="true" aria-label="Loading" role="group">
      {Array.from({ length: rows }, (_, n) => (
        <div key={n} className="skeleton" />
      ))}
    </div>
  );
}

export function Alert({ children }: { children: ReactNode }) {
  return (
    <p className="alert" role="alert">
      {children}
    </p>
  );
}

/** An amount, and how much of its limit that is where there is one. */
export function Gauge(props: {
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
