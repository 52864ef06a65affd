/** What an agent asks people: approve, edit, deny, or say something. Drafts survive a reload. */

import { useState } from "react";
import { type Answer, Problem, type Question, api } from "../api";
import { codeIn } from "../model/events";
import type { MessageItem } from "../model/reducer";
import { useKey, useKept } from "../ui/hooks";
import { Alert, Avatar, Button } from "../ui/parts";
import { Code, Words } from "../ui/words";

type Mode = "choose" | "edit" | "deny" | "text";

export function QuestionCard(props: {
  question: Question;
  about: MessageItem | undefined;
  onAnswered: () => void;
  /** Somebody else was faster, or the time was up: told elsewhere, because this card goes. */
  onLate: (words: string) => void;
}) {
  const { question, about, onAnswered, onLate } = props;
  const isApproval = question.kind === "approve";
  const original = about ? about.content || about.toolCalls.map((one) => one.args).join("\n") : "";
  const [mode, setMode] = useKept(`mode ${question.id}`, isApproval ? "choose" : "text");
  const [edited, setEdited] = useKept(`edit ${question.id}`, original);
  const [reason, setReason] = useKept(`deny ${question.id}`, "");
  const [words, setWords] = useKept(`text ${question.id}`, "");
  const [isBusy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<string | null>(null);

  const send = async (answer: Answer): Promise<void> => {
    setBusy(true);
    setTrouble(null);
    try {
      await api.answer(question.id, answer);
      onAnswered();
    } catch (error) {
      const isOver = error instanceof Problem && (error.status === 409 || error.status === 410);
      const words = error instanceof Error ? error.message : String(error);
      if (isOver) {
        onLate(words);
        onAnswered();
      } else {
        setTrouble(words);
      }
      setBusy(false);
    }
  };

  useKey("a", () => void send({ action: "approve" }), isApproval && mode === "choose" && !isBusy);
  useKey("e", () => setMode("edit"), isApproval && mode === "choose");
  useKey("d", () => setMode("deny"), isApproval && mode === "choose");

  const field = (label: string, value: string, set: (next: string) => void, onSend: () => void, rows = 2) => (
    <label className="field">
      <span>{label}</span>
      <textarea
        rows={rows}
        value={value}
        autoFocus={mode !== "text"}
        onChange={(event) => set(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) onSend();
        }}
      />
    </label>
  );

  return (
    <section className="question" aria-label="Question">
      <header>
        <Avatar name={question.agent} />
        <div>
          <strong>{question.agent}</strong>{" "}
          {isApproval ? "asks whether to go on with this" : "asks for your answer"}
          <Deadline at={question.deadline_at} />
        </div>
      </header>
      {isApproval && mode !== "edit" && about && <Proposal message={about} />}
      {!(isApproval && about) && <p className="prompt">{forPages(question.prompt)}</p>}
      {mode === "edit" && field("Edited message", edited, setEdited, () => void send({ action: "edit", text: edited }), Math.min(18, edited.split("\n").length + 1))}
      {mode === "deny" && field("Reason", reason, setReason, () => void send({ action: "deny", text: reason }))}
      {mode === "text" && field("Answer", words, setWords, () => void send({ action: "text", text: words }))}
      {trouble && <Alert>{trouble}</Alert>}
      <div className="actions">
        {mode === "choose" && (
          <>
            <Button kind="primary" icon="check" disabled={isBusy} hint="a" onClick={() => void send({ action: "approve" })}>
              Approve
            </Button>
            {about && (
              <Button disabled={isBusy} hint="e" onClick={() => setMode("edit")}>
                Edit
              </Button>
            )}
            <Button disabled={isBusy} hint="d" onClick={() => setMode("deny")}>
              Deny
            </Button>
            <Button kind="quiet" disabled={isBusy} onClick={() => setMode("text")}>
              Reply instead
            </Button>
          </>
        )}
        {mode === "edit" && (
          <Button kind="primary" disabled={isBusy} onClick={() => void send({ action: "edit", text: edited })}>
            Approve edited
          </Button>
        )}
        {mode === "deny" && (
          <Button kind="primary" disabled={isBusy} onClick={() => void send({ action: "deny", text: reason })}>
            Send denial
          </Button>
        )}
        {mode === "text" && (
          <Button kind="primary" disabled={isBusy} onClick={() => void send({ action: "text", text: words })}>
            Send
          </Button>
        )}
        {mode !== "choose" && isApproval && (
          <Button kind="quiet" onClick={() => setMode("choose" satisfies Mode)}>
            Back
          </Button>
        )}
        <span className="spacer" />
        <Button kind="danger" icon="stop" disabled={isBusy} onClick={() => void send({ action: "stop" })}>
          Stop
        </Button>
      </div>
    </section>
  );
}

/** The words of the agents' own questions are for terminals; here there are buttons. */
function forPages(prompt: string): string {
  return prompt
    .trim()
    .replace(/Enter alone (lets|ends)/, "An empty answer $1")
    .replace(/'exit' ends the chat:?$/, "Stop ends the chat.")
    .replace(/(lets the agent answer|ends the chat):$/, "$1.");
}

/** What is to be approved: the code of a message, its calls of tools, or all of it. */
function Proposal({ message }: { message: MessageItem }) {
  const blocks = codeIn(message.content);
  return (
    <div className="proposal">
      {message.toolCalls.map((call) => (
        <div key={call.id || call.name}>
          <p className="muted">
            call <code>{call.name}</code> with
          </p>
          <Code language="json" code={call.args} />
        </div>
      ))}
      {blocks.length > 0
        ? blocks.map((one, n) => <Code key={n} language={one.language} code={one.code} />)
        : message.toolCalls.length === 0 && <Words>{message.content}</Words>}
    </div>
  );
}

function Deadline({ at }: { at: string | null }) {
  if (at === null) return null;
  return <span className="muted"> · until {new Date(at).toLocaleString()}</span>;
}
