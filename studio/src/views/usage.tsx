/** What models were asked, and what it cost: by model, by agent, by day. */

import { useEffect, useState } from "react";
import { type UsageRow, api } from "../api";
import { count, money } from "../ui/format";
import { Alert, Empty, Skeleton } from "../ui/parts";

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
      (found) => isWanted && setRows(found),
      (error: unknown) => isWanted && setTrouble(error instanceof Error ? error.message : String(error)),
    );
    return () => {
      isWanted = false;
    };
  }, [by]);

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
      {rows?.length === 0 && <Empty title="No model has been asked yet." />}
      {rows !== null && rows.length > 0 && (
        <div className="table-scroll" tabIndex={0} role="group" aria-label="Usage">
          <table className="steps">
            <thead>
              <tr>
                <th scope="col">{BY[by]}</th>
                <th scope="col" className="num">Calls</th>
                <th scope="col" className="num">Cached</th>
                <th scope="col" className="num">In</th>
                <th scope="col" className="num">Out</th>
                <th scope="col" className="num">Cost</th>
                <th scope="col" className="bars">Share</th>
              </tr>
            </thead>
            <tbody>
              {rows.map((one) => (
                <tr key={one.key ?? ""}>
                  <td>{one.key ?? "(nobody said)"}</td>
                  <td className="num">{count(one.n_calls)}</td>
                  <td className="num">{count(one.n_cached)}</td>
                  <td className="num">{count(one.prompt_tokens)}</td>
                  <td className="num">{count(one.completion_tokens)}</td>
                  <td className="num">{money(one.cost_usd, one.is_cost_known)}</td>
                  <td className="bars">
                    <span className="bar kind-model" style={{ width: `${most > 0 ? (one.cost_usd / most) * 100 : 0}%` }} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </div>
  );
}
