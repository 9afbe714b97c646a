// What the map tells: places, identifiers, and who hands what to whom. After the published 特定個人情報保護評価書; what of it is ours says docs/interfaces.md.

// [shape, letter, Japanese, English]: told apart by shape and letter, not by colour alone
export const THINGS = {
  number: ['octagon', '個', '個人番号', 'individual number'], pmhkey: ['diamond', 'K', 'PMHキー', 'PMH key'], binding: ['hexagon', '紐', '紐付番号', 'binding number'], serial: ['card', 'C', 'カードのシリアル', 'card serial'],
  pseudonym: ['circle', '仮', '仮名識別子', 'pseudonym'], linkkey: ['envelope', '連', '連携キー', 'link key'], data: ['page', '資', '資格・記録', 'data'], proof: ['square', '証', '監査記録', 'audit entry'],
  ticket: ['ticket', '券', '接種券', 'ticket'], id5: ['pentagon', '5', 'ID5', 'ID5'],
};

// x, y of the middle; inside: of the gateway; number: knows individual numbers; system: its name in /state
export const PLACES = {
  intermediary: { x: 120, y: 100, ja: '中間サーバー', en: 'Intermediary', number: true, system: 'intermediary', count: ['pmh_keys_held', 'PMHキー', 'PMH keys'] },
  pmh: { x: 380, y: 100, ja: 'PMH(採番)', en: 'PMH', number: true, system: 'pmh', count: ['requests', '採番要求', 'requests'] },
  muni: { x: 110, y: 360, ja: '市区町村', en: 'Municipality', number: true },
  vrs: { x: 110, y: 590, ja: 'VRS', en: 'VRS', number: true, system: 'vrs', count: ['requests', '照会', 'inquiries'] },
  intake: { x: 385, y: 330, ja: '取込', en: 'Intake', number: true, inside: true },
  vault: { x: 385, y: 510, ja: '金庫(vault)', en: 'Vault', number: true, inside: true },
  store: { x: 765, y: 310, ja: '資格の保管', en: 'Link store', inside: true },
  front: { x: 946, y: 385, ja: '照会窓口', en: 'Front', inside: true },
  audit: { x: 765, y: 460, ja: '監査台帳', en: 'Audit log', inside: true },
  courier: { x: 765, y: 570, ja: '配達', en: 'Courier', inside: true },
  onshi: { x: 1250, y: 100, ja: 'オンライン資格確認', small: true, en: 'Qualification', system: 'onshi', count: ['link_keys_minted', '連携キー', 'link keys'] },
  clinic: { x: 1250, y: 280, ja: '医療機関', en: 'Clinic', system: 'clinic-app', count: ['messages_kept', '通知', 'notices'] },
  portal: { x: 1250, y: 470, ja: 'マイナポータル', en: 'Portal', system: 'portal', count: ['linked', '連携済み', 'linked'] },
  citizen: { x: 1440, y: 375, ja: '本人', en: 'Citizen', person: true },
  id5: { x: 880, y: 695, ja: '履歴照会回答', en: 'ID5 service', system: 'id5', count: ['id5_given', 'ID5', 'ID5'] },
  database: { x: 1250, y: 640, ja: '予防接種DB', en: 'Vaccination DB', system: 'vaccination-db', count: ['provisions_kept', '提供', 'provisions'] },
  claims: { x: 645, y: 695, ja: '請求支払', en: 'Claims', system: 'claims', count: ['claims_kept', '請求', 'claims'] },
};
export const WALL = 540; // no number passes this line

const step = (from, to, carry, ja, en, more = {}) => ({ from, to, carry, ja, en, ...more });

