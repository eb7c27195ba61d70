import { area, line as path } from 'd3-shape';
import { ChartSpline, Table2 } from 'lucide-react';
import { useId, useState } from 'react';
import { useFormat } from '../../i18n/format';
import { useMessages } from '../../i18n/messages';
import { IconButton, Table } from '../../ui';
import { dashboardMessages } from './messages';
import { chartPoints, chartTop } from './chart-scale';

export interface Line {
  readonly name: string;
  /** Of the tokens `--chart-1` to `--chart-6`. */
  readonly color: 1 | 2 | 3 | 4 | 5 | 6;
  readonly values: readonly (number | null)[];
}

export interface LineChartProps {
  readonly name: string;
  /** Milliseconds since 1970, one for each value. */
  readonly times: readonly number[];
  readonly lines: readonly Line[];
  readonly show: (value: number) => string;
}

/** Rows of the table: the newest; the chart shows all. */
const rowsMax = 60;

/** A small line over time. It is said in words to those who listen, and can be read as a table. */
export function LineChart({ name, times, lines, show }: LineChartProps) {
  const words = useMessages(dashboardMessages);
  const format = useFormat();
  const id = useId();
  const [table, setTable] = useState(false);
  const said = lines.map((line) => summary(line, show, words)).join('. ');
  return (
    <div className="dashboard-chart">
      {table ? (
        <div className="dashboard-table" id={id}>
          <Table caption={name} head={[words.time, ...lines.map((line) => line.name)]}>
            {times
              .map((time, index) => ({ time, values: lines.map((line) => line.values[index] ?? null) }))
              .slice(-rowsMax)
              .reverse()
              .map(({ time, values }) => (
                <tr key={time}>
                  <td className="soft">{format.dateTime(time)}</td>
                  {values.map((value, index) => (
                    <td key={index}>{value === null ? '–' : show(value)}</td>
                  ))}
                </tr>
              ))}
          </Table>
        </div>
      ) : times.length < 2 ? (
        <p className="dashboard-begin faint" id={id}>
          {words.noPoints}
        </p>
      ) : (
        <Plot id={id} label={said} times={times} lines={lines} />
      )}
      <div className="dashboard-chart-foot">
        {lines.length > 1
          ? lines.map((line) => (
              <span key={line.name} className="dashboard-key">
                <span className={`dashboard-swatch dashboard-swatch-${line.color}`} aria-hidden />
                {line.name}
              </span>
            ))
          : null}
        <IconButton icon={table ? ChartSpline : Table2} size="small" label={`${name}: ${table ? words.chart : words.table}`} aria-pressed={table} aria-controls={id} onClick={() => setTable(!table)} />
      </div>
    </div>
  );
}

function summary({ name, values }: Line, show: (value: number) => string, words: ReturnType<typeof useMessages<(typeof dashboardMessages)['en']>>): string {
  const known = values.filter((value) => value !== null);
  const now = values.at(-1);
  if (known.length === 0) return `${name}: ${words.unknown}`;
  return words.chartLabel(name, now === null || now === undefined ? words.unknown : show(now), show(Math.min(...known)), show(Math.max(...known)));
}

/** The drawing's own units; it is stretched to its place, and lines keep their width. */
const width = 300;
const height = 72;

/** The lines themselves, the first one filled. The colours are the theme's, by class. */
function Plot({ id, label, times, lines }: Pick<LineChartProps, 'times' | 'lines'> & { readonly id: string; readonly label: string }) {
  const top = chartTop(lines.map(({ values }) => values));
  const place = { width, height, top };
  const first = lines[0];
  return (
    <svg id={id} className="dashboard-plot" role="img" aria-label={label} viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="none">
      {first === undefined ? null : (
        <path
          className={`dashboard-area dashboard-area-${first.color}`}
          d={
            area<readonly [number, number | null]>()
              .defined(([, y]) => y !== null)
              .x(([x]) => x)
              .y0(height)
              .y1(([, y]) => y ?? height)([...chartPoints(times, first.values, place)]) ?? ''
          }
        />
      )}
      {[...lines].reverse().map((line) => (
        <path
          key={line.name}
          className={`dashboard-line dashboard-line-${line.color}`}
          d={
            path<readonly [number, number | null]>()
              .defined(([, y]) => y !== null)
              .x(([x]) => x)
              .y(([, y]) => y ?? height)([...chartPoints(times, line.values, place)]) ?? ''
          }
        />
      ))}
    </svg>
  );
}
