/** The frame of the page: who is in, where we are, light or dark, and the keys. */

import { useEffect, useState } from "react";
import { api, onSignedOut } from "./api";
import { paths, useRoute } from "./router";
import { useKey, useKept } from "./ui/hooks";
import { Icon } from "./ui/icons";
import { Link } from "./ui/link";
import { Button, Dialog } from "./ui/parts";
import { DiffView } from "./views/diff";
import { NewRunDialog } from "./views/new-run";
import { RunView } from "./views/run";
import { RunsView } from "./views/runs";
import { SignIn } from "./views/sign-in";
import { UsageView } from "./views/usage";

const KEYS: [string, string][] = [
  ["n", "New run"],
  ["/", "Search runs"],
  ["j / k", "Next and previous run or message"],
  ["Enter", "Open the chosen run"],
  ["b", "Back to the runs"],
  ["a", "Approve what is asked"],
  ["e", "Edit it before it is approved"],
  ["d", "Deny it"],
  ["f", "Fork from the chosen message"],
  ["t", "Light or dark"],
  ["Ctrl+Enter", "Send what you write"],
  ["?", "This sheet"],
];

/** The token of an address that lets in: given away for a cookie, and gone from the address. */
function takeToken(): string | null {
  const found = /^#token=(.+)$/.exec(location.hash)?.[1];
  if (found === undefined) return null;
  history.replaceState(null, "", location.pathname === "/" ? paths.runs : location.pathname);
  try {
    return decodeURIComponent(found);
  } catch {
    return found;
  }
}

export function App() {
  const route = useRoute();
  const [entry, setEntry] = useState<"checking" | "in" | "out">("checking");
  const [isRefused, setRefused] = useState(false);
  const [isNew, setNew] = useState(false);
  const [isHelp, setHelp] = useState(false);
  const [theme, nextTheme] = useTheme();

  useEffect(() => {
    onSignedOut(() => setEntry("out"));
    const token = takeToken();
    const known = token === null ? api.teams() : api.signIn(token);
    known.then(
      () => setEntry("in"),
      (error: { status?: number }) => {
        setRefused(token !== null && error.status === 401);
        setEntry(error.status === 401 ? "out" : "in");
      },
    );
  }, []);

  const isIn = entry === "in";
  useKey("n", () => setNew(true), isIn);
  useKey("?", () => setHelp(true), isIn);
  useKey("t", nextTheme);

  if (entry === "checking") return <main className="blank" aria-busy="true" />;
  if (entry === "out") return <SignIn isRefused={isRefused} onDone={() => setEntry("in")} />;
  return (
    <div className="frame">
      <nav className="rail" aria-label="Studio">
        <Link to={paths.runs} className="brand">
          <img src="/favicon.svg" alt="" width="24" height="24" />
          <span>autogen studio</span>
        </Link>
        <Link to={paths.runs} className="rail-link" current={route.name !== "usage"}>
          <Icon name="runs" /> <span>Runs</span>
        </Link>
        <Link to={paths.usage} className="rail-link" current={route.name === "usage"}>
          <Icon name="chart" /> <span>Usage</span>
        </Link>
        <span className="spacer" />
        {route.name !== "runs" && (
          <Button icon="plus" hint="n" label="New run" onClick={() => setNew(true)}>
            <span className="wide-only">New run</span>
          </Button>
        )}
        <Button kind="quiet" icon="keyboard" label="Keyboard shortcuts" hint="?" onClick={() => setHelp(true)}>
          <span className="wide-only">Keys</span>
        </Button>
        <Button kind="quiet" icon={theme === "dark" ? "sun" : "moon"} label={`Switch theme (now ${theme})`} hint="t" onClick={nextTheme}>
          <span className="wide-only">{theme === "dark" ? "Light" : "Dark"}</span>
        </Button>
      </nav>
      <main className="main" id="main">
        {route.name === "runs" && <RunsView onNew={() => setNew(true)} />}
        {route.name === "usage" && <UsageView />}
        {route.name === "run" && <RunView key={route.id} id={route.id} view={route.view} />}
        {route.name === "diff" && <DiffView id={route.id} other={route.other} />}
      </main>
      {isNew && <NewRunDialog onClose={() => setNew(false)} />}
      {isHelp && (
        <Dialog title="Keyboard shortcuts" onClose={() => setHelp(false)}>
          <dl className="keys">
            {KEYS.map(([key, words]) => (
              <div key={key}>
                <dt>
                  <kbd>{key}</kbd>
                </dt>
                <dd>{words}</dd>
              </div>
            ))}
          </dl>
        </Dialog>
      )}
    </div>
  );
}

/** What the machine says, until somebody switches. */
function useTheme(): [string, () => void] {
  const [kept, keep] = useKept("theme", "", "always");
  const [machine, setMachine] = useState(() => matchMedia("(prefers-color-scheme: dark)").matches);
  useEffect(() => {
    const query = matchMedia("(prefers-color-scheme: dark)");
    const hear = (): void => setMachine(query.matches);
    query.addEventListener("change", hear);
    return () => query.removeEventListener("change", hear);
  }, []);
  const theme = kept || (machine ? "dark" : "light");
  useEffect(() => {
    document.documentElement.dataset.theme = theme;
  }, [theme]);
  return [theme, () => keep(theme === "dark" ? "light" : "dark")];
}
