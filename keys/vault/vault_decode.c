#include "keys/vault/vault_decode.h"

#include "gateway/base/text.h"

struct err nz_link_decode(struct slice body, struct nz_link_msg *ret_m)
{
    struct nz_link_msg m;
    if (!slice_take(&body, NZ_MUNI_BYTES, &m.muni) || !slice_take(&body, NZ_DIGITS_BYTES, &m.digits) ||
        !slice_take(&body, NZ_TICKET_BYTES, &m.ticket) || body.n != 0)
        return FAIL(E_PROTOCOL);
    if (!all_digits(m.muni) || !all_digits(m.digits))
        return FAIL(E_FIELD);
    *ret_m = m;
    return OK;
}

struct err nz_reveal_decode(struct slice body, struct nz_reveal_msg *ret_m)
{
    struct nz_reveal_msg m;
    struct slice purpose, request;
    if (!slice_take(&body, NZ_MUNI_BYTES, &m.muni) || !slice_take(&body, NZ_SID_BYTES, &m.sid) ||
        !slice_take(&body, NZ_TICKET_BYTES, &m.ticket) || !slice_take(&body, NZ_TICKET_BYTES, &m.next) ||
        !slice_take(&body, 1, &purpose) || !slice_take(&body, sizeof m.request.b, &request) || body.n != 0)
        return FAIL(E_PROTOCOL);
    if (purpose.p[0] != NZ_PURPOSE_NUMBERING)
        return FAIL(E_PROTOCOL);
    if (!all_digits(m.muni))
        return FAIL(E_FIELD);
    m.purpose = (enum nz_purpose)purpose.p[0];
    memcpy(m.request.b, request.p, request.n);
    *ret_m = m;
    return OK;
}

struct err nz_erase_decode(struct slice body, struct nz_erase_msg *ret_m)
{
    struct nz_erase_msg m;
    struct slice request;
    if (!slice_take(&body, NZ_MUNI_BYTES, &m.muni) || !slice_take(&body, NZ_SID_BYTES, &m.sid) || !slice_take(&body, sizeof m.request.b, &request) ||
        body.n != 0)
        return FAIL(E_PROTOCOL);
    if (!all_digits(m.muni))
        return FAIL(E_FIELD);
    memcpy(m.request.b, request.p, request.n);
    *ret_m = m;
    return OK;
}

static ERR show_decode(struct slice body, bool by_user, struct nz_show_msg *ret_m)
{
    struct nz_show_msg m = { .user = SLICE_NONE, .ticket = SLICE_NONE };
    struct slice basis, purpose, request;
    if (!slice_take(&body, NZ_MUNI_BYTES, &m.muni) || !slice_take(&body, NZ_SID_BYTES, &m.sid) ||
        (!by_user && !slice_take(&body, NZ_TICKET_BYTES, &m.ticket)) || !slice_take(&body, 2, &basis) || !slice_take(&body, 1, &purpose) || (by_user && !slice_take(&body, NZ_USER_REF_BYTES, &m.user)) ||
        !slice_take(&body, sizeof m.request.b, &request) || body.n != 0)
        return FAIL(E_PROTOCOL);
    m.basis = (uint16_t)(basis.p[0] << 8 | basis.p[1]);
    m.purpose = purpose.p[0];
    if (!m.basis || !m.purpose)
        return FAIL(E_PROTOCOL);
    if (!all_digits(m.muni))
        return FAIL(E_FIELD);
    memcpy(m.request.b, request.p, request.n);
    *ret_m = m;
    return OK;
}

struct err nz_show_decode(struct slice body, struct nz_show_msg *ret_m) { return show_decode(body, true, ret_m); }
struct err nz_tell_decode(struct slice body, struct nz_show_msg *ret_m) { return show_decode(body, false, ret_m); }

struct err nz_part_decode(struct slice body, struct nz_part_msg *ret_m)
{
    struct nz_part_msg m;
    if (!slice_take(&body, NZ_MUNI_BYTES, &m.muni) || !slice_take(&body, NZ_SID_BYTES, &m.sid) || !slice_take(&body, NZ_TICKET_BYTES, &m.ticket) || body.n != 0 ||
        nz_ticket_none(m.ticket))
        return FAIL(E_PROTOCOL);
    if (!all_digits(m.muni))
        return FAIL(E_FIELD);
    *ret_m = m;
    return OK;
}

struct err nz_many_decode(struct slice body, struct nz_many_msg *ret_m)
{
    struct nz_many_msg m;
    struct slice create, n;
    if (!slice_take(&body, NZ_MUNI_BYTES, &m.muni) || !slice_take(&body, 1, &create) || !slice_take(&body, 1, &n))
        return FAIL(E_PROTOCOL);
    m.create = create.p[0] == 1;
    m.n = n.p[0];
    m.digits = body;
    if (create.p[0] > 1 || m.n < 1 || m.n > NZ_MANY_MAX || body.n != m.n * NZ_DIGITS_BYTES)
        return FAIL(E_PROTOCOL);
    if (!all_digits(m.muni) || !all_digits(m.digits))
        return FAIL(E_FIELD);
    *ret_m = m;
    return OK;
}

static struct err key_decode(struct slice body, size_t wrapped_n, struct nz_key_msg *ret_m)
{
    struct nz_key_msg m;
    if (!slice_take(&body, NZ_MUNI_BYTES, &m.muni) || !slice_take(&body, NZ_FILE_ID_BYTES, &m.file) ||
        !slice_take(&body, wrapped_n, &m.wrapped) || body.n != 0)
        return FAIL(E_PROTOCOL);
    if (!all_digits(m.muni))
        return FAIL(E_FIELD);
    *ret_m = m;
    return OK;
}

struct err nz_key_new_decode(struct slice body, struct nz_key_msg *ret_m) { return key_decode(body, 0, ret_m); }
struct err nz_key_open_decode(struct slice body, struct nz_key_msg *ret_m) { return key_decode(body, NZ_WRAPPED_KEY_BYTES, ret_m); }

bool nz_ticket_none(struct slice ticket)
{
    for (size_t i = 0; i < ticket.n; i++)
        if (ticket.p[i])
            return false;
    return true;
}
