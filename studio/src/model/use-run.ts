/** Everything the page knows of one run: its log, its record, its questions and files. */

import { useCallback, useEffect, useReducer, useRef, useState } from "react";
import { type Artifact, Problem, type Question, type Run, api } from "../api";
import { type Connection, follow, isStill } from "../stream";
import { useRepeated } from "../ui/hooks";
import type { StudioEvent } from "./events";
import { EMPTY, type RunModel, reduce } from "./reducer";

/** Events after which the record of a run, its questions or its files are other ones. */
const CHANGING = new Set([
  "code.finished",
  "error",
  "question.answered",
  "question.asked",
  "question.expired",
  "run.finished",
  "run.paused",
  "run.resumed",
  "run.started",
]);

const LOOK_MS = 2000;

export interface RunState {
  model: RunModel;
  run: Run | null;
  questions: Question[];
  artifacts: Artifact[];
  connection: Connection;
  isMissing: boolean;
  /** Look at everything again, after something was done. */
  look: () => void;
}

export function useRun(id: string): RunState {
  const [model, take] = useReducer(
    (before: RunModel, events: readonly StudioEvent[]) => reduce(before, events),
    EMPTY,
  );
  const [run, setRun] = useState<Run | null>(null);
  const [questions, setQuestions] = useState<Question[]>([]);
  const [artifacts, setArtifacts] = useState<Artifact[]>([]);
  const [connection, setConnection] = useState<Connection>("connecting");
  const [isMissing, setMissing] = useState(false);
  const follower = useRef<ReturnType<typeof follow> | null>(null);
  const hasFiles = useRef(false);

  const look = useCallback((): void => {
    const asked = async (): Promise<void> => {
      try {
        const [now, open] = await Promise.all([api.run(id), api.questions(id)]);
        setRun(now);
        setQuestions(open);
        // Somebody had a run go on whose stream was over.
        if (!isStill(now.status)) follower.current?.again();
        if (hasFiles.current) setArtifacts(await api.artifacts(id));
      } catch (error) {
        if (error instanceof Problem && error.status === 404) setMissing(true);
      }
    };
    void asked();
  }, [id]);

  useEffect(() => {
    const made = follow(id, {
      connection: (state) => {
        setConnection(state);
        if (state === "over") look();
      },
      events: (events) => {
        take(events);
        if (events.some((one) => Array.isArray(one.data.artifacts) && one.data.artifacts.length > 0)) {
          hasFiles.current = true;
        }
        if (events.some((one) => CHANGING.has(one.type))) look();
      },
    });
    follower.current = made;
    return made.stop;
  }, [id, look]);

  useRepeated(() => {
    if (!isMissing) look();
  }, LOOK_MS);
  return { model, run, questions, artifacts, connection, isMissing, look };
}
