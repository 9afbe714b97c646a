// The nation as a living picture: stories step by step, counts as they are now, faults to switch.
import { badge, html, icon, loading, nothing, problemNote, render, toast } from './page.js';
import { get, put } from './api.js';
import { number } from './text.js';
import { mark, others, painter, sample, say } from './nation.js';
import { PLACES, STORIES, THINGS } from './flow.js';
import { picture, thing } from './draw.js';

const POLL_MS = 1500, STEP_MS = 3400, MOVE_MS = 1800;
const calm = matchMedia('(prefers-reduced-motion: reduce)');
const state = { story: STORIES[0], at: 0, part: 1, playing: false, data: null, problem: null, began: 0 };

// ---- steps ----

function moveTo(at, story = state.story) {
  state.story = story;
  state.at = (at + story.steps.length) % story.steps.length;
  state.part = calm.matches ? 1 : 0;
  state.began = performance.now();
  paint();
  queueMicrotask(show);
  if (!calm.matches) requestAnimationFrame(move);
}

// On a narrow screen: the middle of the step comes into view
function show() {
  const box = document.querySelector('.scroll'), step = state.story.steps[state.at];
  if (box && box.scrollWidth > box.clientWidth) box.scrollLeft = ((PLACES[step.from].x + PLACES[step.to].x) / 2 / 1500) * box.scrollWidth - box.clientWidth / 2;
}

function move(now) {
  const t = Math.min(1, (now - state.began) / MOVE_MS);
  state.part = t < 0.5 ? 2 * t * t : 1 - (2 - 2 * t) ** 2 / 2;
  paint();
  if (t < 1) requestAnimationFrame(move);
}

setInterval(() => {
  if (!state.playing || performance.now() - state.began < STEP_MS) return;
  const last = state.at === state.story.steps.length - 1;
  moveTo(last ? 0 : state.at + 1, last ? STORIES[(STORIES.indexOf(state.story) + 1) % STORIES.length] : state.story);
}, 200);

function play(on) {
  state.playing = on;
  if (on) moveTo(state.at);
  paint();
}

const KEYS = { ArrowRight: () => moveTo(state.at + 1), ArrowLeft: () => moveTo(state.at - 1), ' ': () => play(!state.playing), Home: () => moveTo(0) };
function onKey(e) {
  if (!KEYS[e.key] || e.ctrlKey || e.altKey || e.metaKey) return;
  e.preventDefault();
  KEYS[e.key]();
}

const controls = () => html`<div class="controls" role="group" aria-label=${say('再生の操作', 'Playing')}>
  <button @click=${() => moveTo(state.at - 1)}>${icon('back')}${say('前へ', 'Back')}</button>
  <button class="primary" aria-pressed=${state.playing} @click=${() => play(!state.playing)}>${icon(state.playing ? 'pause' : 'next')}${state.playing ? say('一時停止', 'Pause') : say('再生', 'Play')}</button>
  <button @click=${() => moveTo(state.at + 1)}>${say('次へ', 'Next')}${icon('next')}</button>
  <span class="small soft" aria-hidden="true">${state.at + 1} / ${state.story.steps.length}</span></div>`;

const names = (s) => s.carry.map((id) => say(THINGS[id][2], THINGS[id][3])).join(say('、', ', '));

const steps = () => html`<ol class="story">${state.story.steps.map((s, i) => html`<li aria-current=${i === state.at ? 'step' : nothing}><button @click=${() => moveTo(i)}><span class="nr" aria-hidden="true">${i + 1}</span><span>${say(s.ja, s.en)}<br><span class="small soft">${say('運ばれるもの', 'Carried')}: ${names(s)}</span></span></button></li>`)}</ol>`;

const legend = () => html`<ul class="legend" aria-label=${say('記号の意味', 'Signs')}>${Object.entries(THINGS).map(([id, [, , ja, en]]) => html`<li><svg viewBox="-22 -22 44 44" aria-hidden="true">${thing(id)}</svg>${say(ja, en)}</li>`)}</ul>`;

// ---- what is held, what happened ----

