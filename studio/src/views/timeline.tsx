/** Where time and money went: a bar for every step, one below the other. */

import type { Step } from "../model/reducer";
import { count, duration, money } from "../ui/format";
import { Empty } from "../ui/parts";

const KINDS: Record<Step["kind"], string> = {
  model: "Model",
  code: "Code",
  tool: "Tool",
  person: "Person",
};

export function Timeline({ steps, now }: { steps: Step[]; now: number }) {
  if (steps.length === 0) return <Empty title="No step has been taken yet." />;
  const begin = Math.min(...steps.map((one) => one.begin));
  const end = Math.max(...steps.map((one) => one.end ?? now));
  const whole = Math.max(0.001, end - begin);
  const sums = (Object.keys(KINDS) as Step["kind"][]).map((kind) => {
    const its = steps.filter((one) => one.kind === kind);
    const time = its.reduce((sum, one) => sum + (one.end ?? now) - one.begin, 0);
    return { kind, n: its.length, time };
  });
  return (
    <div className="timeline">
      <ul className="sums">
        {sums
          .filter((one) => one.n > 0)
          .map((one) => (
            <li key={one.kind}>
              <span className={`key kind-${one.kind}`} aria-hidden="true" />
              {KINDS[one.kind]} <strong>{duration(one.time)}</strong>{" "}
              <span className="muted">in {one.n}</span>
            </li>
          ))}
      </ul>
      <div className="table-scroll" tabIndex={0} role="group" aria-label="Steps">
        <table className="steps">
          <thead>
            <tr>
              <th scope="col">Step</th>
              <th scope="col">Agent</th>
              <th scope="col" className="bars">
                Time
              </th>
              <th scope="col" className="num">
                Took
              </th>
              <th scope="col" className="num">
                Tokens
              </th>
              <th scope="col" className="num">
                Cost
              </th>
            </tr>
          </thead>
          <tbody>
            {steps.map((one) => {
              const took = (one.end ?? now) - one.begin;
              return (
                <tr key={`${one.pos} ${one.kind}`}>
                  <td>
                    <span className={`key kind-${one.kind}`} aria-hidden="true" />
                    {KINDS[one.kind]} <span className="muted">{one.label}</span>
                  </td>
                  <td>{one.agent}</td>
                  <td className="bars">
                    <span
                      className={`bar kind-${one.kind}`}
                      style={{
                        marginLeft: `${((one.begin - begin) / whole) * 100}%`,
                        width: `${Math.max(0.4, (took / whole) * 100)}%`,
                      }}
                    />
                  </td>
                  <td className="num">{duration(took)}</td>
                  <td className="num">{one.tokens ? count(one.tokens) : "–"}</td>
                  <td className="num">{one.kind === "model" ? money(one.cost) : "–"}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </div>
  );
}
