import { useState } from "preact/hooks";
import { Button } from "./button";

interface CopyTextProps {
  readonly text: string;
  readonly label: string;
}

/** A value in full, with a button that copies it exactly. */
export function CopyText({ text, label }: CopyTextProps) {
  const [said, setSaid] = useState("");
  const take = async () => {
    setSaid((await copied(text)) ? "Copied" : "Select it and copy it by hand");
    setTimeout(() => setSaid(""), 2500);
  };
  return (
    <span class="copy-text">
      <code>{text}</code>
      <Button small onClick={take} label={`Copy ${label}`}>
        Copy
      </Button>
      <span class="copy-said" role="status">
        {said}
      </span>
    </span>
  );
}

async function copied(text: string): Promise<boolean> {
  // Only secure contexts have a clipboard.
  if (navigator.clipboard === undefined) return false;
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
