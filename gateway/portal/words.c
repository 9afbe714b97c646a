#include "gateway/portal/words.h"

struct words words_event(enum audit_event e)
{
    static const struct { enum audit_event event; struct words w; } WORDS[] = {
        { AU_CLINIC_LOOKUP, { "医療機関等が連携キーであなたの情報を照会しました。", "A clinic asked about you with a link key." } },
        { AU_SESSION_READ, { "医療機関等がセッションであなたの情報をもう一度表示しました。", "A clinic looked at your data again in its session." } },
        { AU_CITIZEN_LOOKUP, { "あなたの情報をポータルで表示しました。", "Your data was shown at the portal." } },
        { AU_CONSENTS_READ, { "同意とセッションの一覧をポータルで表示しました。", "Your consents and sessions were listed at the portal." } },
        { AU_CONSENT_WITHDRAWN, { "ポータルで同意を取り消しました。", "A consent was withdrawn at the portal." } },
        { AU_SESSION_ENDED, { "ポータルで医療機関等のセッションを終了しました。", "A clinic's session was ended at the portal." } },
        { AU_PSEUDONYM_LINKED, { "ポータルの仮名識別子があなたと結び付けられました。", "A pseudonym of the portal was linked to you." } },
        { AU_ACCESS_LOG_READ, { "このアクセス記録をポータルで表示しました。", "This access log was shown at the portal." } },
        { AU_STATEMENT_ISSUED, { "アクセス記録の証明書を発行しました。", "A statement of this access log was issued." } },
        { AU_RESIDENT_CHANGED, { "自治体の届け出により、住民の異動が反映されました。", "A change of your residence or status was applied for the municipality." } },
        { AU_PERSON_ERASED, { "自治体が、登録していたあなたの情報を消去しました。", "The municipality erased what it had registered about you." } },
        { AU_NUMBER_REVEALED, { "自治体の職員があなたの個人番号を確認しました。", "A member of staff of the municipality looked at your individual number." } },
        { AU_RECORD_STORED, { "自治体があなたの情報を登録しました。", "The municipality registered data about you." } },
        { AU_IMMUNIZATIONS_READ, { "医療機関等があなたの予防接種の記録を表示しました。", "A clinic looked at your vaccination records." } },
        { AU_IMMUNIZATION_RECORDED, { "医療機関等があなたの予防接種を記録しました。", "A clinic recorded a vaccination of yours." } },
        { AU_IMMUNIZATION_CORRECTED, { "あなたの予防接種の記録が訂正または取消しされました。", "A vaccination record of yours was corrected or cancelled." } },
        { AU_TICKET_READ, { "接種会場であなたの接種券が読み取られました。", "Your vaccination ticket was read at a venue." } },
        { AU_OWN_IMMUNIZATIONS_READ, { "予防接種の記録をポータルで表示しました。", "Your vaccination records were shown at the portal." } },
        { AU_QUESTIONNAIRES_READ, { "医療機関等があなたの予診票を表示しました。", "A clinic looked at your questionnaires." } },
        { AU_QUESTIONNAIRE_COMPLETED, { "医師があなたの予診票に記入しました。", "A doctor completed a questionnaire of yours." } },
        { AU_QUESTIONNAIRES_LISTED, { "予診票の一覧をポータルで表示しました。", "Your questionnaires were listed at the portal." } },
        { AU_QUESTIONNAIRE_ANSWERED, { "ポータルで予診票に回答しました。", "A questionnaire was answered at the portal." } },
        { AU_OWN_TICKETS_READ, { "接種券の一覧をポータルで表示しました。", "Your vaccination tickets were listed at the portal." } },
        { AU_FHIR_READ, { "医療機関等があなたの情報を FHIR 形式で表示しました。", "A clinic looked at your data in FHIR form." } },
        { AU_OWN_FHIR_READ, { "あなたの情報をポータルで FHIR 形式で表示しました。", "Your data was shown at the portal in FHIR form." } },
        { AU_OWN_NOTICES_READ, { "予防接種のお知らせをポータルで表示しました。", "Notices about your vaccinations were shown at the portal." } },
        { AU_NOTICE_SENT, { "あなたの予防接種に関する変更を、関係する機関に知らせました。", "A partner was told of a change that concerns your vaccinations." } },
        { AU_NOTICE_DROPPED, { "あなたの予防接種に関する知らせを、送らずに取りやめました。", "A message about your vaccinations was not sent." } },
        { AU_NOTICE_DEAD, { "あなたの予防接種に関する知らせが届きませんでした。職員が確認します。", "A message about your vaccinations could not be delivered; an officer looks after it." } },
        { AU_CERTIFICATE_ISSUED, { "予防接種の証明書を発行しました。", "Certificates of your vaccinations were issued." } },
        { AU_CERTIFICATES_READ, { "予防接種の証明書の一覧をポータルで表示しました。", "Your certificates of vaccination were listed at the portal." } },
        { AU_CERTIFICATE_ENDED, { "予防接種の証明書を失効させました。", "A certificate of your vaccinations was revoked." } },
        { AU_INQUIRY_SENT, { "転入先の市区町村が、転出元の市区町村にあなたの予防接種記録を照会しました。", "The municipality asked the one where you lived before for your immunization records." } },
        { AU_IMMUNIZATIONS_PROVIDED, { "ほかの市区町村からの照会に、あなたの予防接種記録の有無を確認して回答しました。", "Another municipality asked for your immunization records, and was answered." } },
        { AU_VRS_TOLD, { "あなたの予防接種の登録内容を、ワクチン接種記録システム(VRS)へ登録しました。", "What is registered of your vaccinations was sent to the vaccination record system (VRS)." } },
        { AU_VRS_NOT_TOLD, { "あなたの予防接種の登録内容を、ワクチン接種記録システム(VRS)へ登録できませんでした。職員が確認します。", "What is registered of your vaccinations could not be sent to the vaccination record system (VRS); an officer looks after it." } },
        { AU_REFUSED, { "窓口が要求を断りました。", "The door refused a request." } },
    };
    for (size_t i = 0; i < sizeof WORDS / sizeof WORDS[0]; i++)
        if (WORDS[i].event == e)
            return WORDS[i].w;
    return (struct words){ "あなたに関する処理が行われました。", "Something was done that concerns you." };
}

