/** A page that stays at its end while it grows, as long as nobody scrolls up. */

import { type RefObject, useCallback, useEffect, useRef, useState } from "react";

/** So near to the end, in pixels, somebody who scrolls down is taken to be there. */
const NEAR = 120;
/** Parts of a pixel are rounded, and some devices bounce. */
const SLACK = 4;

interface Following {
  /** What grows. */
  body: RefObject<HTMLDivElement | null>;
  /** Its end. */
  end: RefObject<HTMLDivElement | null>;
  isFollowing: boolean;
  /** Stay where the page is. */
  leave: () => void;
}

export function useFollowing(): Following {
  const body = useRef<HTMLDivElement>(null);
  const end = useRef<HTMLDivElement>(null);
  const [isFollowing, setFollowing] = useState(true);
  // Growth is met at once, before anything is drawn anew.
  const follows = useRef(true);
  const turn = useCallback((isSo: boolean): void => {
    follows.current = isSo;
    setFollowing(isSo);
  }, []);

  useEffect(() => {
    const page = document.documentElement;
    let top = page.scrollTop;
    let height = page.scrollHeight;
    const note = (): void => {
      top = page.scrollTop;
      height = page.scrollHeight;
    };
    const see = (): void => {
      const left = page.scrollHeight - page.clientHeight - page.scrollTop;
      // Where a page became shorter, the browser moved it, and nobody scrolled.
      const isUp = page.scrollTop < top && page.scrollHeight >= height;
      if (isUp && left > SLACK) turn(false);
      else if (left < NEAR) turn(true);
      note();
    };
    // Words, pictures and questions: whatever makes it longer, or shorter.
    const growth = new ResizeObserver(() => {
      if (follows.current) end.current?.scrollIntoView({ block: "end" });
      note();
    });
    if (body.current) growth.observe(body.current);
    window.addEventListener("scroll", see, { passive: true });
    return () => {
      growth.disconnect();
      window.removeEventListener("scroll", see);
    };
  }, [turn]);

  return { body, end, isFollowing, leave: useCallback(() => turn(false), [turn]) };
}
