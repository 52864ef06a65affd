/** Events of a run as the server tells them, and the parts of their data that the page shows. */

export interface StudioEvent {
  v: number;
  run_id: string;
  /** Null for live text, which is not stored. */
  pos: number | null;
  key: string | null;
  type: string;
  at: number;
  chat_id: string | null;
  agent: string | null;
  parent: string | null;
  data: Record<string, unknown>;
}

export interface CodeBlock {
  language: string;
  code: string;
}

export interface ArtifactRecord {
  name: string;
  mime: string;
  size_bytes: number;
  sha256: string;
}

export function text(value: unknown): string {
  if (typeof value === "string") return value;
  if (value === null || value === undefined) return "";
  return typeof value === "object" ? JSON.stringify(value, null, 2) : String(value);
}

export function number(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) ? value : 0;
}

/** What a message says: its text, or the texts of its parts. */
export function contentOf(message: unknown): string {
  if (typeof message === "string") return message;
  if (typeof message !== "object" || message === null) return "";
  const content = (message as { content?: unknown }).content;
  if (!Array.isArray(content)) return text(content);
  return content
    .map((part: unknown) => {
      const one = part as { type?: string; text?: unknown };
      return one.type === "image_url" ? "*(a picture)*" : text(one.text);
    })
    .join("\n\n");
}

/** The fenced blocks of code in a text. */
export function codeIn(words: string): CodeBlock[] {
  const found = words.matchAll(/^```([\w+-]*)[^\n]*\n([\s\S]*?)^```/gm);
  return [...found].map((one) => ({ language: one[1] ?? "", code: (one[2] ?? "").trimEnd() }));
}
