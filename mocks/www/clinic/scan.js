// A field that takes what a hand scanner types, and, where the browser has one, the camera.
import { html, icon, nothing } from './page.js';
import { say } from './nation.js';

const CAN_SEE = 'BarcodeDetector' in globalThis && Boolean(navigator.mediaDevices?.getUserMedia);

async function camera(formats, found) {
  const box = document.createElement('dialog'), video = document.createElement('video'), close = document.createElement('button');
  close.textContent = say('閉じる', 'Close');
  close.onclick = () => box.close();
  box.setAttribute('aria-label', say('カメラで読み取る', 'Read with the camera'));
  video.className = 'finder';
  box.append(video, close);
  document.body.append(box);
  box.showModal();
  let stream;
  const over = () => { for (const track of stream?.getTracks() ?? []) track.stop(); box.remove(); };
  box.addEventListener('close', over);
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' } });
    video.srcObject = stream;
    await video.play();
    const detector = new globalThis.BarcodeDetector({ formats });
    while (box.open) {
      const [code] = await detector.detect(video);
      if (code) { found(code.rawValue); break; }
      await new Promise((next) => requestAnimationFrame(next));
    }
  } catch { /* no camera, or not allowed: the field is still there */ }
  box.close();
}

// GS (FNC1) does not show in a field: it is written as a sign for the eye, and back for the gateway
export const visible = (text) => text.replaceAll('\u001d', '<GS>');
export const raw = (text) => text.trim().replaceAll('<GS>', '\u001d');

export function scanField({ id, label, hint, value, set, done, formats, samples = [], invalid }) {
  const enter = (e) => {
    if (e.key !== 'Enter') return;
    e.preventDefault();
    done?.();
  };
  return html`<div class="field scan"><label for=${id}>${icon('scan')} ${label}</label>
    <div class="row tight"><input id=${id} class="mono grow" autocomplete="off" spellcheck="false" aria-describedby=${`${id}-hint`} aria-invalid=${invalid ? 'true' : nothing} .value=${visible(value)} @input=${(e) => set(raw(e.target.value))} @keydown=${enter}>
    ${CAN_SEE ? html`<button type="button" @click=${() => camera(formats, (text) => { set(text); done?.(); })}>${icon('scan')}${say('カメラ', 'Camera')}</button>` : nothing}</div>
    <span class="hint" id=${`${id}-hint`}>${hint}</span>
    ${samples.length ? html`<div class="row tight samples" role="group" aria-label=${say('見本のコード', 'Sample codes')}>${samples.map(([text, code]) => html`<button type="button" class="quiet" @click=${() => { set(code); done?.(); }}>${icon('scan')}${text}</button>`)}</div>` : nothing}</div>`;
}
