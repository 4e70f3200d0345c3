import { useEffect, useState } from "preact/hooks";

/** Tells whoever draws something that it has changed. */
export class Changes {
  private readonly listeners = new Set<() => void>();
  version = 0;

  announce(): void {
    this.version += 1;
    for (const listener of this.listeners) listener();
  }

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
}

/** Draws the component again after changes, at most once per frame however many there are; returns their version. */
export function useChanges(changes: Changes): number {
  const [version, draw] = useState(changes.version);
  useEffect(() => {
    let frame = 0;
    const look = () => {
      frame = 0;
      draw(changes.version);
    };
    const stop = changes.subscribe(() => {
      if (frame === 0) frame = requestAnimationFrame(look);
    });
    look();
    return () => {
      stop();
      cancelAnimationFrame(frame);
    };
  }, [changes]);
  return version;
}