const HELD = { my_numbers_held: ['個人番号', 'individual number', 'number'], binding_numbers_held: ['紐付番号', 'binding number', 'binding'], pmh_keys_held: ['PMHキー', 'PMH key', 'pmhkey'], card_serials_held: ['カードのシリアル', 'card serial', 'serial'], pseudonyms_held: ['仮名識別子', 'pseudonym', 'pseudonym'], link_keys_held: ['連携キー', 'link key', 'linkkey'] };
const DID = { requests: ['要求', 'requests'], numbers_asked: ['採番した番号', 'numbers asked'], keys_new: ['新しいキー', 'new keys'], keys_reused: ['既存のキー', 'keys reused'], link_keys_minted: ['発行した連携キー', 'link keys minted'], consents_valid: ['有効な同意', 'valid consents'], consents_refused: ['断った同意', 'consents refused'],
  linked: ['連携済み', 'linked'], waiting: ['連携待ち', 'waiting'], posts_ok: ['連携の成功', 'posts accepted'], posts_failed: ['連携の失敗', 'posts failed'], logins: ['ログイン', 'logins'], logins_refused: ['断ったログイン', 'logins refused'], municipalities: ['市区町村', 'municipalities'], persons_asked: ['照会された人', 'persons asked'],
  webhooks: ['通知', 'webhooks'], messages_kept: ['受け取った通知', 'messages taken'], id5_asked: ['ID5の要求', 'ID5 asked'], id5_given: ['発行したID5', 'ID5 given'], provisions: ['提供', 'provisions'], provisions_kept: ['受け取った提供', 'provisions kept'], claims: ['請求', 'claims'], claims_kept: ['受け取った請求', 'claims taken'], answers_with_fault: ['故障させた応答', 'faulty answers'] };

const heldTable = (systems) => html`<section class="panel"><h2>${say('だれが何を持っているか', 'Who holds what')} <span class="small soft">${say('いま数えた数', 'counted now')}</span></h2><div class="table-wrap" tabindex="0" role="region" aria-label=${say('だれが何を持っているか', 'Who holds what')}><table><thead><tr><th>${say('機関', 'System')}</th>${Object.values(HELD).map(([ja, en, id]) => html`<th class="num"><svg class="mini" viewBox="-22 -22 44 44" aria-hidden="true">${thing(id)}</svg><br>${say(ja, en)}</th>`)}</tr></thead>
  <tbody>${Object.values(systems).map((s) => html`<tr><th scope="row">${say(s.name_ja, s.name_en)}</th>${Object.keys(HELD).map((k) => html`<td class="num ${k === 'my_numbers_held' && s[k] ? 'held' : ''}">${s[k] ? number(s[k]) : html`<span class="soft">–</span>`}</td>`)}</tr>`)}</tbody></table></div>
  <p class="small soft">${say('個人番号を持つのは左側の機関だけです。マイナポータルは仮名識別子の連携が済むとPMHキーを消します。', 'Only systems on the left hold numbers. The portal forgets a PMH key as soon as its pseudonym is linked.')}</p></section>`;

const happened = (systems) => html`<section class="stack tight"><h2>${say('起動してからの動き', 'What happened since the start')}</h2><div class="did">${Object.values(systems).map((s) => html`<section class="panel"><h3>${say(s.name_ja, s.name_en)}</h3><dl>${Object.keys(DID).filter((k) => k in s && (k !== 'answers_with_fault' || s[k])).map((k) => html`<div><dt>${say(...DID[k])}</dt><dd>${number(s[k])}</dd></div>`)}</dl></section>`)}</div></section>`;

// ---- faults ----

const FAULTS = [['none', {}, 'なし', 'none'], ['slow', { delay_ms: 3000 }, '3秒遅れる', '3 s late'], ['down', { status: 503 }, '503を返す', 'answers 503'], ['reset', { reset: true }, '接続を切る', 'breaks off'], ['garbage', { garbage: true }, '壊れた応答', 'garbage'], ['extra', { extra_field: true }, '余分な項目', 'a member too many'],
  ['swap', { swap: true }, '応答の取り違え', 'answers swapped'], ['wrong', { wrong_number: true }, '違う番号を返す', 'a wrong number'], ['other', { other_person: true }, '別の人の応答', 'another person']];

const faultOf = (f) => { const set = Object.keys(f).filter((k) => k !== 'count'); return set.length === 0 ? 'none' : FAULTS.find(([, body]) => Object.keys(body).length === set.length && set.every((k) => f[k] === body[k]))?.[0] ?? 'own'; };

