/** Colours of agents: in a run, those who spoke first have colours that are told apart best. */

import { createContext, useContext } from "react";

const N_HUES = 8;

const Speakers = createContext<readonly string[]>([]);

/** Gives the agents of a run their colours, in the order in which they first spoke. */
export const Hues = Speakers.Provider;

/** The class that has the colour of an agent. */
export function useHue(name: string): string {
  const at = useContext(Speakers).indexOf(name);
  return `hue-${(at < 0 ? hashOf(name) : at) % N_HUES}`;
}

/** So that whoever has not spoken yet is the same colour everywhere. */
function hashOf(name: string): number {
  let hash = 0;
  for (const letter of name) hash = (hash * 31 + (letter.codePointAt(0) ?? 0)) >>> 0;
  return hash;
}
