/* Reaches nz_link_decode, nz_reveal_decode, nz_many_decode, nz_key_new_decode, nz_key_open_decode, nz_erase_decode, nz_show_decode, nz_tell_decode and nz_part_decode. What they accept has the sizes and characters of vault_msg.h. */

#include <stdlib.h>

#include "gateway/base/text.h"
#include "keys/vault/vault_decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nz_link_msg l;
    struct nz_reveal_msg r;
    struct slice body = slice_of(data, size);
    if (err_ok(nz_link_decode(body, &l)) &&
        (size != NZ_LINK_BYTES || l.digits.n != NZ_DIGITS_BYTES || !all_digits(l.digits) || !all_digits(l.muni)))
        abort();
    if (err_ok(nz_reveal_decode(body, &r)) &&
        (size != NZ_REVEAL_BYTES || r.sid.n != NZ_SID_BYTES || r.next.n != NZ_TICKET_BYTES || !all_digits(r.muni) ||
         r.purpose != NZ_PURPOSE_NUMBERING))
        abort();
    struct nz_many_msg m;
    struct nz_key_msg k;
    if (err_ok(nz_many_decode(body, &m)) &&
        (m.n < 1 || m.n > NZ_MANY_MAX || size != NZ_MANY_HEAD_BYTES + m.n * NZ_DIGITS_BYTES || m.digits.n != m.n * NZ_DIGITS_BYTES ||
         !all_digits(m.digits) || !all_digits(m.muni)))
        abort();
    if (err_ok(nz_key_new_decode(body, &k)) && (size != NZ_KEY_NEW_BYTES || k.file.n != NZ_FILE_ID_BYTES || k.wrapped.n || !all_digits(k.muni)))
        abort();
    struct nz_erase_msg x;
    if (err_ok(nz_erase_decode(body, &x)) && (size != NZ_ERASE_BYTES || x.sid.n != NZ_SID_BYTES || !all_digits(x.muni)))
        abort();
    struct nz_show_msg w;
    if (err_ok(nz_show_decode(body, &w)) &&
        (size != NZ_SHOW_BYTES || w.sid.n != NZ_SID_BYTES || w.user.n != NZ_USER_REF_BYTES || !all_digits(w.muni) || !w.basis || !w.purpose))
        abort();
    if (err_ok(nz_tell_decode(body, &w)) &&
        (size != NZ_TELL_BYTES || w.sid.n != NZ_SID_BYTES || w.user.n || w.ticket.n != NZ_TICKET_BYTES || !all_digits(w.muni) || !w.basis || !w.purpose))
        abort();
    struct nz_part_msg p;
    if (err_ok(nz_part_decode(body, &p)) && (size != NZ_PART_BYTES || p.sid.n != NZ_SID_BYTES || p.ticket.n != NZ_TICKET_BYTES || nz_ticket_none(p.ticket) || !all_digits(p.muni)))
        abort();
    if (err_ok(nz_key_open_decode(body, &k)) && (size != NZ_KEY_OPEN_BYTES || k.wrapped.n != NZ_WRAPPED_KEY_BYTES || !all_digits(k.muni)))
        abort();
    return 0;
}
