// One resident of the municipality: control flags, erasure, and its number for whoever may see one. What is typed stays in the page; a number stays for half a minute.
import { dialog, html, icon, note, nothing, problemNote, toast } from './page.js';
import { call, post } from './api.js';
import { dateTime, number, t, texts } from './text.js';

texts({
  'res.title': ['住民', 'Residents'],
  'res.nav': ['住民', 'Residents'],
  'res.key': ['宛名番号(自治体別本人キー)', 'Resident key'],
  'res.key_hint': ['業務システムで使っている宛名番号です。個人番号は入力しないでください。', 'The key of your own system. Never enter an individual number here.'],
  'res.key_number': ['個人番号と思われる値です。宛名番号を入力してください。', 'This looks like an individual number. Enter the resident key.'],
  'res.key_missing': ['宛名番号を入力してください。', 'Enter the resident key.'],
  'res.which': ['対象の住民', 'Which resident'],
  'res.flags': ['開示・閲覧の制御', 'Control flags'],
  'res.flags_text': ['DV等の支援措置や本人の申出により、この住民の情報を医療機関・ポータルに返さないようにします。設定は応答と同時に有効になります。', 'Protects the resident: clinics and portals hear nothing any more. It is in effect when the answer is here.'],
  'res.flags_replace': ['三つの項目は、今回の指定にまとめて置き換わります。', 'All three are replaced by what is chosen here.'],
  'res.now_ask': ['現在の設定を確認', 'Show what is set'],
  'res.now_hint': ['確認したことは職員名とともに記録されます。ほかの自治体の設定は表示されません。', 'Looking is recorded with your name. What other municipalities have set is not shown.'],
  'res.now': ['現在の設定', 'What is set now'],
  'res.now_none': ['この自治体が設定した制御はありません。', 'This municipality has set no flag.'],
  'res.now_since': ['{time}から', 'since {time}'],
  'res.now_records': ['登録された記録に付いている制御です。解除するには、記録を送り直します。', 'Carried by registered records. To lift them, send the records again.'],
  'res.now_left': ['転出等により、この自治体の制御は効いていません。', 'The resident has left: flags of this municipality are not in effect.'],
  'res.isNotDisclosed': ['不開示(本人を含め、だれにも返さない)', 'Not disclosed (to nobody)'],
  'res.isViewingStopped': ['閲覧停止', 'Viewing stopped'],
  'res.isRecovery': ['リカバリー(誤りの訂正中)', 'Recovery (being corrected)'],
  'res.reason': ['理由', 'Reason'],
  'res.choose': ['選んでください', 'Choose one'],
  'reason.protection': ['支援措置(DV・ストーカー等)', 'Protection (DV, stalking)'], 'reason.citizen_request': ['本人の申出', 'Asked by the citizen'], 'reason.mistake': ['登録の誤り', 'Registered by mistake'], 'reason.over': ['事由の解消', 'The reason is over'], 'reason.replayed': ['復旧時に監査記録から再設定', 'Set again from the log after a recovery'],
  'reason.moved_away': ['転出', 'Moved away'], 'reason.died': ['死亡', 'Died'], 'reason.retention_over': ['保存期間の満了', 'Kept long enough'], 'reason.other': ['その他', 'Other'],
  'res.set': ['この内容で設定', 'Set'],
  'res.set_title': ['制御の設定', 'Set control flags'],
  'res.set_on': ['次の制御を有効にします。', 'These will be in effect:'],
  'res.set_off': ['すべての制御を解除します。情報が再び返るようになります。支援措置が終わっていることを確かめてください。', 'All flags are lifted: records are told again. Make sure that the protection is over.'],
  'res.set_done': ['制御を設定しました。', 'The flags are in effect.'],
  'res.erase': ['情報の消去', 'Erasure'],
  'res.erase_text': ['この自治体が登録した資格・接種・票などの情報と、保管庫の個人番号をすべて消去します。元に戻せません。ほかの自治体の情報は残ります。', 'Removes everything that this municipality registered about the resident, and the number in the vault. It cannot be taken back. What other municipalities have stays.'],
  'res.erase_all': ['消去は、すべての業務を担当する担当者・管理者だけが行えます。', 'Only who is in charge of all programs may erase.'],
  'res.erase_do': ['消去する', 'Erase'],
  'res.erase_title': ['住民の情報を消去します', 'Erase a resident'],
  'res.erase_type': ['確認のため、宛名番号をもう一度入力してください', 'Type the resident key once more'],
  'res.erase_differs': ['宛名番号が一致しません。', 'The two keys are not the same.'],
  'res.erase_done': ['消去しました(記録{n}件)。', 'Erased ({n} records).'],
  'res.erase_none': ['消去しました。該当する記録はありませんでした。', 'Done. There was no record.'],
  'res.reveal': ['個人番号の確認', 'Reveal a number'],
  'res.reveal_text': ['窓口での確認など、必要な場合だけ表示してください。表示より前に、職員名・目的・対象が監査記録に残ります。表示は30秒で消え、どこにも保存されません。', 'Only where it is needed. Who, why and about whom is recorded before it is shown. It goes after 30 seconds and is kept nowhere.'],
  'res.purpose': ['目的', 'Purpose'],
  'purpose.number_check': ['窓口での個人番号の確認', 'Checking a number at the counter'],
  'res.reveal_do': ['記録して表示', 'Record and show'],
  'res.reveal_title': ['個人番号の表示', 'Show a number'],
  'res.reveal_ask': ['宛名番号「{key}」の住民1人の個人番号を表示します。この操作は記録されます。', 'The number of the one resident {key} will be shown. It is recorded.'],
  'res.shown': ['個人番号', 'Individual number'],
  'res.shown_left': ['あと{n}秒で消えます', 'goes in {n} s'],
  'res.hide': ['今すぐ消す', 'Hide it now'],
  'res.hidden': ['個人番号の表示を消しました。', 'The number is not shown any more.'],
  'res.viewer': ['閲覧者は住民の情報を変更できません。', 'A viewer changes nothing here.'],
});

