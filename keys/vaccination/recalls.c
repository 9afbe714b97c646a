/* 回収台帳: who was told a version of a record that is not the newest, and has confirmed no newer one. */
#include "gateway/base/csv_write.h"
#include "keys/vaccination/rows.h"

static const char HEADER[] = "immunizationId,version,status,vaccinationProgramId,doseNumber,vaccinationDate,correctedAt,recipient,recipientCode,toldVersion,toldAt\r\n";

void nz_recalls_header(struct buf *out) { buf_puts(out, HEADER); }

static void put_time(struct buf *out, uint64_t ms)
{
    char text[24];
    clock_format_utc(ms, text);
    buf_put(out, ARR(text));
}

static void put_row(const struct immun_record *rec, const struct immun_recipient *r, struct buf *out)
{
    static const char *const AUDIENCES[IMMUN_TO__MAX] = { [IMMUN_TO_CLINIC] = "clinic", [IMMUN_TO_CITIZEN] = "citizen", [IMMUN_TO_MUNICIPALITY] = "municipality",
                                                          [IMMUN_TO_DATABASE] = "database", [IMMUN_TO_CERTIFICATE] = "certificate", [IMMUN_TO_VRS] = "vrs" };
    const struct immun *now = &rec->versions[rec->n_versions - 1];
    char day[10];
    buf_hex(out, ARR(rec->id));
    buf_putc(out, ',');
    buf_u64(out, rec->n_versions);
    buf_puts(out, now->status == IMMUN_CANCELLED ? ",cancelled," : ",completed,");
    csv_text(out, now->program);
    buf_putc(out, ',');
    buf_u64(out, now->dose);
    buf_putc(out, ',');
    ymd_format(now->date, day);
    buf_put(out, ARR(day));
    buf_putc(out, ',');
    put_time(out, now->recorded_ms);
    buf_putc(out, ',');
    buf_puts(out, AUDIENCES[r->audience]);
    buf_putc(out, ',');
    buf_put(out, slice_of(r->who, strnlen(r->who, sizeof r->who)));
    buf_putc(out, ',');
    buf_u64(out, r->version);
    buf_putc(out, ',');
    put_time(out, r->at_ms);
    buf_puts(out, "\r\n");
}

void nz_recalls_rows(const struct nz_vacc_person *p, struct buf *out, uint64_t *rows)
{
    for (size_t i = 0; i < p->n_records; i++)
        for (size_t k = 0; k < p->records[i]->n_recipients; k++)
            if (immun_recall_is_open(p->records[i], &p->records[i]->recipients[k])) {
                put_row(p->records[i], &p->records[i]->recipients[k], out);
                ++*rows;
            }
}
