#ifndef GW_CONSENT_TELL_H
#define GW_CONSENT_TELL_H

/* Clinics that have a person open: whom a message about it goes to. Sans I/O. */

#include "gateway/consent/consent.h"

struct consent_clinic { char clinic[CONSENT_CLINIC_CHARS]; struct consent_name session; };
struct consent_clinics { size_t n; struct consent_clinic at[CONSENT_KEEP_MAX]; };
/* Each once, by its newest session that allows one of `kinds` (1 << enum link_kind). SEAL, NOMEM. */
ERR consent_clinics_open(struct store *s, const struct store_name *person, const struct redis_reply *hash, unsigned kinds, uint64_t now_ms,
                         struct consent_clinics *ret_c);
/* OK: this session of that clinic is open. SESSION: it has ended, was withdrawn, or is past its time. SEAL, NOMEM. */
ERR consent_clinic_has_open(struct store *s, const struct store_name *person, const struct redis_reply *hash, const struct consent_name *session, struct slice clinic,
                            uint64_t now_ms);
/* The session is not there because its own clinic has opened so many since (CONSENT_CLINIC_MAX), not because anybody ended it. SEAL, NOMEM. */
ERR consent_gave_way(struct store *s, const struct store_name *person, const struct redis_reply *hash, const struct session_entry *n, uint64_t now_ms, bool *ret_gave);

#endif
