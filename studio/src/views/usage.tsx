/** What models were asked, and what it cost: by model, by agent, by day. */

import { useEffect, useState } from "react";
import { type Budget, type UsageRow, api } from "../api";
import { LIMITS, count, money } from "../ui/format";
import { Alert, Empty, Gauge, Skeleton } from "../ui/parts";

const BY = { model: "Model", agent: "Agent", day: "Day" } as const;
type By = keyof typeof BY;

export function UsageView() {
  const [by, setBy] = useState<By>("model");
  const [rows, setRows] = useState<UsageRow[] | null>(null);
  const [trouble, setTrouble] = useState<string | null>(null);

  useEffect(() => {
    document.title = "Usage · autogen studio";
    let isWanted = true;
    api.usage(by).then(
      (found) => isWanted && setRows(by === "day" ? found : found.sort(dearestFirst)),
      (error: unknown) => isWanted && setTrouble(error instanceof Error ? error.message : String(error)),
    );
    return () => {
      isWanted = false;
    };
  }, [by]);

  const whole = (rows ?? []).reduce((sum, one) => sum + one.cost_usd, 0);
  const isKnown = (rows ?? []).every((one) => one.is_cost_known);
  const most = Math.max(0, ...(rows ?? []).map((one) => one.cost_usd));
  return (
    <div className="usage">
      <header className="page-head">
        <h1>Usage</h1>
      </header>
      <div className="filters" role="group" aria-label="Sums for">
        {(Object.keys(BY) as By[]).map((name) => (
          <button key={name} type="button" aria-pressed={name === by} onClick={() => setBy(name)}>
            {BY[name]}
          </button>
        ))}
      </div>
      {trouble && <Alert>{trouble}</Alert>}
      {rows === null && !trouble && <Skeleton rows={4} />}
      {rows?.length === 0 && (
        <Empty title="No model has been asked yet.">
          <p>What runs cost, and who spent it, is summed up here.</p>
        </Empty>
      )}
      {rows !== null && rows.length > 0 && (
        <div className="table-scroll" tabIndex={0} role="group" aria-label="Usage">
          <table className="steps">
            <thead>
              <tr>
                <th scope="col">{BY[by]}</th>
                <th scope="col" className="num">Cost</th>
                <th scope="col" className="num">Calls</th>
                <th scope="col" className="num">Cached</th>
                <th scope="col" className="num">In</th>
                <th scope="col" className="num">Out</th>
                <th scope="col" className="bars">Share</th>
              </tr>
            </thead>
            <tbody>
              {rows.map((one) => (
                <tr key={one.key ?? ""}>
                  <td>{one.key ?? "(nobody said)"}</td>
                  <td className="num">{money(one.cost_usd, one.is_cost_known)}</td>
                  <td className="num">{count(one.n_calls)}</td>
                  <td className="num">{count(one.n_cached)}</td>
                  <td className="num">{count(one.prompt_tokens)}</td>
                  <td className="num">{count(one.completion_tokens)}</td>
                  <td className="bars">
                    <span className="bar kind-model" style={{ width: `${most > 0 ? (one.cost_usd / most) * 100 : 0}%` }} />
                  </td>
                </tr>
              ))}
            </tbody>
            <tfoot>
              <tr>
                <th scope="row">All</th>
                <td className="num">{money(whole, isKnown)}</td>
                <td className="num">{count(sumOf(rows, "n_calls"))}</td>
                <td className="num">{count(sumOf(rows, "n_cached"))}</td>
                <td className="num">{count(sumOf(rows, "prompt_tokens"))}</td>
                <td className="num">{count(sumOf(rows, "completion_tokens"))}</td>
                <td className="bars" />
              </tr>
            </tfoot>
          </table>
        </div>
      )}
      <Budgets />
    </div>
  );
}

type Sum = "n_calls" | "n_cached" | "prompt_tokens" | "completion_tokens";

function sumOf(rows: UsageRow[], of: Sum): number {
  return rows.reduce((sum, one) => sum + one[of], 0);
}

function dearestFirst(a: UsageRow, b: UsageRow): number {
  return b.cost_usd - a.cost_usd || b.n_calls - a.n_calls;
}

/** The budgets that runs share, for those who may see them. */
function Budgets() {
  const [budgets, setBudgets] = useState<Budget[]>([]);
  const [isMore, setMore] = useState(false);
  useEffect(() => {
    api.budgets().then(
      (page) => {
        setBudgets(page.items);
        setMore(page.next !== null);
      },
      // Whoever may not see them is shown none: the sums above are what they came for.
      () => undefined,
    );
  }, []);
  if (budgets.length === 0) return null;
  return (
    <section className="budgets" aria-labelledby="budgets">
      <h2 id="budgets">Budgets</h2>
      <ul>
        {budgets.map((one) => (
          <li key={one.name}>
            <strong>{one.name}</strong>
            {one.is_spent && <span className="badge tone-warn">spent</span>}
            <dl className="meter">
              {LIMITS.filter(({ key }) => one.limits[key] !== null).map(({ key, label, unit }) => (
                <Gauge
                  key={key}
                  label={label}
                  shown={unit(one.spent[key] ?? 0)}
                  of={one.limits[key]}
                  spent={one.spent[key]}
                  unit={unit}
                />
              ))}
            </dl>
          </li>
        ))}
      </ul>
      {isMore && <p className="muted">These are the first {budgets.length} by name.</p>}
    </section>
  );
}
