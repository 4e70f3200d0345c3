import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

interface PageHeadingProps {
  readonly title: string;
  readonly children?: ComponentChildren;
  readonly lead?: ComponentChildren;
}

let isFirst = true;

/** Names the page: in the window, and to a screen reader by taking the focus when the page changes. */
export function PageHeading({ title, children, lead }: PageHeadingProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} · Hosting console`;
  }, [title]);
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