const FLAGS = ['isNotDisclosed', 'isViewingStopped', 'isRecovery'];
const FLAG_REASONS = ['protection', 'citizen_request', 'mistake', 'over', 'other'];
const ERASE_REASONS = ['moved_away', 'died', 'retention_over', 'mistake', 'citizen_request', 'other'];
const KNOWN_REASONS = [...FLAG_REASONS, 'replayed'];
const SHOWN_S = 30;
const looksLikeNumber = (key) => /^\s*(?:[0-9０-９][\s-]?){12}\s*$/.test(key);

export default {
  path: 'residents', title: 'res.title', nav: 'res.nav', icon: 'people',
  may: (who) => who.role !== 'viewer' || who.reveal,
  open({ signal, paint, who }) {
    const acts = who.role !== 'viewer', erases = acts && who.allPrograms;
    let wrong = null, shown = null, now = null, refused = null; // now: what is set, of the resident whose key is typed; refused: why it is not told

    const field = () => document.getElementById('res-key');
    function key() {
      const value = field().value.trim();
      wrong = !value ? 'res.key_missing' : looksLikeNumber(value) ? 'res.key_number' : null;
      paint();
      if (wrong) field().focus();
      return wrong ? null : value;
    }

    async function askNow(event) {
      const municipalityIdentityKey = key(), form = event.currentTarget.form;
      if (!municipalityIdentityKey) return;
      const still = () => !signal.aborted && field().value.trim() === municipalityIdentityKey;
      now = refused = null;
      paint();
      try {
        const told = await post('/v1/residents/flags', { municipalityIdentityKey }, { signal });
        if (!still()) return;
        now = told;
        for (const f of FLAGS) form.elements[f].checked = told[f]; // what is not changed stays as it is
      } catch (e) {
        if (!still()) return;
        refused = e;
      }
      paint();
    }

    async function setFlags(event) {
      event.preventDefault();
      const municipalityIdentityKey = key(), form = new FormData(event.target);
      if (!municipalityIdentityKey || !event.target.reportValidity()) return;
      const flags = Object.fromEntries(FLAGS.map((f) => [f, form.has(f)])), on = FLAGS.filter((f) => flags[f]);
      const done = await dialog({
        title: t('res.set_title'), yes: t('res.set'), kind: on.length ? 'primary' : 'danger',
        body: () => html`<p>${t('res.key')}: <strong class="mono">${municipalityIdentityKey}</strong></p>${on.length ? html`<p>${t('res.set_on')}</p><ul>${on.map((f) => html`<li>${t(`res.${f}`)}</li>`)}</ul>` : html`<p>${t('res.set_off')}</p>`}<p>${t('res.reason')}: ${t(`reason.${form.get('reason')}`)}</p>`,
        submit: () => call('PUT', '/v1/residents/flags', { json: { municipalityIdentityKey, ...flags, reason: form.get('reason') } }),
      });
      if (!done) return;
      if (now) now = { ...now, ...done };
      paint();
      toast(t('res.set_done'), 'ok');
    }

    async function erase(event) {
      event.preventDefault();
      const municipalityIdentityKey = key(), reason = new FormData(event.target).get('reason');
      if (!municipalityIdentityKey || !event.target.reportValidity()) return;
      let differs = false;
      const done = await dialog({
        title: t('res.erase_title'), yes: t('res.erase_do'), kind: 'danger',
        body: () => html`${note('warn', t('res.erase_text'), '')}<p>${t('res.key')}: <strong class="mono">${municipalityIdentityKey}</strong>(${t(`reason.${reason}`)})</p>
          <div class="field"><label for="erase-again">${t('res.erase_type')}</label><input id="erase-again" name="again" required autocomplete="off" spellcheck="false" aria-invalid=${differs ? 'true' : 'false'} aria-describedby="erase-wrong">
          <span id="erase-wrong" class="wrong" role="alert">${differs ? t('res.erase_differs') : nothing}</span></div>`,
        submit: async (form) => {
          differs = new FormData(form).get('again').trim() !== municipalityIdentityKey;
          return differs ? null : post('/v1/residents/erase', { municipalityIdentityKey, reason }, { deadline: 120000 });
        },
      });
      if (!done) return;
      event.target.reset();
      now = null;
      paint();
      toast(done.erased ? t('res.erase_done', { n: number(done.erased) }) : t('res.erase_none'), 'ok');
    }

    // ---- the number: never in a template, never in a variable that outlives it ----

    function hide(say = true) {
      if (!shown) return;
      clearInterval(shown.timer);
      shown.at.replaceChildren();
      shown = null;
      document.getElementById('res-number')?.replaceChildren();
      if (say && !signal.aborted) toast(t('res.hidden'));
      if (!signal.aborted) paint();
    }

    function showNumber(digits) {
      const at = document.createElement('output');
      at.className = 'number mono';
      at.translate = false;
      at.textContent = digits.replace(/(\d{4})(?=\d)/g, '$1 ');
      hide(false);
      const until = Date.now() + SHOWN_S * 1000;
      shown = { at, left: SHOWN_S, timer: 0 };
      shown.timer = setInterval(() => {
        shown.left = Math.ceil((until - Date.now()) / 1000);
        if (shown.left <= 0) hide();
        else paint();
      }, 250);
      paint();
      document.getElementById('res-number').replaceChildren(at);
    }

    async function reveal(event) {
      event.preventDefault();
      const municipalityIdentityKey = key(), purpose = new FormData(event.target).get('purpose');
      if (!municipalityIdentityKey) return;
      hide(false);
      const answer = await dialog({
        title: t('res.reveal_title'), yes: t('res.reveal_do'),
        body: () => html`<p>${t('res.reveal_ask', { key: municipalityIdentityKey })}</p><p>${t('res.purpose')}: ${t(`purpose.${purpose}`)}</p>`,
        submit: () => post('/v1/residents/reveal', { municipalityIdentityKey, purpose }),
      });
      if (!answer || signal.aborted) return;
      showNumber(answer.myNumber);
      delete answer.myNumber;
    }

    const unseen = () => { if (document.hidden) hide(false); };
    document.addEventListener('visibilitychange', unseen);
    addEventListener('pagehide', unseen);
    signal.addEventListener('abort', () => {
      document.removeEventListener('visibilitychange', unseen);
      removeEventListener('pagehide', unseen);
      hide(false);
    });

    const reasons = (id, list) => html`<div class="field narrow-field"><label for=${id}>${t('res.reason')}</label><select id=${id} name="reason" required><option value="">${t('res.choose')}</option>${list.map((r) => html`<option value=${r}>${t(`reason.${r}`)}</option>`)}</select></div>`;
    const those = (flags) => html`<ul>${FLAGS.filter((f) => flags[f]).map((f) => html`<li>${t(`res.${f}`)}</li>`)}</ul>`;
    const any = (flags) => FLAGS.some((f) => flags[f]);
    const why = (word) => (KNOWN_REASONS.includes(word) ? t(`reason.${word}`) : html`<span class="mono">${word}</span>`);
    const nowIs = () => html`<h3>${t('res.now')}</h3>${now.has_left ? note('warn', t('res.now_left'), '') : nothing}
      ${any(now) ? html`${those(now)}<p class="small">${t('res.now_since', { time: dateTime(now.set_at) })} · ${t('res.reason')}: ${why(now.reason)}</p>` : html`<p>${t('res.now_none')}</p>`}
      ${any(now.in_records) ? html`<p class="small">${t('res.now_records')}</p>${those(now.in_records)}` : nothing}`;
    const flagsForm = () => html`<form class="panel stack" novalidate @submit=${setFlags} aria-labelledby="flags-title"><h2 id="flags-title">${t('res.flags')}</h2><p class="small soft">${t('res.flags_text')}</p>
      <div class="row"><button type="button" aria-describedby="now-hint" @click=${askNow}>${icon('eye')}${t('res.now_ask')}</button><span class="hint" id="now-hint">${t('res.now_hint')}</span></div>
      <div id="flags-now" role="status">${refused ? problemNote(refused) : now ? nowIs() : nothing}</div>
      <fieldset><legend>${t('res.flags')}</legend>${FLAGS.map((f) => html`<label class="choice"><input type="checkbox" name=${f}>${t(`res.${f}`)}</label>`)}<p class="hint">${t('res.flags_replace')}</p></fieldset>
      ${reasons('flags-reason', FLAG_REASONS)}<div class="row"><button type="submit" class="primary">${icon('flag')}${t('res.set')}</button></div></form>`;
    const eraseForm = () => html`<form class="panel stack" novalidate @submit=${erase} aria-labelledby="erase-title"><h2 id="erase-title">${t('res.erase')}</h2><p class="small soft">${t('res.erase_text')}</p>
      ${erases ? html`${reasons('erase-reason', ERASE_REASONS)}<div class="row"><button type="submit" class="danger">${icon('trash')}${t('res.erase_do')}</button></div>` : html`<p class="small">${t('res.erase_all')}</p>`}</form>`;
    const revealForm = () => html`<form class="panel stack" novalidate @submit=${reveal} aria-labelledby="reveal-title"><h2 id="reveal-title">${t('res.reveal')}</h2><p class="small soft">${t('res.reveal_text')}</p>
      <div class="field narrow-field"><label for="res-purpose">${t('res.purpose')}</label><select id="res-purpose" name="purpose"><option value="number_check">${t('purpose.number_check')}</option></select></div>
      <div class="row"><button type="submit">${icon('eye')}${t('res.reveal_do')}</button></div>
      <div class="revealed" ?hidden=${!shown}><span class="small soft" id="res-number-label">${t('res.shown')}</span><div id="res-number" role="status" aria-labelledby="res-number-label"></div>
        <div class="row"><span class="small soft" aria-live="off">${shown ? t('res.shown_left', { n: shown.left }) : nothing}</span><button type="button" @click=${() => hide()}>${t('res.hide')}</button></div></div></form>`;

    return () => html`<div class="wrap middle stack loose"><h1 tabindex="-1">${t('res.title')}</h1>
      <section class="panel field" aria-label=${t('res.which')}><label for="res-key">${t('res.key')}</label><input id="res-key" class="mono" maxlength="100" autocomplete="off" spellcheck="false" autocapitalize="off" aria-describedby="res-key-hint res-key-wrong" aria-invalid=${wrong ? 'true' : 'false'} @input=${() => { hide(false); wrong = now = refused = null; paint(); }}>
        <span class="hint" id="res-key-hint">${t('res.key_hint')}</span><span class="wrong" id="res-key-wrong" role="alert">${wrong ? t(wrong) : nothing}</span></section>
      ${acts ? flagsForm() : html`<p class="soft small">${t('res.viewer')}</p>`}${who.reveal ? revealForm() : nothing}${acts ? eraseForm() : nothing}</div>`;
  },
};
