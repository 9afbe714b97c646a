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
