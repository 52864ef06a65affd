/** Markdown and code, loaded when there is some to show. HTML in messages is shown as text. */

import ReactMarkdown, { type Components } from "react-markdown";
import rehypeHighlight from "rehype-highlight";
import remarkGfm from "remark-gfm";
import bash from "highlight.js/lib/languages/bash";
import css from "highlight.js/lib/languages/css";
import diff from "highlight.js/lib/languages/diff";
import javascript from "highlight.js/lib/languages/javascript";
import json from "highlight.js/lib/languages/json";
import python from "highlight.js/lib/languages/python";
import sql from "highlight.js/lib/languages/sql";
import xml from "highlight.js/lib/languages/xml";
import yaml from "highlight.js/lib/languages/yaml";

const languages = { bash, css, diff, javascript, json, python, sql, xml, yaml };
const aliases = { bash: ["sh", "shell", "console"], javascript: ["js", "ts", "typescript"] };
const rehype: [typeof rehypeHighlight, object][] = [
  [rehypeHighlight, { languages, aliases, detect: false }],
];

const components: Components = {
  // Agents write addresses of anywhere: what they link to is opened by a click only, and apart.
  a: ({ children, href }) => (
    <a href={href} target="_blank" rel="noreferrer noopener">
      {children}
    </a>
  ),
  // No picture is fetched from elsewhere because an agent names it.
  img: ({ alt, src }) => <span className="muted">{`[picture: ${alt || String(src)}]`}</span>,
  // So that wide ones scroll by themselves; reachable by keyboard for that.
  pre: ({ children }) => (
    <pre tabIndex={0} role="group" aria-label="Code">
      {children}
    </pre>
  ),
  table: ({ children }) => (
    <div className="table-scroll">
      <table>{children}</table>
    </div>
  ),
  h1: ({ children }) => <p className="md-head">{children}</p>,
  h2: ({ children }) => <p className="md-head">{children}</p>,
  h3: ({ children }) => <p className="md-head">{children}</p>,
  input: ({ checked }) => <span>{checked ? "☑ " : "☐ "}</span>,
};

export default function Markdown({ children }: { children: string }) {
  return (
    <div className="markdown">
      <ReactMarkdown remarkPlugins={[remarkGfm]} rehypePlugins={rehype} components={components}>
        {children}
      </ReactMarkdown>
    </div>
  );
}
