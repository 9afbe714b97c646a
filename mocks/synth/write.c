#include "gateway/base/json_write.h"
#include "mocks/synth/synth.h"

void synth_write_card(const struct synth_resident *r, struct buf *out)
{
    struct jsonw w;
    char birth[10];
    ymd_format(r->birth, birth);
    jsonw_init(&w, out);
    jsonw_object(&w, NULL);
    jsonw_cstr(&w, "card_serial", r->serial);
    jsonw_cstr(&w, "my_number", r->number);
    jsonw_cstr(&w, "name", r->name);
    jsonw_str(&w, "date_of_birth", ARR(birth));
    jsonw_str(&w, "sex", slice_of(&r->sex, 1));
    jsonw_bool(&w, "not_disclosed", r->not_disclosed);
    jsonw_cstr(&w, "resident_key", r->key);
    jsonw_end_object(&w);
    buf_putc(out, '\n');
}
