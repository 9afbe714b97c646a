#include "gateway/vaccine/ticket_index.h"

#include "gateway/base/text.h"
#include "gateway/vaccine/ticket_line.h"

#define OWNER_SCRIPT                                                                   \
    "local o=redis.call('HMGET',KEYS[1],'p','f') "                                     \
    "if o[1] and o[2] and redis.call('HEXISTS',o[1],o[2])==1 then return o[1] end return false"

void ticket_index_ask(const struct store_name *tk, struct redis_batch *b)
{
    REDIS_ADD(b, LIT("EVAL"), LIT(OWNER_SCRIPT), LIT("1"), store_name_slice(tk));
}

void ticket_index_words(const struct store_name *tk, struct slice person, struct slice field, struct slice sid_hex, struct slice ret_words[static TICKET_INDEX_WORDS])
{
    const struct slice words[TICKET_INDEX_WORDS] = { LIT("HSET"), store_name_slice(tk), TICKET_INDEX_PERSON, person,
                                                     TICKET_INDEX_FIELD, field, TICKET_INDEX_SUBJECT, sid_hex };
    memcpy(ret_words, words, sizeof words);
}

ERR ticket_index_name(struct store *s, struct slice muni, struct slice plain, struct store_name *ret_tk)
{
    struct record rec;
    ret_tk->n = 0;
    TRY(record_decode(plain, &rec));
    const struct slice number = ticket_number_of(rec.eligibility);
    return number.n ? store_name_ticket(s, muni, number, ret_tk) : OK;
}

struct slice ticket_number_of(struct slice json)
{
    static const char LEAD[] = ",\"ticketNumber\":\"";
    const size_t lead = sizeof LEAD - 1;
    const uint8_t *at = json.n ? memmem(json.p, json.n, LEAD, lead) : NULL;
    if (!at || json.n - (size_t)(at - json.p) < lead + TICKET_NUMBER_CHARS)
        return SLICE_NONE;
    const struct slice number = slice_of(at + lead, TICKET_NUMBER_CHARS);
    return all_digits(number) ? number : SLICE_NONE;
}
