// The picture: places, the wall, the way of the step, and what is carried along it.
import { nothing, svg } from './page.js';
import { say } from './nation.js';
import { number } from './text.js';
import { along, BOX, PLACES, THINGS, WALL, way } from './flow.js';

const SHAPES = {
  octagon: 'M-7-16h14l9 9v14l-9 9H-7l-9-9V-7Z', diamond: 'M0-19 19 0 0 19-19 0Z', hexagon: 'M-10-17h20l9 17-9 17h-20l-9-17Z', card: 'M-20-13h40v26h-40Z', circle: 'M0-17a17 17 0 1 0 .01 0Z', envelope: 'M-20-14h40v28h-40Zm0 0L0 2l20-16',
  page: 'M-14-18h19l9 9v27h-28Zm19 0v9h9', square: 'M-15-15h30v30h-30Z', ticket: 'M-20-13h40v8a5 5 0 0 0 0 10v8h-40v-8a5 5 0 0 0 0-10Z', pentagon: 'M0-19 18-5 11 16h-22L-18-5Z',
};

export const thing = (id) => svg`<g class=${`thing t-${id}`}><path d=${SHAPES[THINGS[id][0]]}></path><text y=${THINGS[id][0] === 'envelope' ? 10 : 5} text-anchor="middle">${THINGS[id][1]}</text></g>`;

const place = (id, p, now, systems) => {
  const s = p.system && systems?.[p.system], faulty = s && Object.keys(s.fault).length > 0;
  const on = now && (now.from === id || now.to === id);
  return svg`<g class=${`place ${p.number ? 'knows' : ''} ${p.inside ? 'inside' : ''} ${on ? 'on' : ''} ${faulty ? 'faulty' : ''} ${s?.fresh ? 'fresh-count' : ''}`} transform=${`translate(${p.x},${p.y})`}>
    ${p.person ? svg`<circle class="box" r="38"></circle>` : svg`<rect class="box" x=${-BOX.w / 2} y=${-BOX.h / 2} width=${BOX.w} height=${BOX.h} rx="10"></rect>`}
    ${p.number ? svg`<rect class="band" x=${-BOX.w / 2} y=${-BOX.h / 2} width="8" height=${BOX.h} rx="4"></rect>` : nothing}
    <text class=${p.small ? 'name small-name' : 'name'} y=${s || p.number ? -8 : 6} text-anchor="middle">${say(p.ja, p.en)}</text>
    ${s ? svg`<text class="count" y="16" text-anchor="middle">${say(p.count[1], p.count[2])} ${number(s[p.count[0]])}</text>` : p.number ? svg`<text class="count" y="16" text-anchor="middle">${say('個人番号を扱う', 'knows numbers')}</text>` : nothing}
    ${faulty ? svg`<g class="alarm" transform=${`translate(${BOX.w / 2 - 8},${-BOX.h / 2})`}><path d="M0-13 13 10H-13Z"></path><text y="7" text-anchor="middle">!</text></g>` : nothing}</g>`;
};

const line = (points) => points.map((p) => p.map((v) => Math.round(v)).join(',')).join(' ');

function carried(now, part) {
  const points = way(now), n = now.carry.length, first = points[0], last = points.at(-1);
  const flatWay = Math.abs(last[1] - first[1]) < Math.abs(last[0] - first[0]);
  const long = reach(points), row = !now.stops && long > 150 * n; // one behind the other where there is room, else side by side
  return now.carry.map((id, i) => {
    const end = now.stops ? partAt(points, now.stops === id ? WALL - 36 : WALL + 34) : Math.max(0.5, 1 - 34 / long);
    const [x, y] = along(points, Math.max(0, Math.min(part, end) - (row ? (i * 140) / long : 0)));
    const left = now.stops ? now.stops === id : last[0] > first[0]; // the side on which there is room for the name
    const off = row ? 0 : (i - (n - 1) / 2) * (flatWay ? 44 : 96);
    return svg`<g class=${now.stops === id && part >= end ? 'stopped' : ''} transform=${`translate(${Math.round(x + (flatWay ? 0 : off))},${Math.round(y + (flatWay ? off : 0))})`}>${thing(id)}<text class="label" x=${flatWay ? (left ? -25 : 25) : 0} y=${flatWay ? 5 : 34} text-anchor=${flatWay ? (left ? 'end' : 'start') : 'middle'}>${say(THINGS[id][2], THINGS[id][3])}</text>
      ${now.stops === id && part >= end ? svg`<g class="halt"><circle cx="30" r="17"></circle><path d="M24-7 36 7M36-7 24 7"></path></g>` : nothing}</g>`;
  });
}

const reach = (points) => points.slice(1).reduce((n, p, i) => n + Math.hypot(p[0] - points[i][0], p[1] - points[i][1]), 0);

// How far along the way its x comes to be `x`
function partAt(points, x) {
  for (let part = 0; part <= 1; part += 0.01) if (along(points, part)[0] >= x) return part;
  return 1;
}

export function picture(story, now, part, systems) {
  const seen = new Set();
  const ways = story.steps.filter((s) => { const k = `${s.from}${s.to}`; const twice = seen.has(k); seen.add(k); return !twice; });
  return svg`<svg class="picture" viewBox="0 0 1500 750" role="img" aria-labelledby="map-title map-text">
    <title id="map-title">${say('模擬の国の地図', 'Map of the mock nation')}</title><desc id="map-text">${now ? say(now.ja, now.en) : ''}</desc>
    <defs><marker id="tip" viewBox="0 0 10 10" refX="8" refY="5" markerWidth="7" markerHeight="7" orient="auto-start-reverse"><path d="M0 0 10 5 0 10Z"></path></marker></defs>
    <rect class="zone number-zone" x="8" y="8" width=${WALL - 8} height="734" rx="14"></rect><text class="zone-name number-name" x="26" y="216">${say('個人番号を扱う区域', 'Individual numbers')}</text>
    <rect class="zone free-zone" x=${WALL} y="8" width=${1492 - WALL} height="734" rx="14"></rect><text class="zone-name free-name" x="1474" y="216" text-anchor="end">${say('個人番号のない区域', 'No individual number')}</text>
    <rect class="gateway" x="285" y="240" width="764" height="390" rx="16"></rect><text class="gateway-name" x="1033" y="268" text-anchor="end">${say('PMH連携ゲートウェイ', 'The gateway')}</text>
    <line class=${`wall ${now?.stops ? 'struck' : ''}`} x1=${WALL} x2=${WALL} y1="8" y2="742"></line>
    <g class="wall-sign" transform=${`translate(${WALL},205)`}><rect x="-98" y="-19" width="196" height="38" rx="19"></rect><text y="6" text-anchor="middle">${say('個人番号はここまで', 'No number beyond')}</text></g>
    ${ways.map((s) => svg`<polyline class=${`way ${s === now ? 'on' : ''}`} points=${line(way(s))} marker-end=${s === now ? 'url(#tip)' : nothing}></polyline>`)}
    ${now ? svg`<polyline class="way on" points=${line(way(now))} marker-end="url(#tip)"></polyline>` : nothing}
    ${Object.entries(PLACES).map(([id, p]) => place(id, p, now, systems))}
    ${now ? carried(now, part) : nothing}</svg>`;
}
