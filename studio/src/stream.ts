/** The events of a run as they come, across servers that go away and come back. */

import { Problem, STILL, type Status, api } from "./api";
import type { StudioEvent } from "./model/events";

export type Connection = "connecting" | "open" | "reconnecting" | "over";

const FIRST_WAIT_MS = 400;
const MOST_WAIT_MS = 8000;

/** Answers that asking again does not change. */
const FOR_GOOD = new Set([401, 403, 404, 422]);

export interface Follower {
  events: (events: StudioEvent[]) => void;
  connection: (state: Connection) => void;
}

/**
 * Follow a run until `stop` is called. Events are handed on in batches, once a frame; each stored
 * one at least once (whoever reads them again knows them by their `pos`).
 */
export function follow(runId: string, to: Follower): { stop: () => void; again: () => void } {
  let source: EventSource | null = null;
  let lastPos = 0;
  let waitMs = FIRST_WAIT_MS;
  let timer: number | undefined;
  let batch: StudioEvent[] = [];
  let isScheduled = false;
  let isStopped = false;

  const flush = (): void => {
    isScheduled = false;
    const now = batch;
    batch = [];
    if (now.length > 0) to.events(now);
  };

  const take = (message: MessageEvent<string>): void => {
    const event = JSON.parse(message.data) as StudioEvent;
    lastPos = event.pos ?? lastPos;
    batch.push(event);
    if (!isScheduled) {
      isScheduled = true;
      // A page in the background gets no frames, and is not to fall behind for that.
      if (document.hidden) window.setTimeout(flush, 50);
      else requestAnimationFrame(flush);
    }
  };

  const close = (): void => {
    window.clearTimeout(timer);
    source?.close();
    source = null;
  };

  const open = (): void => {
    close();
    const made = new EventSource(api.eventsUrl(runId, lastPos));
    source = made;
    made.onopen = () => {
      waitMs = FIRST_WAIT_MS;
      to.connection("open");
    };
    made.onmessage = take;
    made.addEventListener("live", take);
    made.addEventListener("end", () => {
      close();
      to.connection("over");
    });
    made.onerror = () => {
      close();
      to.connection("reconnecting");
      timer = window.setTimeout(retry, waitMs);
      waitMs = Math.min(MOST_WAIT_MS, waitMs * 2);
    };
  };

  /** An ordinary request first: its answer says whether we are still known. */
  const retry = async (): Promise<void> => {
    try {
      await api.run(runId);
      if (!isStopped) open();
    } catch (error) {
      if (isStopped) return;
      if (error instanceof Problem && FOR_GOOD.has(error.status)) {
        to.connection("over");
        return;
      }
      timer = window.setTimeout(retry, waitMs);
      waitMs = Math.min(MOST_WAIT_MS, waitMs * 2);
    }
  };

  open();
  return {
    stop: () => {
      isStopped = true;
      close();
    },
    again: () => {
      if (source === null) open();
    },
  };
}

export function isStill(status: Status | undefined): boolean {
  return status !== undefined && STILL.has(status);
}
