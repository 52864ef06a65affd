/** Numbers, times and names as people read them. */

import type { Amounts } from "../api";

export function money(usd: number | null, isKnown = true): string {
  if (usd === null) return "unknown";
  const digits = usd === 0 ? 2 : usd < 0.01 ? 4 : usd < 1 ? 3 : 2;
  return `${isKnown ? "" : "≥ "}$${usd.toFixed(digits)}`;
}

export function count(n: number): string {
  if (n < 1000) return String(n);
  if (n < 1_000_000) return `${(n / 1000).toFixed(n < 10_000 ? 1 : 0)}k`;
  return `${(n / 1_000_000).toFixed(1)}M`;
}

export function duration(seconds: number): string {
  if (seconds < 1) return `${Math.max(0, Math.round(seconds * 1000))} ms`;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function bytes(n: number): string {
  if (n < 1024) return `${n} B`;
  if (n < 1024 * 1024) return `${(n / 1024).toFixed(1)} KiB`;
  return `${(n / 1024 / 1024).toFixed(1)} MiB`;
}

export function age(iso: string | null, now = Date.now()): string {
  if (iso === null) return "";
  const seconds = Math.max(0, (now - Date.parse(iso)) / 1000);
  if (seconds < 60) return "just now";
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86_400)} d ago`;
}

export function clock(at: number): string {
  const time = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" } as const;
  return new Date(at * 1000).toLocaleTimeString(undefined, time);
}

/** The beginning of a text, on one line. */
export function clipped(text: string, most: number): string {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > most ? `${line.slice(0, most - 1).trimEnd()}…` : line;
}

export function initials(name: string): string {
  const parts = name.split(/[^\p{L}\p{N}]+/u).filter(Boolean);
  const letters = parts.length > 1 ? `${parts[0]?.[0] ?? ""}${parts[1]?.[0] ?? ""}` : name.slice(0, 2);
  return letters.toUpperCase();
}

/** What a budget may limit, and how its amounts are read. */
export const LIMITS: { key: keyof Amounts; label: string; unit: (n: number) => string }[] = [
  { key: "usd", label: "US dollars", unit: (n) => money(n) },
  { key: "tokens", label: "Tokens", unit: count },
  { key: "steps", label: "Steps", unit: count },
  { key: "seconds", label: "Seconds", unit: duration },
  { key: "code_seconds", label: "Seconds of code", unit: duration },
];
