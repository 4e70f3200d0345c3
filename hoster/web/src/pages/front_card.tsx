import type { ComponentChildren } from "preact";
import { Mark } from "@/appearance/mark";

/** The frame of the pages before signing in. */
export function FrontCard({ children }: { readonly children: ComponentChildren }) {
  return (
    <div class="front-card">
      <p class="brand">
        <Mark />
        Hosting console
      </p>
      {children}
    </div>
  );
}
