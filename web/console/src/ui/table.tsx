import type { ReactNode } from 'react';

/** A small table that shows all it has. `caption` is read out. Rows are `<tr>` with `<td>`; for thousands there is {@link VirtualTable}. */
export function Table({ caption, head, children }: { readonly caption: string; readonly head: readonly ReactNode[]; readonly children: ReactNode }) {
  return (
    <div className="table-scroll" tabIndex={0} role="region" aria-label={caption}>
      <table className="table">
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
