// Sends a file in parts and goes on where the gateway says. The parts are slices that the browser hands over: the page does not read them.
import { Problem, ask, get, post } from './api.js';

const PART = 2 << 20, TRIES = 8;

const pause = (ms, signal) => new Promise((resolve, reject) => {
  const timer = setTimeout(resolve, ms);
  signal.addEventListener('abort', () => { clearTimeout(timer); reject(signal.reason); }, { once: true });
});

const passing = (e) => e instanceof Problem && (e.status === 0 || e.status === 503 || e.status === 429 || e.status === 507);

export const announceFile = (about, signal) => post('/v1/files', about, { signal });

// From `from` on; told(bytes that are durable, waiting: boolean). Answers when every byte has been taken.
export async function sendParts({ id, file, from = 0, told, signal }) {
  let at = from, failed = 0;
  while (at < file.size) {
    const end = Math.min(at + PART, file.size);
    try {
      const response = await ask('PUT', `/v1/files/${id}`, { body: file.slice(at, end), type: 'application/octet-stream', headers: { 'Content-Range': `bytes ${at}-${end - 1}/${file.size}` }, signal, deadline: 90000 });
      at = end;
      failed = 0;
      told(at, false);
      if (response.status === 202) return;
    } catch (e) {
      if (signal.aborted) throw e;
      if (e instanceof Problem && e.code === 'wrong_offset' && Number.isInteger(e.doc.received)) {
        at = e.doc.received;
        if (++failed > TRIES) throw e;
        continue;
      }
      if (!passing(e) || ++failed > TRIES) throw e;
      told(at, true);
      await pause(e.retryAfter ? e.retryAfter * 1000 : Math.min(500 * 2 ** failed, 15000), signal);
      const now = await get(`/v1/files/${id}`, { signal }).catch(() => null);
      if (now && now.state !== 'uploading') return;
      if (now) at = now.received;
    }
  }
}
