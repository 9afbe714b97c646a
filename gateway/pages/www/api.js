// Talks to the routes of the door that the page came from. Every call has a deadline; every refusal becomes a Problem, which shows itself in the language of the page.
import { either, t, texts } from './text.js';

texts({
  'api.no_answer': ['ゲートウェイから応答がありません。', 'The gateway does not answer.'],
  'api.no_answer_detail': ['ネットワークの接続を確かめて、もう一度お試しください。', 'Check the network connection and try again.'],
  'api.too_slow': ['時間内に応答がありませんでした。', 'No answer came in time.'],
  'api.too_slow_detail': ['処理は完了している可能性があります。一覧を確かめてから、もう一度お試しください。', 'It may have been carried out all the same: look at the list before you try again.'],
  'api.not_understood': ['応答を読み取れませんでした。', 'The answer could not be read.'],
});

const DEADLINE_MS = 20000;

export class Problem extends Error {
  // doc: a problem document (RFC 9457) as the gateway sends it, or one of our own in that form
  constructor(status, doc) {
    super(doc.code ?? String(status));
    this.status = status;
    this.code = doc.code ?? 'unknown';
    this.doc = doc;
  }

  get title() { return this.doc.key ? t(this.doc.key) : either(this.doc.title, this.doc.title_en); }
  get detail() { return this.doc.key ? (this.doc.key_detail ? t(this.doc.key_detail) : '') : either(this.doc.detail, this.doc.detail_en); }
  get requestId() { return this.doc.request_id; } // what the operator finds it by
  get fields() { return Array.isArray(this.doc.errors) ? this.doc.errors : []; } // [{field, rule, message_ja, message_en}]
}

let more = async () => ({});
let onRefused = () => {};

// headers: async () => headers that go with every call (who calls). refused(problem): told of every refusal before the caller is
export function setCaller({ headers, refused }) {
  more = headers ?? more;
  onRefused = refused ?? onRefused;
}

function together(signal, ms) {
  const late = AbortSignal.timeout(ms);
  return signal ? AbortSignal.any([signal, late]) : late;
}

function lost(e, signal) {
  if (signal?.aborted) throw e; // the page has gone on: nobody is to be told
  const slow = e.name === 'TimeoutError';
  return new Problem(0, { code: slow ? 'too_slow' : 'no_answer', key: slow ? 'api.too_slow' : 'api.no_answer', key_detail: slow ? 'api.too_slow_detail' : 'api.no_answer_detail' });
}

async function refusal(response) {
  let doc = {};
  try {
    doc = await response.json();
  } catch {
    doc = { code: 'not_understood', key: 'api.not_understood' };
  }
  const p = new Problem(response.status, doc);
  p.retryAfter = Number(response.headers.get('Retry-After')) || 0;
  return p;
}

// The Response, whatever its body; throws a Problem for 4xx and 5xx. options: json | body + type, headers, signal, deadline (ms), plain: true leaves setCaller() out
export async function ask(method, path, options = {}) {
  const { json, type, signal, deadline = DEADLINE_MS, plain } = options;
  const headers = { ...(plain ? {} : await more()), ...options.headers };
  let body = options.body;
  if (json !== undefined) body = JSON.stringify(json);
  if (body !== undefined) headers['Content-Type'] = type ?? 'application/json';
  let response;
  try {
    response = await fetch(path, { method, headers, body, signal: together(signal, deadline), cache: 'no-store', redirect: 'error', credentials: 'same-origin', referrerPolicy: 'no-referrer' });
  } catch (e) {
    throw lost(e, signal);
  }
  if (response.ok) return response;
  const p = await refusal(response);
  if (!plain) onRefused(p, { ...headers });
  throw p;
}

// The JSON of the answer; null when it has none (204)
export async function call(method, path, options) {
  const response = await ask(method, path, options);
  if (response.status === 204) return null;
  try {
    return await response.json();
  } catch (e) {
    if (options?.signal?.aborted) throw e;
    throw new Problem(response.status, { code: 'not_understood', key: 'api.not_understood' });
  }
}

export const get = (path, options) => call('GET', path, options);
export const post = (path, json, options) => call('POST', path, { json, ...options });
export const put = (path, json, options) => call('PUT', path, { json, ...options });

// What a page shows is fetched by take(), which keeps it. load() paints afterwards, `problem` is that of the last try, or null; a page that has gone on hears nothing.
// start(ms): now, and again every so often while somebody can see the page and when() agrees
export function loader({ signal, paint }, take) {
  const it = {
    problem: null,
    async load() {
      try {
        await take();
        it.problem = null;
      } catch (e) {
        if (signal.aborted) return;
        it.problem = e;
      }
      paint();
    },
    start(ms, when = () => true) {
      it.load();
      const timer = setInterval(() => { if (!document.hidden && when()) it.load(); }, ms);
      signal.addEventListener('abort', () => clearInterval(timer));
    },
  };
  return it;
}

// ---- server-sent events: EventSource cannot send headers, so the stream is read here ----

async function* events(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value;
    let end;
    while ((end = text.indexOf('\n\n')) >= 0) {
      const lines = text.slice(0, end).split('\n');
      text = text.slice(end + 2);
      const pick = (name) => lines.filter((l) => l.startsWith(`${name}:`)).map((l) => l.slice(name.length + 1).trimStart()).join('\n');
      if (pick('data')) yield { event: pick('event') || 'message', data: pick('data') };
    }
  }
}

const pause = (ms, signal) => new Promise((resolve) => {
  const timer = setTimeout(resolve, ms);
  signal?.addEventListener('abort', () => { clearTimeout(timer); resolve(); }, { once: true });
});

// Calls told(event, parsed data) until an event `end`, or until signal aborts. A stream that breaks is opened again, with growing pauses; lost(true | false) tells of it.
// A refusal that waiting does not mend is thrown.
export async function follow(path, { told, lost: tellLost = () => {}, signal }) {
  let wait = 500;
  while (!signal?.aborted) {
    try {
      const response = await ask('GET', path, { signal, deadline: 2 ** 31 - 1 });
      tellLost(false);
      for await (const { event, data } of events(response.body)) {
        wait = 500;
        told(event, JSON.parse(data));
        if (event === 'end') return;
      }
    } catch (e) {
      if (signal?.aborted) return;
      if (e instanceof Problem && e.status >= 400 && e.status < 500 && e.status !== 429) throw e;
    }
    tellLost(true);
    await pause(wait, signal);
    wait = Math.min(wait * 2, 10000);
  }
}
