import { useEffect, useId, useRef } from "preact/hooks";
import uPlot from "uplot";
import { type Axis, topOf } from "./axis";
import { colours, type GraphColours } from "./colours";

interface GraphProps {
  readonly title: string;
  /** The newest value in words, which is also what those get who cannot see the line. */
  readonly now: string;
  /** Unix seconds of the readings. */
  readonly times: readonly number[];
  /** By name, a value or none for each reading. */
  readonly lines: Readonly<Record<string, readonly (number | null)[]>>;
  /** Grows whenever the readings have changed. */
  readonly version: number;
  /** Unix seconds at which something was deployed. */
  readonly markers: readonly number[];
  readonly axis: Axis;
  readonly format: (value: number | null) => string;
}

const HEIGHT = 180;
/** A graph is never of less time, so that the first readings have an axis. */
const LEAST_S = 60;

export function Graph({ title, now, times, lines, version, markers, axis, format }: GraphProps) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const heading = useId();
  const data = [times, ...Object.values(lines)] as unknown as uPlot.AlignedData;
  const shownMarkers = useRef(markers);
  shownMarkers.current = markers;

  // biome-ignore lint/correctness/useExhaustiveDependencies: a plot is made once; what changes is given to it below
  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    let shown = colours(element);
    const made = new uPlot(
      options(
        element.clientWidth,
        { names: Object.keys(lines), axis, format },
        {
          colours: () => shown,
          markers: () => shownMarkers.current,
        },
      ),
      data,
      element,
    );
    plot.current = made;
    const redraw = () => {
      shown = colours(element);
      made.redraw(false);
    };
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", redraw);
    const sizes = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT }));
    sizes.observe(element);
    return () => {
      dark.removeEventListener("change", redraw);
      sizes.disconnect();
      made.destroy();
    };
  }, []);

  // biome-ignore lint/correctness/useExhaustiveDependencies: `version` stands for the content of the readings
  useEffect(() => {
    plot.current?.setData(data);
  }, [version, markers]);

  return (
    <section class="card graph" aria-labelledby={heading}>
      <h2 id={heading}>{title}</h2>
      <p class="graph-now">{now}</p>
      <div ref={place} class="graph-place" aria-hidden="true" />
    </section>
  );
}

type Scale = Pick<GraphProps, "axis" | "format"> & { readonly names: readonly string[] };

/** What is asked at each drawing, because it changes while the graph is there. */
interface Look {
  readonly colours: () => GraphColours;
  readonly markers: () => readonly number[];
}

function options(width: number, { names, axis, format }: Scale, { colours, markers }: Look): uPlot.Options {
  const line = { stroke: () => colours().grid, width: 1 };
  const look = { stroke: () => colours().ink, grid: line, ticks: line };
  return {
    width,
    height: HEIGHT,
    // The last label of the time goes beyond the drawing.
    padding: [null, 30, null, null],
    legend: { show: names.length > 1 },
    cursor: { y: false },
    scales: {
      x: { range: (plot, first, last) => timesShown(plot.data[0].length > 0, first, last) },
      y: { range: (_plot, _low, high) => [0, topOf(axis, high)] },
    },
    axes: [
      { ...look, space: 90, values: (_plot, values) => values.map(timeOfDay) },
      { ...look, size: 84, incrs: [...axis.steps], values: (_plot, values) => axis.labels(values) },
    ],
    series: [
      {},
      ...names.map((label, index) => ({
        label,
        stroke: () => (index === 0 ? colours().line : colours().second),
        width: 2,
        value: (_plot: uPlot, value: number | null) => format(value),
      })),
    ],
    hooks: { draw: [(plot) => drawMarkers(plot, markers(), colours().ink)] },
  };
}

function timesShown(some: boolean, first: number, last: number): [number, number] {
  const end = some ? last : Date.now() / 1000;
  return [some ? Math.min(first, end - LEAST_S) : end - LEAST_S, end];
}

function drawMarkers(plot: uPlot, markers: readonly number[], colour: string): void {
  const { ctx, bbox } = plot;
  const { min, max } = plot.scales.x ?? {};
  if (min === undefined || max === undefined || min === null || max === null) return;
  ctx.save();
  ctx.strokeStyle = colour;
  ctx.setLineDash([6, 6]);
  for (const marker of markers) {
    if (marker < min || marker > max) continue;
    const x = plot.valToPos(marker, "x", true);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
  }
  ctx.restore();
}

function timeOfDay(unix: number): string {
  return new Date(unix * 1000).toLocaleTimeString(undefined, { hour12: false });
}
