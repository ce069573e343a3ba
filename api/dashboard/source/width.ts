import type { RefObject } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';

/** Width of a drawing in pixels, in which it is then drawn: letters keep their size, whatever its place is. */
export function useWidth(): [frame: RefObject<SVGSVGElement | null>, width: number] {
  const frame = useRef<SVGSVGElement>(null);
  const [width, setWidth] = useState(720);
  useLayoutEffect(() => {
    const target = frame.current;
    if (target === null) return;
    const resized = new ResizeObserver(() => setWidth(target.clientWidth));
    setWidth(target.clientWidth);
    resized.observe(target);
    return () => resized.disconnect();
  }, []);
  return [frame, width];
}
