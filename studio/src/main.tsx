import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app";
import { loadWords } from "./ui/words";
import "./styles.css";

// Whoever opens a run at once is spared one wait; all others have it by the time they open one.
if (location.pathname.startsWith("/studio/runs/")) void loadWords();
else window.addEventListener("load", () => window.setTimeout(() => void loadWords(), 300));

const root = document.getElementById("root");
if (root === null) throw new Error("the page has no place for the studio");
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
