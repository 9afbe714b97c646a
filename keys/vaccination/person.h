#ifndef GW_ZONE_NUMBER
#error "person.h belongs to the number zone"
#endif
#ifndef KEYS_VACCINATION_PERSON_H
#define KEYS_VACCINATION_PERSON_H

/* What one municipality has of one person about vaccinations, from the reply to HGETALL p:{h}. Sans I/O. Nothing of another municipality is opened. */

#include "gateway/redis/redis.h"
#include "gateway/vaccine/immun.h"
#include "gateway/vaccine/ticket.h"

enum { NZ_VACC_TICKETS_MAX = 64, NZ_VACC_DOSES_MAX = 256 };

struct nz_vacc_person { /* texts live in the arena */
    bool subject;       /* 予防接種対象者 on the day */
    bool silent;        /* 不開示, 閲覧停止 or リカバリー by this municipality: it stays in its own lists, marked */
    bool left;          /* has left the municipality by the day */
    struct slice name, kana, guardian, number /* 予防接種対象者番号 */, segment, reduction;
    ymd_t birth;        /* 0: not known */
    size_t n_tickets;   /* that are good on the day; beyond NZ_VACC_TICKETS_MAX the rest is left out */
    struct ticket tickets[NZ_VACC_TICKETS_MAX];
    size_t n_doses;     /* newest versions of records that are not cancelled */
    struct immun doses[NZ_VACC_DOSES_MAX];
    size_t n_records;   /* all of them, with all versions */
    const struct immun_record *records[NZ_VACC_DOSES_MAX];
};

/* On that day. SEAL, FORBIDDEN (the municipality's key is not on the ring), FULL, NOMEM. */
ERR nz_vacc_person_read(struct store *s, const char muni[static 6], const struct store_name *person, const struct redis_reply *hash, ymd_t day, struct arena *a,
                        struct nz_vacc_person *ret_p);

#endif
