import { Table2, ChartSpline } from 'lucide-react';
import { useEffect, useId, useMemo, useRef, useState } from 'react';
import uPlot from 'uplot';
import { useFormat } from '../../i18n/format';
import { useMessages } from '../../i18n/messages';
import { IconButton, Table } from '../../ui';
import { dashboardMessages } from './messages';
import 'uplot/dist/uPlot.min.css';

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

/** Pixels. */
const height = 72;
/** Rows of the table: the newest; the chart shows all. */
const rowsMax = 60;

const tokens = (): Readonly<Record<string, string>> => {
  const style = getComputedStyle(document.documentElement);
  return Object.fromEntries([1, 2, 3, 4, 5, 6].map((number) => [String(number), style.getPropertyValue(`--chart-${number}`).trim()]));
};

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
        <div id={id} role="img" aria-label={said}>
          <Plot times={times} lines={lines} />
        </div>
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

/** The line itself, drawn on a canvas in the theme's colours. */
function Plot({ times, lines }: Pick<LineChartProps, 'times' | 'lines'>) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const shape = lines.map(({ color }) => color).join(' ');
  const data = useMemo<uPlot.AlignedData>(() => [times.map((time) => time / 1000), ...lines.map(({ values }) => [...values])], [times, lines]);
  const newest = useRef(data);
  useEffect(() => {
    newest.current = data;
    plot.current?.setData(data);
  }, [data]);
  useEffect(() => {
    const place = box.current;
    if (!place) return undefined;
    const colors = shape.split(' ');
    const make = () => {
      const found = tokens();
      plot.current?.destroy();
      plot.current = new uPlot(
        {
          width: place.clientWidth,
          height,
          legend: { show: false },
          cursor: { show: false },
          select: { show: false, left: 0, top: 0, width: 0, height: 0 },
          padding: [4, 0, 2, 0],
          axes: [{ show: false }, { show: false }],
          scales: { y: { range: (_, __, most) => [0, most > 0 ? most * 1.08 : 1] } },
          series: [{}, ...colors.map((color, index) => ({ stroke: found[color] ?? 'currentColor', width: 1.5, ...(index === 0 ? { fill: `${found[color] ?? ''}22` } : {}), points: { show: false }, spanGaps: false }))],
        },
        newest.current,
        place,
      );
    };
    make();
    const size = new ResizeObserver(() => plot.current?.setSize({ width: place.clientWidth, height }));
    size.observe(place);
    const theme = new MutationObserver(make);
    theme.observe(document.documentElement, { attributeFilter: ['data-theme'] });
    const system = matchMedia('(prefers-color-scheme: dark)');
    system.addEventListener('change', make);
    return () => {
      size.disconnect();
      theme.disconnect();
      system.removeEventListener('change', make);
      plot.current?.destroy();
      plot.current = null;
    };
  }, [shape]);
  return <div ref={box} className="dashboard-plot" aria-hidden />;
}
