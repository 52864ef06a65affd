/** The team as a graph: who may speak to whom, who spoke, and who speaks now. */

import type { Agent, TeamDetail } from "../api";
import type { RunModel } from "../model/reducer";
import { initials } from "../ui/format";
import { useHue } from "../ui/hues";
import { Empty } from "../ui/parts";

/** More ways than these are a web, not a drawing: those that nobody took are left to hints. */
const MOST_ARROWS = 40;

/** Room around the circle for the names of those on it. */
const MARGIN_Y = 44;
const LETTER = 7.6;

interface Place {
  x: number;
  y: number;
  /** Where the name stands, from the middle of the disc. */
  name: { x: number; y: number; anchor: "start" | "middle" | "end" };
}

interface Drawing {
  places: Map<string, Place>;
  width: number;
  height: number;
  /** Radius of a disc. */
  disc: number;
}

export function TeamGraph({ team, model }: { team: TeamDetail | null; model: RunModel }) {
  const names = [...new Set([...(team?.agents.map((one) => one.name) ?? []), ...model.agents])];
  if (names.length === 0) return <Empty title="Nobody has spoken yet." />;
  const managers = new Set(
    team?.agents.filter((one) => one.kind === "manager").map((one) => one.name),
  );
  const { places, width, height, disc } = placed(names, managers);
  const edges = edgesOf(team, model);
  const isWeb = edges.length > MOST_ARROWS;
  const most = Math.max(1, ...edges.map((one) => one.n));
  const now = model.speaking ? `; ${model.speaking} speaks now` : "";
  return (
    <div className="team">
      <svg
        className="graph"
        viewBox={`0 0 ${width} ${height}`}
        style={{ maxWidth: width * 1.4 }}
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
              d={bent(from, to, disc)}
              className={`edge${one.n > 0 ? " is-used" : isWeb ? " is-faint" : ""}`}
              strokeWidth={1 + (2 * one.n) / most}
              markerEnd={one.n > 0 || !isWeb ? "url(#arrow)" : undefined}
            />
          );
        })}
        {names.map((name) => (
          <Node
            key={name}
            name={name}
            place={places.get(name)}
            disc={disc}
            isSpeaking={model.speaking === name}
          />
        ))}
      </svg>
      <ul className="agents">
        {(team?.agents ?? []).map((one) => (
          <AgentCard key={one.name} agent={one} isSpeaking={model.speaking === one.name} />
        ))}
      </ul>
    </div>
  );
}

function Node(props: { name: string; place: Place | undefined; disc: number; isSpeaking: boolean }) {
  const { name, place, disc, isSpeaking } = props;
  const hue = useHue(name);
  if (!place) return null;
  return (
    <g
      className={`node ${hue}${isSpeaking ? " is-speaking" : ""}`}
      transform={`translate(${place.x} ${place.y})`}
    >
      {isSpeaking && <circle r={disc + 6} className="halo" />}
      <circle r={disc} className="disc" />
      <text className="letters" dy="0.36em" style={{ fontSize: disc / 2 }}>
        {initials(name)}
      </text>
      <text className="name" x={place.name.x} y={place.name.y} textAnchor={place.name.anchor}>
        {name}
      </text>
    </g>
  );
}

function AgentCard({ agent, isSpeaking }: { agent: Agent; isSpeaking: boolean }) {
  return (
    <li className={useHue(agent.name)}>
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

/** Members on a circle, their names outside of it; a manager in the middle. */
function placed(names: string[], managers: Set<string>): Drawing {
  const middle = names.length > 2 ? names.filter((name) => managers.has(name)) : [];
  const around = names.filter((name) => !middle.includes(name));
  const disc = Math.max(18, 31 - around.length);
  const radius = Math.max(middle.length > 0 ? 150 : 110, (around.length * (2 * disc + 26)) / (2 * Math.PI));
  const beside = 24 + LETTER * Math.max(6, ...around.map((name) => Math.min(24, name.length)));
  const isPair = around.length === 2 && middle.length === 0;
  const width = 2 * (radius + disc + beside);
  const height = isPair ? 2 * (disc + MARGIN_Y) : 2 * (radius + disc + MARGIN_Y);
  const [x, y] = [width / 2, height / 2];
  const below = { x: 0, y: disc + 19, anchor: "middle" } as const;
  // Ways to the middle come from all sides, and most of them straight.
  const aside = { x: disc * 0.8, y: disc + 8, anchor: "start" } as const;
  const places = new Map<string, Place>();
  middle.forEach((name, n) => {
    places.set(name, { x, y: y + (n - (middle.length - 1) / 2) * (2 * disc + 40), name: aside });
  });
  around.forEach((name, n) => {
    const turn = (n / around.length) * 2 * Math.PI - (around.length === 2 ? Math.PI : Math.PI / 2);
    const [cos, sin] = [Math.cos(turn), Math.sin(turn)];
    const side = {
      x: cos * (disc + 9),
      y: sin * (disc + 9) + 4,
      anchor: cos > 0 ? ("start" as const) : ("end" as const),
    };
    const above = { ...below, y: -disc - 10 };
    const isOnTop = Math.abs(cos) < 0.3;
    const where = isPair ? below : isOnTop ? (sin < 0 ? above : below) : side;
    places.set(name, { x: x + radius * cos, y: y + radius * sin, name: where });
  });
  return { places, width, height, disc };
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
function bent(from: Place, to: Place, disc: number): string {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const long = Math.hypot(dx, dy) || 1;
  const [ux, uy] = [dx / long, dy / long];
  const bend = 26;
  const [mx, my] = [(from.x + to.x) / 2 - uy * bend, (from.y + to.y) / 2 + ux * bend];
  const a = { x: from.x + ux * disc, y: from.y + uy * disc };
  const b = { x: to.x - ux * (disc + 4), y: to.y - uy * (disc + 4) };
  return `M${a.x} ${a.y}Q${mx} ${my} ${b.x} ${b.y}`;
}