struct words words_result(enum audit_result r)
{
    static const struct words WORDS[AR__MAX] = {
        [AR_OK] = { "行われました", "done" },
        [AR_NOTHING] = { "情報は渡されていません(「表示できる情報なし」と回答)", "nothing was given out (the answer was: nothing to show)" },
        [AR_USED] = { "断られました(使用済みの連携キー)", "refused: the link key had been used" },
        [AR_REFUSED] = { "断られました", "refused" },
        [AR_FAILED] = { "失敗しました(情報は渡されていません)", "failed: nothing was given out" },
    };
    return (unsigned)r < AR__MAX ? WORDS[r] : (struct words){ "不明", "unknown" };
}

struct words words_behalf(enum audit_behalf b)
{
    static const struct words WORDS[AB__MAX] = {
        [AB_OWN] = { "機関自身の業務として", "for the institution's own work" },
        [AB_CITIZEN] = { "本人の操作", "for the person itself" },
        [AB_STAFF] = { "自治体の職員の操作", "by a member of staff of the municipality" },
    };
    return (unsigned)b < AB__MAX ? WORDS[b] : (struct words){ "不明", "unknown" };
}

struct words words_item(unsigned bit)
{
    static const struct words WORDS[] = {
        { "医療費助成の受給資格", "eligibility for medical subsidies" }, { "自治体検診", "municipal checkups" }, { "予防接種", "immunizations" },
        { "接種券", "vaccination tickets" }, { "問診票", "questionnaire" }, { "同意", "consents" }, { "セッション", "sessions" }, { "アクセス記録", "access log" },
        { "制御フラグ", "control flags" }, { "個人番号", "individual number" }, { "住民情報", "resident data" },
    };
    _Static_assert(AUDIT_ITEMS_ALL == (1 << sizeof WORDS / sizeof WORDS[0]) - 1, "every kind has words");
    return bit < sizeof WORDS / sizeof WORDS[0] ? WORDS[bit] : (struct words){ NULL, NULL };
}

bool words_visible(const struct audit_rec *rec) { return rec->event != AU_FLAGS_SET && rec->event != AU_FLAGS_READ; }

struct slice words_institution(const struct audit_rec *rec)
{
    static const char *const ROLES[] = { "clinic", "municipality", "portal" };
    struct slice actor = slice_of(rec->actor, strnlen(rec->actor, sizeof rec->actor)), role, rest, code, system;
    if (rec->event == AU_IMMUNIZATIONS_PROVIDED && audit_counterpart(rec, &code))
        return slice_of(rec->ref, code.n); /* who asked, by VRS */
    if (slice_cut(actor, '/', &role, &rest)) {
        code = slice_cut(rest, '/', &code, &system) ? code : rest;
        for (size_t i = 0; i < sizeof ROLES / sizeof ROLES[0]; i++)
            if (slice_eq(role, slice_str(ROLES[i])) && code.n)
                return code;
    }
    return slice_eq(ARR(rec->muni), LIT("000000")) ? LIT("pmhgw") : ARR(rec->muni);
}
