/**
 * Addresses: `/studio`, `/studio/usage`, `/studio/runs/ID`, a view of it in `/studio/runs/ID/VIEW`,
 * and `/studio/runs/ID/diff/OTHER`.
 */

import { useSyncExternalStore } from "react";

export type Route =
  | { name: "runs" }
  | { name: "usage" }
  | { name: "run"; id: string; view: View }
  | { name: "diff"; id: string; other: string };

export const VIEWS = ["transcript", "timeline", "team", "files"] as const;
export type View = (typeof VIEWS)[number];

export function routeOf(path: string): Route {
  const parts = path.split("/").slice(1).map(decode);
  if (parts[0] !== "studio") return { name: "runs" };
  if (parts[1] === "usage") return { name: "usage" };
  if (parts[1] === "runs" && parts[2]) {
    if (parts[3] === "diff" && parts[4]) return { name: "diff", id: parts[2], other: parts[4] };
    return { name: "run", id: parts[2], view: VIEWS.find((one) => one === parts[3]) ?? "transcript" };
  }
  return { name: "runs" };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export const paths = {
  runs: "/studio",
  usage: "/studio/usage",
  run: (id: string, view: View = "transcript") =>
    `/studio/runs/${encodeURIComponent(id)}${view === "transcript" ? "" : `/${view}`}`,
  diff: (id: string, other: string) =>
    `/studio/runs/${encodeURIComponent(id)}/diff/${encodeURIComponent(other)}`,
};

const listeners = new Set<() => void>();

function tell(): void {
  for (const told of listeners) told();
}

export function go(path: string): void {
  history.pushState(null, "", path);
  window.scrollTo(0, 0);
  tell();
}

export function useRoute(): Route {
  const path = useSyncExternalStore(
    (told) => {
      listeners.add(told);
      window.addEventListener("popstate", told);
      return () => {
        listeners.delete(told);
        window.removeEventListener("popstate", told);
      };
    },
    () => location.pathname,
  );
  return routeOf(path);
}
