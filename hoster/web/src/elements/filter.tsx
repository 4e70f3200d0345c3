interface FilterProps {
  /** What is searched, as in “Search templates”. */
  readonly label: string;
  readonly text: string;
  readonly onText: (text: string) => void;
  /** What the kinds are, such as “Category”. */
  readonly kindsLabel: string;
  readonly kinds: readonly string[];
  /** Null: all of them. */
  readonly kind: string | null;
  readonly onKind: (kind: string | null) => void;
  /** What is left, in words. */
  readonly found: string;
}

/** Narrows a list by words and by one of its kinds. */
export function Filter({ label, text, onText, kindsLabel, kinds, kind, onKind, found }: FilterProps) {
  return (
    <div class="filter">
      <input
        type="search"
        placeholder={label}
        aria-label={label}
        value={text}
        onInput={(event) => onText(event.currentTarget.value)}
      />
      <fieldset class="chips">
        <legend class="unseen">{kindsLabel}</legend>
        {[null, ...kinds].map((one) => (
          <button
            key={one ?? ""}
            type="button"
            class="chip"
            aria-pressed={kind === one}
            onClick={() => onKind(one)}
          >
            {one ?? "all"}
          </button>
        ))}
      </fieldset>
      <p class="unseen" role="status">
        {found}
      </p>
    </div>
  );
}
