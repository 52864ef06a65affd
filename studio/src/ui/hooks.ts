/** Hooks that have nothing to do with runs. */

import { useCallback, useEffect, useRef, useState } from "react";

/** A value that a reload keeps, for this tab or for good; used where storage is denied as well. */
export function useKept(key: string, start: string, where: "tab" | "always" = "tab") {
  const [value, set] = useState(() => read(key, where) ?? start);
  const keep = useCallback(
    (next: string) => {
      set(next);
      try {
        const storage = where === "tab" ? sessionStorage : localStorage;
        if (next === start) storage.removeItem(key);
        else storage.setItem(key, next);
      } catch {
        // Kept until the page goes.
      }
    },
    [key, start, where],
  );
  return [value, keep] as const;
}

function read(key: string, where: "tab" | "always"): string | null {
  try {
    return (where === "tab" ? sessionStorage : localStorage).getItem(key);
  } catch {
    return null;
  }
}

/** Have a key of the keyboard do something, unless somebody is writing. */
export function useKey(wanted: string, act: () => void, isOn = true): void {
  const latest = useRef(act);
  latest.current = act;
  useEffect(() => {
    if (!isOn) return;
    const hear = (event: KeyboardEvent): void => {
      const at = event.target;
      const isWriting =
        at instanceof HTMLElement && (at.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(at.tagName));
      const isPlain = !event.ctrlKey && !event.metaKey && !event.altKey;
      if (event.key !== wanted || isWriting || !isPlain || document.querySelector("dialog[open]")) return;
      event.preventDefault();
      latest.current();
    };
    window.addEventListener("keydown", hear);
    return () => window.removeEventListener("keydown", hear);
  }, [wanted, isOn]);
}

/** Ask now and again, every `everyMs`, as long as somebody looks at the page. */
export function useRepeated(act: () => void, everyMs: number): void {
  const latest = useRef(act);
  latest.current = act;
  useEffect(() => {
    latest.current();
    const timer = window.setInterval(() => {
      if (!document.hidden) latest.current();
    }, everyMs);
    const look = (): void => {
      if (!document.hidden) latest.current();
    };
    document.addEventListener("visibilitychange", look);
    return () => {
      window.clearInterval(timer);
      document.removeEventListener("visibilitychange", look);
    };
  }, [everyMs]);
}