async function switchFault(name, system, id) {
  try {
    await put(`/faults/${name}`, FAULTS.find(([f]) => f === id)[1]);
    toast(id === 'none' ? say(`${system.name_ja}を元に戻しました。`, `${system.name_en} is well again.`) : say(`${system.name_ja}が故障しました。ゲートウェイの動きを見てください。`, `${system.name_en} misbehaves now.`), id === 'none' ? 'ok' : 'warn');
  } catch (e) {
    state.problem = e;
  }
  await look();
}

const switches = (systems) => html`<section class="panel"><h2>${icon('warn')} ${say('故障させてみる', 'Let a system misbehave')}</h2><p class="small soft">${say('どの機関が故障しても、ゲートウェイは間違った答えを出さず、直れば自分で続きを行います。', 'Whatever fails, the gateway tells nothing wrong, and goes on by itself afterwards.')}</p>
  <div class="faults">${Object.entries(systems).map(([name, s]) => html`<div class="field"><label for=${`f-${name}`}>${say(s.name_ja, s.name_en)}${Object.keys(s.fault).length ? html` ${badge('bad', say('故障中', 'faulty'))}` : nothing}</label>
    <select id=${`f-${name}`} .value=${faultOf(s.fault)} @change=${(e) => switchFault(name, s, e.target.value)}>${FAULTS.map(([id, , ja, en]) => html`<option value=${id} ?selected=${faultOf(s.fault) === id}>${say(ja, en)}</option>`)}${faultOf(s.fault) === 'own' ? html`<option value="own" selected disabled>${say('その他', 'other')}</option>` : nothing}</select></div>`)}
  <div class="field"><label for="order">${say('仮名識別子を届ける時', 'When pseudonyms are handed over')}</label><select id="order" @change=${async (e) => { await put('/settings', { pseudonym_order: e.target.value }); await look(); }}>${[['push', '採番のとき', 'at numbering'], ['first_use', '初回ログインのとき', 'at the first login']].map(([v, ja, en]) => html`<option value=${v} ?selected=${state.data.settings.pseudonym_order === v}>${say(ja, en)}</option>`)}</select></div></div></section>`;

// ---- the page ----

let before = {};
async function look() {
  try {
    const data = await get('/state');
    for (const [name, s] of Object.entries(data.systems)) {
      const sum = Object.entries(s).reduce((n, [k, v]) => (typeof v === 'number' && k !== 'consents_valid' ? n + v : n), 0);
      s.fresh = before[name] !== undefined && before[name] !== sum;
      before[name] = sum;
    }
    Object.assign(state, { data, problem: null });
  } catch (e) {
    state.problem = e;
  }
  paint();
}

async function watch() {
  if (!document.hidden) await look();
  setTimeout(watch, POLL_MS);
}

const frame = () => html`<a class="skip" href="#main">${say('本文へ', 'To the content')}</a><header class="top">${mark()}<h1>${say('模擬の国の地図', 'Map of the mock nation')}</h1><span class="spring"></span>${others('map')}</header>
  <main id="main" class="stack loose" tabindex="-1">
  <section class="stack tight"><div class="spread"><nav class="tabs" aria-label=${say('物語', 'Stories')}>${STORIES.map((s) => html`<button aria-current=${s === state.story ? 'true' : nothing} @click=${() => moveTo(0, s)}>${say(s.ja, s.en)}</button>`)}</nav>${controls()}</div>
    <div class="stage"><div class="scroll" tabindex="0" role="group" aria-label=${say('地図。左右の矢印キーで前後の段階、スペースキーで再生', 'Map: arrow keys step, space plays')} @keydown=${onKey}>${picture(state.story, state.story.steps[state.at], state.part, state.data?.systems)}</div>
    <div class="beside"><h2 class="visually-hidden">${say('段階の一覧', 'Steps')}</h2>${steps()}</div></div>
    <p class="now" role="status">${state.playing ? nothing : say(state.story.steps[state.at].ja, state.story.steps[state.at].en)}</p>${legend()}</section>
  ${problemNote(state.problem)}
  ${state.data ? html`<p class="small soft">${say(`架空の住民 ${number(state.data.persons)}人`, `${number(state.data.persons)} residents, made up`)}</p>${switches(state.data.systems)}${heldTable(state.data.systems)}${happened(state.data.systems)}` : state.problem ? nothing : loading()}
  <footer>${sample()}</footer></main>`;

const root = document.getElementById('app');
const paint = painter(() => render(frame(), root));
watch();
