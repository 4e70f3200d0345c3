import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

interface PageHeadingProps {
  readonly title: string;
  /** The part of the page that is shown, where it has several. */
  readonly part?: string | undefined;
  readonly children?: ComponentChildren;
  readonly lead?: ComponentChildren;
}

let isFirst = true;

/** Names the page: in the window, and to a screen reader by taking the focus when the page changes. */
export function PageHeading({ title, part, children, lead }: PageHeadingProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = [part, title, "Hosting console"].filter(Boolean).join(" · ");
  }, [title, part]);
  useEffect(() => {
    // The first page is announced by the browser itself.
    if (!isFirst && !document.querySelector("dialog[open]")) heading.current?.focus();
    isFirst = false;
  }, []);
  return (
    <header class="page-heading">
      <div>
        <h1 ref={heading} tabIndex={-1}>
          {title}
        </h1>
        {lead !== undefined && <p class="lead">{lead}</p>}
      </div>
      {children !== undefined && <div class="actions">{children}</div>}
    </header>
  );
}

/** When what had the focus is gone, the name of the page gets it rather than nothing. */
export function focusHeadingIfNowhere(): void {
  if (document.activeElement === document.body) document.querySelector("h1")?.focus({ preventScroll: true });
}
