#ifndef MOCKS_PEOPLE_H
#define MOCKS_PEOPLE_H

/* Everybody in the mock nation: who has which card, and what each system knows of a person right now. Every system reads and
 * writes its own part of the row only; one row joins what in the real nation is joined by binding number and card serial.
 * Sized as it grows, 1 to PEOPLE_MAX persons. */

#include "mocks/table.h"

enum { PEOPLE_MAX = 10 * 1000 * 1000, SERIAL_MAX = 20, ID_CHARS = 22 /* 16 bytes in base64url */ };

enum link_state { LINK_NONE, LINK_WAITING, LINK_DONE };

struct person {
    char number[13]; /* register of residents */
    char serial[SERIAL_MAX + 1]; /* of the card's certificate, as it is now */
    struct { char pmh_key[ID_CHARS + 1], binding[ID_CHARS + 1]; } intermediary;
    struct { char pmh_key[ID_CHARS + 1], binding[ID_CHARS + 1]; } onshi;
    struct {
        char pmh_key[ID_CHARS + 1]; /* only until the gateway has confirmed the pseudonym */
        char pseudonym[ID_CHARS + 1];
        uint8_t link;               /* enum link_state */
        bool sending;               /* a post to the gateway is under way */
        bool queued;                /* it waits for one */
    } portal;
};

struct people {
    struct person *rows;
    uint32_t n, cap;
    struct table by_number, by_serial;
};

void people_init(struct people *p);
/* Wipes. */
void people_done(struct people *p);

static inline struct person *people_at(struct people *p, uint32_t at) { return &p->rows[at]; }
/* TABLE_NONE when there is none. A serial finds its person only while it is the card's. */
uint32_t people_by_number(const struct people *p, struct slice number);
uint32_t people_by_serial(const struct people *p, struct slice serial);

/* number: 12 digits, not known yet. serial: SLICE_NONE for a card with a serial of our making. Positions stay, pointers to rows do not.
 * FIELD: not 12 digits, or a serial that is not 1..20 letters and digits; CONFLICT: number or serial is taken; FULL, NOMEM. */
ERR people_add(struct people *p, struct slice number, struct slice serial, uint32_t *ret_at);
/* A new card: the old serial ends at once. serial as above. */
ERR people_renew(struct people *p, uint32_t at, struct slice serial);

#endif
