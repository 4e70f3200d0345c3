import type { ComponentChildren } from "preact";

interface TableProps {
  readonly caption: string;
  readonly columns: readonly string[];
  readonly children: ComponentChildren;
}

/**
 * A table that scrolls by itself when it is wider than its place. On a narrow screen each row stands by itself, and a cell with
 * `data-column` says what it is. The caption is for those who cannot see where they are.
 */
export function Table({ caption, columns, children }: TableProps) {
  return (
    <section class="table-scroll" aria-label={caption} tabIndex={0}>
      <table>
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column} scope="col">
                {column === "" ? <span class="unseen">Actions</span> : column}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </section>
  );
}
