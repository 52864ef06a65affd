/** The way in for whoever has no cookie yet. */

import { type FormEvent, useEffect, useState } from "react";
import { Problem, api } from "../api";
import { Alert, Button } from "../ui/parts";

const WRONG = "That is not the token of this server, nor a key that holds.";

export function SignIn({ isRefused, onDone }: { isRefused: boolean; onDone: () => void }) {
  const [token, setToken] = useState("");
  const [trouble, setTrouble] = useState<string | null>(isRefused ? WRONG : null);
  // Whoever came in through another window is in here as well.
  useEffect(() => {
    const look = (): void => {
      if (!document.hidden) api.teams().then(onDone, () => undefined);
    };
    window.addEventListener("focus", look);
    document.addEventListener("visibilitychange", look);
    return () => {
      window.removeEventListener("focus", look);
      document.removeEventListener("visibilitychange", look);
    };
  }, [onDone]);
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    try {
      await api.signIn(token.trim());
      onDone();
    } catch (error) {
      const isWrong = error instanceof Problem && error.status === 401;
      setTrouble(isWrong ? WRONG : error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <main className="sign-in">
      <form onSubmit={(event) => void submit(event)}>
        <img src="/favicon.svg" alt="" width="40" height="40" />
        <h1>Sign in</h1>
        <p className="muted">
          The server printed a token when it started. Open the address that <code>autogen studio</code>{" "}
          shows, or paste the token (or a key) here.
        </p>
        <label className="field">
          <span>Token</span>
          <input type="password" autoComplete="off" autoFocus value={token} onChange={(event) => setToken(event.target.value)} />
        </label>
        {trouble && <Alert>{trouble}</Alert>}
        <Button kind="primary" type="submit" disabled={!token.trim()}>
          Sign in
        </Button>
      </form>
    </main>
  );
}
