#ifndef KEYS_CHANGE_STEP_INT_H
#define KEYS_CHANGE_STEP_INT_H

/* Between step.c, step_move.c and step_index.c. */

#include "keys/change/issued.h"
#include "keys/change/step.h"

ERR nz_ch__rk(struct nz_ch_step *s, struct slice hex, struct slice *ret); /* rk:<muni>:<hex>, in the arena */
ERR nz_ch__sid(struct nz_ch_step *s, struct slice hex, struct store_name *ret_k);
ERR nz_ch__seal(struct nz_ch_step *s, const struct store_name *key, struct slice field, struct slice plain, struct slice *ret);
/* HSET of a sealed field */
ERR nz_ch__field(struct nz_ch_step *s, struct nz_cas *c, const struct store_name *key, struct slice field, struct slice plain);
struct slice nz_ch__subject_field(struct nz_ch_step *s); /* s:<muni> */
/* The journal is stored instead of the one that was read. */
ERR nz_ch__journal(struct nz_ch_step *s, struct nz_cas *c, const struct nz_journal *j);
/* The journal as it is, brought into the state by the present row. */
struct nz_journal nz_ch__journal_in(const struct nz_ch_step *s, enum nz_journal_state state);
ERR nz_ch__new_journal(struct nz_ch_step *s, enum nz_journal_state state, struct nz_journal *ret_j);
/* The side's resident key, and whom it leads to, are what was read: a script that comes late does not undo what an officer has tied since. */
void nz_ch__expect_ties(struct nz_cas *c, const struct store_name *sid, const struct nz_ch_side *side);
/* Raises the turn of the person's vaccination data: whoever judged by what was read before reads again. Not of somebody who has none. */
void nz_ch__turn(struct nz_cas *c, const struct store_name *person, const struct nz_ch_side *side);
void nz_ch__expect_turn(struct nz_cas *c, const struct store_name *person, const struct nz_ch_side *side); /* it is what was read */
/* vi:<muni> has the person, or has it no more. */
ERR nz_ch__indexed(struct nz_ch_step *s, struct nz_cas *c, const struct store_name *person);
ERR nz_ch__unindexed(struct nz_ch_step *s, struct nz_cas *c, const struct store_name *person);
/* The number of the ticket, if the item is one, leads to `to` when it led to `from` (NULL: nowhere); another resident that an officer gave it to keeps it. */
struct nz_ch_lead { const struct store_name *from, *to; const char *sid; };
ERR nz_ch__ticket_leads(struct nz_ch_step *s, struct nz_cas *c, struct slice field, struct slice plain, const struct nz_ch_lead *l);
/* ... and leads nowhere any more when it led to the person. */
ERR nz_ch__ticket_gone(struct nz_ch_step *s, struct nz_cas *c, struct slice field, struct slice plain, const struct store_name *person);
/* step_issued.c: what was issued and told (issued.h). Written to the person that it goes to, if what is replaced there still stands; taken from the other, if its
 * vaccination data are still what was read; taken away with the records. */
ERR nz_ch__issued_copy(struct nz_ch_step *s, struct nz_cas *c, enum nz_ch_way way);
ERR nz_ch__issued_remove(struct nz_ch_step *s, struct nz_cas *c, enum nz_ch_way way);
ERR nz_ch__issued_wipe(struct nz_ch_step *s, struct nz_cas *c);
/* VRS is told of the field (gateway/vaccine/vrs_mark.h), when it is one of those and VRS is told at all: it is somebody else's, or under another number. */
ERR nz_ch__mark_for_vrs(struct nz_ch_step *s, struct nz_cas *c, const struct store_name *person, struct slice field);
/* ... and of what is registered of the person, whose end or flags in the municipality have changed. */
ERR nz_ch__mark_registrations(struct nz_ch_step *s, struct nz_cas *c, const struct store_name *person, const struct nz_ch_side *side);
/* VRS is told that the item of the side, whose person this is, is gone. Before its ticket leads nowhere any more. */
ERR nz_ch__take_back(struct nz_ch_step *s, struct nz_cas *c, const struct store_name *person, const struct nz_ch_side *side, const struct nz_ch_item *item);
/* ... or that it is another number's, whose person is `to`. */
ERR nz_ch__moves_at_vrs(struct nz_ch_step *s, struct nz_cas *c, const struct store_name *from, const struct nz_ch_side *side, const struct nz_ch_item *item,
                        const struct store_name *to);
/* Every subject of the list leads to sid, with its PMH key; sid NULL: it is forgotten. */
ERR nz_ch__aliases(struct nz_ch_step *s, struct nz_cas *c, struct slice list, const char *sid, struct slice key);

struct err nz_ch__begin(struct nz_ch_step *s, struct nz_cas *c), nz_ch__save(struct nz_ch_step *s, struct nz_cas *c),
    nz_ch__copy(struct nz_ch_step *s, struct nz_cas *c), nz_ch__ties(struct nz_ch_step *s, struct nz_cas *c),
    nz_ch__remove(struct nz_ch_step *s, struct nz_cas *c), nz_ch__finish(struct nz_ch_step *s, struct nz_cas *c),
    nz_ch__back_begin(struct nz_ch_step *s, struct nz_cas *c), nz_ch__back_copy(struct nz_ch_step *s, struct nz_cas *c),
    nz_ch__back_ties(struct nz_ch_step *s, struct nz_cas *c), nz_ch__back_remove(struct nz_ch_step *s, struct nz_cas *c),
    nz_ch__back_finish(struct nz_ch_step *s, struct nz_cas *c);

#endif
