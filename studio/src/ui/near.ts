/** Whether something has come near what is seen of the page, so that it is worth drawing well. */

import { type RefObject, useEffect, useRef, useState } from "react";

const MARGIN = "1000px 0px";

const told = new WeakMap<Element, () => void>();
let watching: IntersectionObserver | undefined;

function watch(element: Element, onNear: () => void): () => void {
  watching ??= new IntersectionObserver(
    (changes) => {
      for (const one of changes) if (one.isIntersecting) told.get(one.target)?.();
    },
    { rootMargin: MARGIN },
  );
  told.set(element, onNear);
  watching.observe(element);
  return () => watching?.unobserve(element);
}

/** True from the first time on that the element of `at` was near. */
export function useNear<T extends Element>(): { at: RefObject<T | null>; isNear: boolean } {
  const at = useRef<T>(null);
  const [isNear, setNear] = useState(false);
  useEffect(() => {
    if (isNear || at.current === null) return;
    return watch(at.current, () => setNear(true));
  }, [isNear]);
  return { at, isNear };
}
