/** Begin a run: on any team, with files attached and a limit of money. */

import { type FormEvent, useEffect, useState } from "react";
import { type NewRun, type Team, api } from "../api";
import { go, paths } from "../router";
import { bytes } from "../ui/format";
import { useKept } from "../ui/hooks";
import { Alert, Button, Dialog } from "../ui/parts";

export function NewRunDialog({ onClose }: { onClose: () => void }) {
  const [teams, setTeams] = useState<Team[]>([]);
  const [last, setLast] = useKept("team", "", "always");
  const [message, setMessage] = useKept("new message", "");
  const [usd, setUsd] = useState("");
  const [steps, setSteps] = useState("");
  const [files, setFiles] = useState<File[]>([]);
  const [trouble, setTrouble] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);

  useEffect(() => {
    api.teams().then(setTeams, (error: unknown) => {
      setTrouble(error instanceof Error ? error.message : String(error));
    });
  }, []);
  const team = teams.find((one) => one.name === last) ?? teams[0];

  const begin = async (event?: FormEvent): Promise<void> => {
    event?.preventDefault();
    if (!team || isBusy) return;
    setBusy(true);
    setTrouble(null);
    try {
      const asked: NewRun = { team: team.name };
      if (message.trim()) asked.message = message;
      const budget: NonNullable<NewRun["budget"]> = {};
      if (usd.trim()) budget.usd = Number(usd);
      if (steps.trim()) budget.steps = Number(steps);
      if (Object.keys(budget).length > 0) asked.budget = budget;
      if (files.length > 0) {
        asked.files = (await Promise.all(files.map((file) => api.upload(file)))).map((one) => one.id);
      }
      const run = await api.begin(asked);
      setMessage("");
      onClose();
      go(paths.run(run.id));
    } catch (error) {
      setTrouble(error instanceof Error ? error.message : String(error));
      setBusy(false);
    }
  };

  return (
    <Dialog title="New run" onClose={onClose}>
      <form
        onSubmit={(event) => void begin(event)}
        onKeyDown={(event) => {
          if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) void begin();
        }}
      >
        <label className="field">
          <span>Team</span>
          <select value={team?.name ?? ""} onChange={(event) => setLast(event.target.value)}>
            {teams.map((one) => (
              <option key={one.name} value={one.name}>
                {one.name}
              </option>
            ))}
          </select>
        </label>
        {team?.description && <p className="muted small hint">{team.description}</p>}
        <label className="field">
          <span>Message</span>
          <textarea
            rows={5}
            autoFocus
            value={message}
            placeholder="What the team is to do"
            onChange={(event) => setMessage(event.target.value)}
          />
        </label>
        <div className="field-row">
          <label className="field">
            <span>Files</span>
            <input type="file" multiple onChange={(event) => setFiles([...(event.target.files ?? [])])} />
          </label>
          <label className="field narrow">
            <span>Most steps</span>
            <input
              type="number"
              min="1"
              step="1"
              inputMode="numeric"
              placeholder="no limit"
              value={steps}
              onChange={(event) => setSteps(event.target.value)}
            />
          </label>
          <label className="field narrow">
            <span>Most US dollars</span>
            <input
              type="number"
              min="0"
              step="any"
              inputMode="decimal"
              placeholder="no limit"
              value={usd}
              onChange={(event) => setUsd(event.target.value)}
            />
          </label>
        </div>
        {files.length > 0 && (
          <p className="muted small">{files.map((one) => `${one.name} (${bytes(one.size)})`).join(", ")}</p>
        )}
        {trouble && <Alert>{trouble}</Alert>}
        <div className="actions">
          <span className="muted small wide-only">Ctrl+Enter starts it</span>
          <span className="spacer" />
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" type="submit" icon="play" disabled={isBusy || !team}>
            Start run
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
