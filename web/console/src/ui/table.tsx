import type { ReactNode } from 'react';

export interface TableProps {
  /** Read out. */
  readonly caption: string;
  /** What stands above each column; '' above buttons. */
  readonly head: readonly ReactNode[];
  /** On a narrow screen each row is a block of its own, with what the `data-label` of each cell says before it. */
  readonly stacks?: boolean;
  /** `<tr>` with `<td>`. */
  readonly children: ReactNode;
}

/** A small table that shows all it has; for thousands of rows there is {@link VirtualTable}. */
export function Table({ caption, head, stacks = false, children }: TableProps) {
  return (
    <div className="table-scroll" tabIndex={0} role="region" aria-label={caption}>
      <table className={stacks ? 'table table-stacks' : 'table'}>
        <caption className="visually-hidden">{caption}</caption>
        <thead>
          <tr>
            {head.map((cell, index) =>
              // Above buttons there is nothing to say, and a heading that says nothing would be read as one.
              cell === '' ? (
                <td key={index} />
              ) : (
                <th key={index} scope="col">
                  {cell}
                </th>
              ),
            )}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}
