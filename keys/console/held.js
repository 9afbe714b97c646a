// Held rows: an officer releases, discards or replays those that were chosen, or all. The gateway writes it down first, with the name of who decided.
import { dialog, html, icon, note, nothing, toast } from './page.js';
import { Problem, post } from './api.js';
import { number, t, texts } from './text.js';
import { canReplay, canRelease } from './kinds.js';

texts({
  'held.title': ['保留中の行: {n}件', '{n} rows are held'],
  'held.text': ['取り違えの疑いなどのため、反映を止めています。行を確かめてから、解除・破棄・再処理を選んでください。操作は職員名とともに記録されます。', 'They were stopped because they look like a mix-up, or could not be sent. Look at them, then release, discard or replay. It is recorded with your name.'],
  'held.release': ['保留を解除', 'Release'],
  'held.replay': ['再処理', 'Replay'],
  'held.discard': ['破棄', 'Discard'],
  'held.title_release': ['保留の解除', 'Release held rows'], 'held.title_replay': ['保留の行の再処理', 'Replay held rows'], 'held.title_discard': ['保留の行の破棄', 'Discard held rows'],
  'held.for': ['選択した{n}行', '{n} rows chosen'],
  'held.all': ['保留の行すべて', 'All held rows'],
  'held.ask_release': ['確認した行の保留を解除し、処理を続けます。同じ人であることを確かめましたか。', 'The rows go on. Have you made sure that they are about the same person?'],
  'held.ask_replay': ['もう一度、送信と判定を行います。', 'They are sent and judged once more.'],
  'held.ask_discard': ['行を破棄します。反映されず、元に戻せません。', 'The rows are dropped: they are not applied, and this cannot be taken back.'],
  'held.which': ['対象', 'Which'],
  'held.hint_release': ['選択した行のうち、解除で進められるのは{n}行です。ほかの理由の行は保留のまま残ります。', 'A release lifts the reason of {n} of the chosen rows; the others stay held.'],
  'held.hint_replay': ['選択した行のうち、再処理できるのは{n}行です。ほかの理由の行は保留のまま残ります。', '{n} of the chosen rows can be replayed; the others stay held.'],
  'held.done': ['{n}行を処理しました。保留の残り: {left}', '{n} rows done, {left} still held'],
  'held.second': ['別の職員の承認が必要です', 'A second officer has to approve'],
  'held.second_text': ['この指示は記録しました。1時間以内に、別の職員がご自身のログインで、同じタスクの同じ行に同じ操作をすると実行されます。', 'Your order is written down. It is carried out when another member of staff, logged in by name, gives the same order for the same rows of this task within an hour.'],
});

const DONE = { release: 'released', replay: 'replayed', discard: 'discarded' };
const FITS = { release: canRelease, replay: canReplay, discard: () => true };

export function heldOf({ id, signal, paint, done }) {
  let chosen = new Map();
  const self = {
    task: null,
    choose: (to) => { chosen = to; },
    template: () => {
      const n = self.task?.counts?.quarantined ?? 0;
      if (!n || self.task.mode === 'dry_run') return nothing;
      return note('warn', t('held.title', { n: number(n) }), t('held.text'), html`<div class="actions">
        <button type="button" @click=${() => order('release')}>${icon('ok')}${t('held.release')}</button>
        <button type="button" @click=${() => order('replay')}>${icon('undo')}${t('held.replay')}</button>
        <button type="button" class="danger" @click=${() => order('discard')}>${icon('trash')}${t('held.discard')}</button></div>`);
    },
  };

  async function order(what) {
    const picked = [...chosen.values()];
    const few = picked.filter(FITS[what]).length;
    const answer = await dialog({
      title: t(`held.title_${what}`), yes: t(`held.${what}`), kind: what === 'discard' ? 'danger' : 'primary',
      body: () => html`<p>${t(`held.ask_${what}`)}</p>
        <fieldset><legend>${t('held.which')}</legend>
          ${picked.length ? html`<label class="choice"><input type="radio" name="which" value="rows" checked>${t('held.for', { n: number(picked.length) })}</label>` : nothing}
          <label class="choice"><input type="radio" name="which" value="all" ?checked=${!picked.length}>${t('held.all')}</label></fieldset>
        ${picked.length && few < picked.length ? html`<p class="hint">${t(`held.hint_${what}`, { n: number(few) })}</p>` : nothing}`,
      submit: async (form) => {
        const rows = new FormData(form).get('which') === 'rows' ? { rows: picked.map((r) => r.row) } : { all: true };
        try {
          return await post(`/v1/tasks/${id}/${what}`, rows, { signal, deadline: 60000 });
        } catch (e) {
          if (e instanceof Problem && e.code === 'second_officer_required') return { second: true };
          throw e;
        }
      },
    });
    if (!answer || signal.aborted) return;
    if (answer.second) {
      await dialog({ title: t('held.second'), body: () => html`<p>${t('held.second_text')}</p>` });
      return;
    }
    toast(t('held.done', { n: number(answer[DONE[what]]), left: number(answer.left) }), 'ok');
    done();
    paint();
  }

  return self;
}
