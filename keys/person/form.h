#ifndef GW_ZONE_NUMBER
#error "form.h belongs to the number zone"
#endif
#ifndef KEYS_PERSON_FORM_H
#define KEYS_PERSON_FORM_H

/* The bodies of the routes about one resident. Sans I/O. Texts borrow from the arena. Errors: those of json_in_object(), or FIELD with *ret_report. */

#include "gateway/base/json_write.h"
#include "gateway/check/field.h"
#include "gateway/consent/consent.h"

struct nz_flags_ask { struct slice resident_key; struct control_flags flags; /* set_ms is the caller's */ };
ERR nz_flags_ask_read(struct slice body, struct arena *a, struct nz_flags_ask *ret_a, struct field_report *ret_report);

struct nz_erase_ask { struct slice resident_key, reason; };
ERR nz_erase_ask_read(struct slice body, struct arena *a, struct nz_erase_ask *ret_a, struct field_report *ret_report);

/* The resident key alone. */
ERR nz_resident_ask_read(struct slice body, struct arena *a, struct slice *ret_key, struct field_report *ret_report);

/* Members of an object that the caller has begun: the three flags; reason and set_at. */
void nz_flag_bits_write(struct jsonw *w, uint8_t bits);
void nz_flags_why_write(struct jsonw *w, const struct control_flags *f);
/* {"isNotDisclosed":...,"isViewingStopped":...,"isRecovery":...,"reason":...,"set_at":...} */
void nz_flags_json(const struct control_flags *f, struct buf *out);

/* What the audit record of an erasure will say, durable from the first removal on: version u8 (1) | handle[16] | count u32. */
enum { NZ_ERASE_NOTE_BYTES = 1 + STORE_HANDLE_BYTES + 4 };
struct nz_erase_note { uint8_t handle[STORE_HANDLE_BYTES]; uint32_t count; };
void nz_erase_note_encode(const struct nz_erase_note *n, struct buf *out);
bool nz_erase_note_decode(struct slice plain, struct nz_erase_note *ret_n);

#endif
