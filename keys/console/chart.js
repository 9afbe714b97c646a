// Lines over hours, by uPlot; the same numbers as a table for whoever does not look. A line is known by its colour, its dashes and its name.
import uPlot from './uplot.js';
import { html } from './page.js';
import { dateTime, lang, number, t, texts } from './text.js';

texts({
  'chart.table': ['表で見る', 'Show as a table'],
  'chart.hour': ['時刻', 'Hour'],
  'chart.none': ['記録なし', 'not known'],
  'chart.all_zero': ['この期間はありません。', 'None in this time.'],
  'chart.told': ['{name}: 合計{sum}、最大{max}({at})', '{name}: {sum} in all, at most {max} ({at})'],
  'chart.told_age': ['{name}: 最大{max}({at})', '{name}: at most {max} ({at})'],
});

const DASHES = [[], [7, 4], [2, 3], [10, 3, 2, 3]];
const HEIGHT = 190;
const AGES = [10, 30, 60, 300, 600, 1800, 3600, 7200, 14400, 43200, 86400, 604800]; // steps of an axis of seconds
const hourOf = (s) => dateTime(new Date(s * 1000).toISOString(), { year: undefined });

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const hatch = (i) => DASHES[i].join(' ');

// id; title; lines: [{ name, values }] (null: not known); at: seconds of each value; sums: their sum says something; show(n): a value as text
export function chartOf({ id, title, lines, at, sums = true, show = number }) {
  let plot = null, place = null, sized = null, drawn = null;

  const said = (line) => {
    const known = line.values.map((v, i) => [v ?? 0, i]);
    const [max, i] = known.reduce((a, b) => (b[0] > a[0] ? b : a), [0, 0]);
    return t(sums ? 'chart.told' : 'chart.told_age', { name: line.name(), sum: show(known.reduce((a, b) => a + b[0], 0)), max: show(max), at: hourOf(at[i]) });
  };
  const quiet = () => lines.every((l) => l.values.every((v) => !v));

  function options(width) {
    const ink = colour('--ink-2'), line = colour('--line'), font = `12px ${colour('--font')}`;
    const axis = { stroke: ink, font, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1, size: 4 } };
    const wide = Math.max(1, ...lines.flatMap((l) => l.values.map((v) => show(v ?? 0).length)));
    return {
      width, height: HEIGHT, legend: { show: false }, cursor: { show: false }, padding: [10, 14, 0, 0],
      scales: { x: { time: true }, y: { range: (u, min, max) => [0, Math.max(max ?? 0, sums ? 4 : 60) * 1.08] } },
      axes: [
        { ...axis, size: 30, space: 90, incrs: [3, 6, 12, 24].map((h) => h * 3600), splits: (u, a, min, max, step) => { const from = Math.ceil((min + 32400) / step) * step - 32400; return Array.from({ length: Math.max(0, Math.floor((max - from) / step) + 1) }, (x, i) => from + i * step); },
          values: (u, splits) => splits.map((s) => (((s + 32400) % 86400) === 0 ? dateTime(new Date(s * 1000).toISOString(), { year: undefined, hour: undefined, minute: undefined }) : dateTime(new Date(s * 1000).toISOString(), { year: undefined, month: undefined, day: undefined }))) },
        { ...axis, size: 18 + 8 * wide, space: 36, ...(sums ? {} : { incrs: AGES }), values: (u, splits) => splits.map((v) => (sums && v % 1 ? '' : show(v))) },
      ],
      series: [{}, ...lines.map((l, i) => ({ stroke: colour(`--c${l.colour ?? i + 1}`), width: 2, dash: DASHES[i], points: { show: true, size: 4, fill: colour(`--c${l.colour ?? i + 1}`) }, paths: uPlot.paths.linear() }))],
    };
  }

  // After the template is on the page
  function draw() {
    const now = document.getElementById(`plot-${id}`);
    if (!now || quiet()) {
      plot?.destroy();
      plot = place = null;
      return;
    }
    const width = Math.max(200, Math.floor(now.clientWidth)), key = `${width} ${lang()} ${colour('--ink')} ${JSON.stringify(lines.map((l) => l.values))}`;
    if (place === now && drawn === key) return;
    plot?.destroy();
    now.replaceChildren();
    plot = new uPlot(options(width), [at, ...lines.map((l) => l.values)], now);
    if (place !== now) {
      sized?.disconnect();
      sized = new ResizeObserver(() => requestAnimationFrame(draw));
      sized.observe(now);
    }
    place = now;
    drawn = key;
  }

  const swatch = (l, i) => html`<span class="legend-item"><svg class="swatch c${l.colour ?? i + 1}" viewBox="0 0 28 8" aria-hidden="true"><line x1="1" y1="4" x2="27" y2="4" stroke-dasharray=${hatch(i)}></line></svg>${l.name()}</span>`;
  const template = () => html`<figure class="panel stack tight" aria-labelledby="chart-${id}"><figcaption class="stack tight"><h3 id="chart-${id}">${title()}</h3><div class="row tight legend small soft">${lines.map(swatch)}</div></figcaption>
    ${quiet() ? html`<p class="empty small">${t('chart.all_zero')}</p>` : html`<div class="plot" id="plot-${id}" role="img" aria-label=${lines.map(said).join(' / ')}></div>`}
    <details class="small"><summary>${t('chart.table')}</summary><div class="table-wrap short" tabindex="0" role="region" aria-label=${title()}><table><thead><tr><th scope="col">${t('chart.hour')}</th>${lines.map((l) => html`<th scope="col" class="num">${l.name()}</th>`)}</tr></thead>
      <tbody>${at.map((s, i) => [s, i]).reverse().map(([s, i]) => html`<tr><th scope="row" class="tight">${hourOf(s)}</th>${lines.map((l) => html`<td class="num">${l.values[i] === null ? t('chart.none') : show(l.values[i])}</td>`)}</tr>`)}</tbody></table></div></details></figure>`;

  return { template, draw, close: () => { sized?.disconnect(); plot?.destroy(); plot = null; } };
}
