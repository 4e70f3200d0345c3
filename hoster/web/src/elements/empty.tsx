import type { ComponentChildren } from "preact";

interface EmptyProps {
  readonly title: string;
  readonly children: ComponentChildren;
}

/** An empty list says what belongs here and how the first one is made. */
export function Empty({ title, children }: EmptyProps) {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      {children}
    </div>
  );
}
