import type { ComponentChildren, JSX } from "preact";
import { currentPath, go } from "./location";
import { mayLeave } from "./unsaved";

interface LinkProps extends Omit<JSX.IntrinsicElements["a"], "href"> {
  readonly to: string;
  readonly children: ComponentChildren;
}

/** A real link; only the plain click is taken over, so that new tabs and windows work. */
export function Link({ to, children, ...rest }: LinkProps) {
  const follow = (event: MouseEvent) => {
    if (event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    if (to === currentPath() || mayLeave()) go(to);
  };
  return (
    <a {...rest} href={to} onClick={follow}>
      {children}
    </a>
  );
}
