import { useRef, useState } from "preact/hooks";
import { Button } from "./button";

interface CopyTextProps {
  readonly text: string;
  readonly label: string;
}

/** A value in full, with a button that copies it exactly. */
export function CopyText({ text, label }: CopyTextProps) {
  const [said, setSaid] = useState("");
  const shown = useRef<HTMLElement>(null);
  const take = async () => {
    setSaid((await copied(text, shown.current)) ? "Copied" : "It is selected: copy it by keyboard");
    setTimeout(() => setSaid(""), 2500);
  };
  return (
    <span class="copy-text">
      <code ref={shown}>{text}</code>
      <Button small onClick={take} label={`Copy ${label}`}>
        Copy
      </Button>
      <span class="copy-said" role="status">
        {said}
      </span>
    </span>
  );
}

/** Only secure contexts have a clipboard, and a person may forbid it: then the text is selected and copied as if by hand. */
async function copied(text: string, shown: HTMLElement | null): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    if (shown !== null) getSelection()?.selectAllChildren(shown);
    return document.execCommand("copy");
  }
}
