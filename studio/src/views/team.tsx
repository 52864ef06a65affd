/** The team as a graph: who may speak to whom, who spoke, and who speaks now. */

import type { Agent, TeamDetail } from "../api";
import type { RunModel } from "../model/reducer";
import { hueOf, initials } from "../ui/format";
import { Empty } from "../ui/parts";

const SIZE = 480;
const RADIUS = 165;
const NODE = 30;

interface Place {
  x: number;
  y: number;
}

export function TeamGraph({ team, model }: { team: TeamDetail | null; model: RunModel }) {
  const names = [...new Set([...(team?.agents.map((one) => one.name) ?? []), ...model.agents])];
  if (names.length === 0) return <Empty title="Nobody has spoken yet." />;
  const managers = new Set(
    team?.agents.filter((one) => one.kind === "manager").map((one) => one.name),
  );
  const places = placed(names, managers);
  const edges = edgesOf(team, model);
  const most = Math.max(1, ...edges.map((one) => one.n));
  const now = model.speaking ? `; ${model.speaking} speaks now` : "";
  return (
    <div className="team">
      <svg
        className="graph"
        viewBox={`0 0 ${SIZE} ${SIZE}`}
        role="img"
        aria-label={`Graph of the team: ${names.join(", ")}${now}`}
      >
        <defs>
          <marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="10" markerHeight="10" markerUnits="userSpaceOnUse" orient="auto">
            <path d="M0 0.500L8 4L0 7.500z" className="arrow" />
          </marker>
        </defs>
        {edges.map((one) => {
          const [from, to] = [places.get(one.from), places.get(one.to)];
          if (!from || !to || one.from === one.to) return null;
          return (
            <path
              key={`${one.from} ${one.to}`}
              d={bent(from, to)}
              className={one.n > 0 ? "edge is-used" : "edge"}
              strokeWidth={1 + (2.5 * one.n) / most}
              markerEnd="url(#arrow)"
            />
          );
        })}
        {names.map((name) => {
          const at = places.get(name) ?? { x: 0, y: 0 };
          return (
            <g
              key={name}
              className={`node ${hueOf(name)}${model.speaking === name ? " is-speaking" : ""}`}
              transform={`translate(${at.x} ${at.y})`}
            >
              {model.speaking === name && <circle r={NODE + 7} className="halo" />}
              <circle r={NODE} className="disc" />
              <text className="letters" dy="0.36em">
                {initials(name)}
              </text>
              <text className="name" y={NODE + 20}>
                {name}
              </text>
            </g>
          );
        })}
      </svg>
      <ul className="agents">
        {(team?.agents ?? []).map((one) => (
          <AgentCard key={one.name} agent={one} isSpeaking={model.speaking === one.name} />
        ))}
      </ul>
    </div>
  );
}

function AgentCard({ agent, isSpeaking }: { agent: Agent; isSpeaking: boolean }) {
  return (
    <li className={hueOf(agent.name)}>
      <strong className="agent">{agent.name}</strong> <span className="muted">{agent.kind}</span>
      {isSpeaking && <span className="badge tone-accent">speaks now</span>}
      {agent.description && <p className="small">{agent.description}</p>}
      <p className="small muted">
        {[
          agent.model && `model ${agent.model}`,
          agent.runs_code && "runs code",
          agent.tools.length > 0 && `tools: ${agent.tools.join(", ")}`,
        ]
          .filter(Boolean)
          .join(" · ")}
      </p>
    </li>
  );
}

/** Members on a circle, a manager in the middle. */
function placed(names: string[], managers: Set<string>): Map<string, Place> {
  const middle = names.length > 2 ? names.filter((name) => managers.has(name)) : [];
  const around = names.filter((name) => !middle.includes(name));
  const found = new Map<string, Place>();
  const centre = SIZE / 2;
  for (const name of middle) found.set(name, { x: centre, y: centre });
  around.forEach((name, n) => {
    const turn = (n / around.length) * 2 * Math.PI - (around.length === 2 ? Math.PI : Math.PI / 2);
    found.set(name, { x: centre + RADIUS * Math.cos(turn), y: centre + RADIUS * Math.sin(turn) });
  });
  return found;
}

function edgesOf(team: TeamDetail | null, model: RunModel) {
  const found = new Map<string, { from: string; to: string; n: number }>();
  for (const [from, to] of team?.edges ?? []) found.set(`${from}\n${to}`, { from, to, n: 0 });
  for (const [pair, n] of Object.entries(model.spoken)) {
    const [from = "", to = ""] = pair.split("\n");
    found.set(pair, { from, to, n });
  }
  return [...found.values()];
}

/** A curve from the rim of one disc to that of another, bent so that both ways are seen. */
function bent(from: Place, to: Place): string {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const long = Math.hypot(dx, dy) || 1;
  const [ux, uy] = [dx / long, dy / long];
  const bend = 26;
  const [mx, my] = [(from.x + to.x) / 2 - uy * bend, (from.y + to.y) / 2 + ux * bend];
  const a = { x: from.x + ux * NODE, y: from.y + uy * NODE };
  const b = { x: to.x - ux * (NODE + 4), y: to.y - uy * (NODE + 4) };
  return `M${a.x} ${a.y}Q${mx} ${my} ${b.x} ${b.y}`;
}