export const STORIES = [
  { id: 'register', ja: '1 登録と採番', en: '1 Registration', steps: [
    step('muni', 'intake', ['number', 'data'], '市区町村が、個人番号と受給資格を取込へ送ります。', 'The municipality sends individual number and entitlement to the intake.'),
    step('intake', 'vault', ['number'], '個人番号は金庫が封印して預かります。個人番号が残るのは、ゲートウェイではここだけです。', 'The vault seals the number; in the gateway it stays here alone.', { rest: true }),
    step('intake', 'pmh', ['number'], '取込が、PMHに採番を依頼します。', 'The intake asks PMH for numbering.'),
    step('pmh', 'intermediary', ['number'], 'PMHは中間サーバーに尋ねます。同じ人には、いつも同じPMHキーです。', 'PMH asks the intermediary server: the same person has the same PMH key, always.'),
    step('intermediary', 'pmh', ['pmhkey', 'number'], '中間サーバーがPMHキーを返します。', 'The intermediary server returns a PMH key.'),
    step('pmh', 'intake', ['pmhkey', 'number'], 'PMHキーが取込に届きます。応答が別の人のものでないかを取込が確かめます。', 'The PMH key arrives; the intake looks whether it is that person’s.'),
    step('intake', 'store', ['number', 'pmhkey', 'data'], '壁を通るのはPMHキーと資格だけ。個人番号はここで止まります。', 'Key and entitlement pass the wall. The individual number stops here.', { stops: 'number' }),
    step('intermediary', 'onshi', ['pmhkey', 'binding'], '中間サーバーは、PMHキーと紐付番号をオンライン資格確認へ渡します。', 'The intermediary hands PMH key and binding number to online qualification.', { via: [[120, 30], [1250, 30]] }),
    step('onshi', 'portal', ['pmhkey'], 'ポータルにPMHキーが届きます。', 'The PMH key reaches the portal.', { via: [[1366, 100], [1366, 470]] }),
    step('portal', 'front', ['pmhkey', 'pseudonym'], 'ポータルは仮名識別子を作って届け、自分の手元のPMHキーを消します。', 'The portal makes a pseudonym, hands it over, and forgets the PMH key.'),
  ] },
  { id: 'clinic', ja: '2 医療機関の照会', en: '2 A clinic asks', steps: [
    step('citizen', 'clinic', ['serial'], '本人が医療機関でカードを置き、提供に同意します。', 'The citizen lays the card on the reader and agrees.'),
    step('clinic', 'onshi', ['serial'], 'カードのシリアルと同意が、オンライン資格確認へ行きます。', 'Card serial and consent go to online qualification.'),
    step('onshi', 'clinic', ['linkkey'], 'その医療機関だけが、24時間以内に1度だけ使える連携キーが返ります。', 'A link key comes back: for this clinic alone, once, within 24 hours.'),
    step('clinic', 'front', ['linkkey'], '医療機関が連携キーで照会します。個人番号は送りません。', 'The clinic asks with the link key. No number is sent.'),
    step('front', 'store', ['pmhkey'], '窓口は連携キーを開き、PMHキーで資格を読みます。', 'The front opens it and reads by PMH key.'),
    step('front', 'audit', ['proof'], '答える前に、だれが何を見るかを台帳に書きます。', 'Before it answers, it is written who sees what.'),
    step('front', 'clinic', ['data'], '同意した項目だけが医療機関に返ります。2度目の使用は断られます。', 'What was agreed to is told, and no more. A second use is refused.'),
  ] },
  { id: 'citizen', ja: '3 本人が見る', en: '3 The citizen looks', steps: [
    step('citizen', 'portal', ['serial'], '本人がカードでポータルにログインします。', 'The citizen logs in with the card.'),
    step('portal', 'front', ['pseudonym'], 'ポータルは仮名識別子で尋ねます。', 'The portal asks by pseudonym.'),
    step('front', 'audit', ['proof'], '本人の閲覧も台帳に残ります。', 'That is written, too.'),
    step('front', 'portal', ['data', 'proof'], '資格、接種記録、そして「だれが見たか」が証明つきで返ります。', 'Entitlement, records, and who looked, with proofs.'),
    step('portal', 'citizen', ['data', 'proof'], '本人の端末が、公開鍵だけで証明を確かめます。', 'The citizen’s own device checks them, with the public key alone.'),
  ] },
  { id: 'vaccine', ja: '4 予防接種', en: '4 Vaccination', steps: [
    step('citizen', 'clinic', ['ticket'], '本人が接種券を見せます。', 'The citizen shows a ticket.'),
    step('clinic', 'front', ['ticket', 'data'], '接種の記録が、規則に合うかを確かめて保存されます。', 'The dose is judged by the rules and recorded.'),
    step('front', 'audit', ['proof'], '記録したことが台帳に残ります。', 'That is written.'),
    step('courier', 'portal', ['pseudonym'], '本人に、仮名識別子でお知らせが届きます。', 'The citizen is told, by pseudonym.'),
    step('courier', 'id5', ['pmhkey'], '配達は、提供のたびに新しいID5を受け取ります。', 'The courier gets an ID5, another one each time.'),
    step('courier', 'database', ['id5', 'data'], '予防接種データベースには、だれか分からない形で提供されます。', 'The database learns of the dose, not of whom.'),
    step('vault', 'vrs', ['number', 'data'], '設定した市区町村では、VRSへの登録に金庫が個人番号を出します。壁の左側だけを通ります。', 'Where it is switched on, VRS is told with the number out of the vault: left of the wall only.'),
    step('muni', 'claims', ['data'], '市区町村は、だれの分か分からない明細で支払います。', 'The municipality pays by lines that name nobody.', { via: [[215, 360], [215, 695]] }),
  ] },
];

// The way of a step: from edge to edge of the two boxes, by its corners
export const BOX = { w: 176, h: 76 };
function edge(place, toward) {
  const dx = toward[0] - place.x, dy = toward[1] - place.y;
  if (place.person) return [place.x + (dx * 44) / Math.hypot(dx, dy), place.y + (dy * 44) / Math.hypot(dx, dy)];
  const k = Math.min(dx ? (BOX.w / 2 + 4) / Math.abs(dx) : Infinity, dy ? (BOX.h / 2 + 4) / Math.abs(dy) : Infinity);
  return [place.x + dx * k, place.y + dy * k];
}
export function way(s) {
  const a = PLACES[s.from], b = PLACES[s.to], via = s.via ?? [];
  return [edge(a, via[0] ?? [b.x, b.y]), ...via, edge(b, via.at(-1) ?? [a.x, a.y])];
}
export function along(points, part) {
  const lengths = points.slice(1).map((p, i) => Math.hypot(p[0] - points[i][0], p[1] - points[i][1]));
  let left = lengths.reduce((n, l) => n + l, 0) * part;
  for (const [i, l] of lengths.entries()) {
    if (left <= l || i === lengths.length - 1) return [0, 1].map((k) => points[i][k] + (points[i + 1][k] - points[i][k]) * (l ? Math.min(1, left / l) : 0));
    left -= l;
  }
  return points.at(-1);
}
