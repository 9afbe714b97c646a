// The words for what the gateway tells of tasks: forms, states, results, reasons of held rows.
import { badge } from './page.js';
import { either, t, texts } from './text.js';

// form: layout of its files; program: whose staff may send it (docs/legal-basis.md)
export const FORMS = [
  { operation: 'postRegistrationTasks', key: 'form.subject', program: 'medical_subsidy' },
  { operation: 'postHistoryRegistrationTasks', key: 'form.history', program: 'medical_subsidy' },
  { operation: 'postMunicipalCheckupRegistrationTasks', key: 'form.checkup', program: 'health_checkup' },
  { operation: 'postVaccinationSubjectRegistrationTasks', key: 'form.vaccination', program: 'immunization' },
  { operation: 'postVaccinationTicketRegistrationTasks', key: 'form.ticket', program: 'immunization' },
  { operation: 'postResidentChangeTasks', key: 'form.changes', program: null },
];

texts({
  'form.subject': ['医療費助成 対象者', 'Medical subsidy: holders'],
  'form.history': ['医療費助成 差分履歴', 'Medical subsidy: history'],
  'form.checkup': ['自治体検診 対象者', 'Municipal checkups'],
  'form.vaccination': ['予防接種 対象者', 'Vaccination: subjects'],
  'form.ticket': ['予防接種 接種券', 'Vaccination: tickets'],
  'form.changes': ['住民の異動', 'Changes of residents'],
  'form.inquiry': ['他市区町村への照会', 'Inquiry to other municipalities'],
  'form.other': ['その他', 'Other'],
  'state.uploading': ['受信中', 'Uploading'], 'state.accepted': ['受付済み', 'Accepted'], 'state.validating': ['検査中', 'Checking'], 'state.processing': ['処理中', 'In progress'],
  'state.stalled': ['待機中', 'Waiting'], 'state.done': ['完了', 'Done'], 'state.done_with_errors': ['完了(要確認)', 'Done, look at it'], 'state.rejected': ['不受理', 'Rejected'],
  'result.waiting': ['処理待ち', 'Waiting'], 'result.registered': ['新規', 'New'], 'result.updated': ['更新', 'Updated'], 'result.unchanged': ['変更なし', 'Unchanged'],
  'result.refused': ['エラー', 'Refused'], 'result.quarantined': ['保留', 'Held'], 'result.not_held': ['保留ではない', 'Not held'],
  'count.rows': ['全件', 'Rows'],
  'mode.dry_run': ['試行', 'Dry run'],
  'who.caller': ['自治体での対応が必要', 'For the municipality to act on'], 'who.operator': ['運用者が対応', 'For the operator to act on'], 'who.upstream': ['接続先が対応', 'For the partner system to act on'],
});

export const formName = (operation) => t(FORMS.find((f) => f.operation === operation)?.key ?? (operation === 'postInquiries' ? 'form.inquiry' : 'form.other'));

const STATE = { uploading: 'info', accepted: 'info', validating: 'info', processing: 'info', stalled: 'warn', done: 'ok', done_with_errors: 'warn', rejected: 'bad' };
const RESULT = { waiting: 'wait', registered: 'ok', updated: 'ok', unchanged: 'wait', refused: 'bad', quarantined: 'warn', not_held: 'wait' };

export const RESULTS = ['registered', 'updated', 'unchanged', 'waiting', 'refused', 'quarantined'];
export const isOpen = (task) => ['uploading', 'accepted', 'validating', 'processing', 'stalled'].includes(task.state);
export const failed = (task) => (task.counts?.refused ?? 0) + (task.counts?.quarantined ?? 0);
export const stateBadge = (state) => badge(STATE[state] ?? 'info', t(`state.${state}`));
export const resultBadge = (result) => badge(RESULT[result] ?? 'info', t(`result.${result}`));

// What an officer can do with a held row of that reason, beside dropping it (docs/bulk.md)
const RELEASE = ['person_mismatch', 'resident_key_two_numbers', 'number_two_residents', 'ticket_of_another', 'resident_was_changed'];
const REPLAY = ['upstream_answer_refused', 'upstream_gave_up', 'stored_value_unreadable'];
export const canRelease = (row) => RELEASE.includes(row.code);
export const canReplay = (row) => REPLAY.includes(row.code);

// Programs of the task's form are in this user's charge
export const inCharge = (who, form) => who.allPrograms || !form.program || who.programs.includes(form.program);

// Published field names, as a municipality's staff know them; others are shown as they are
const FIELDS = {
  myNumber: ['個人番号', 'Individual number'], basicFiveInfo: ['基本5情報', 'Basic data'], name: ['氏名', 'Name'], nameKana: ['氏名カナ', 'Name in kana'], address: ['住所', 'Address'], dateOfBirth: ['生年月日', 'Date of birth'], sex: ['性別', 'Sex'],
  isNotDisclosed: ['不開示', 'Not disclosed'], medicalSubsidyInsurerNumber: ['公費負担者番号', 'Insurer number'], certificationName: ['証明書名', 'Certificate'], medicalSubsidyRecipientNumber: ['公費受給者番号', 'Recipient number'],
  municipalityIdentityKey: ['宛名番号(自治体別本人キー)', 'Resident key'], orgSpecificCertificateTypeId: ['証明書種別ID', 'Kind of certificate'], certificationSubKey: ['証明書枝番', 'Branch number'], segment: ['区分', 'Segment'], incomeSegment: ['所得区分', 'Income segment'],
  additionalConditions: ['付加条件', 'Conditions'], designatedMedicalInstitutions: ['指定医療機関', 'Designated institutions'], isAlwaysReimbursement: ['償還払い', 'Reimbursement'], maxCopaymentAmount: ['自己負担上限額', 'Copayment limit'],
  validFrom: ['有効期間(開始)', 'Valid from'], validTo: ['有効期間(終了)', 'Valid to'], modificationSeg: ['異動区分', 'Kind of change'], ticketNumber: ['券番号', 'Ticket number'], vaccinationProgramId: ['予防接種の種類', 'Programme'], doseNumber: ['回数', 'Dose'],
};

export function fieldName(field) {
  const known = FIELDS[field] ?? FIELDS[field?.split('.').pop()];
  return known ? either(known[0], known[1]) : field;
}
