/** Icons, drawn on a grid of 16; all are decoration, names stand beside them or in labels. */

const PATHS = {
  plus: "M8 3v10M3 8h10",
  stop: "M4.500 4.500h7v7h-7z",
  pause: "M5.500 4v8M10.500 4v8",
  play: "M5 3.500l7 4.500-7 4.500z",
  fork: "M4 3v4a3 3 0 0 0 3 3h5M9.500 7.500L12 10l-2.500 2.500",
  code: "M6 4L2 8l4 4M10 4l4 4-4 4",
  tool: "M10.500 2.500a3 3 0 0 0-3 4L3 11l2 2 4.500-4.500a3 3 0 0 0 4-4L11.500 6 10 4.500z",
  file: "M4 2h5l3 3v9H4zM9 2v3h3",
  shield: "M8 2l5 2v4c0 3-2 5-5 6-3-1-5-3-5-6V4z",
  question: "M6 6a2 2 0 1 1 3 1.700c-.700.400-1 .800-1 1.800M8 12v.01",
  sun: "M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM8 1v1.500M8 13.500V15M1 8h1.500M13.500 8H15M3 3l1 1M12 12l1 1M13 3l-1 1M4 12l-1 1",
  moon: "M13 9.500A5.500 5.500 0 0 1 6.500 3a5.500 5.500 0 1 0 6.500 6.500z",
  runs: "M3 4h10M3 8h10M3 12h6",
  chart: "M3 13V8M8 13V3M13 13V6",
  back: "M9.500 3.500L5 8l4.500 4.500",
  check: "M3 8.500l3.500 3.500L13 4.500",
  cross: "M4 4l8 8M12 4l-8 8",
  down: "M8 3v8M4.500 8L8 11.500 11.500 8M3 14h10",
  keyboard: "M2 4.500h12v7H2zM4.500 7h.01M7 7h.01M9.500 7h.01M12 7h.01M5 9.500h6",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg className="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
      <path d={PATHS[name]} fill="none" stroke="currentColor" strokeWidth="1.5" strokeLinecap="round" strokeLinejoin="round" />
    </svg>
  );
}
