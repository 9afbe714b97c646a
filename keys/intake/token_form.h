#ifndef KEYS_INTAKE_TOKEN_FORM_H
#define KEYS_INTAKE_TOKEN_FORM_H

/* The body of POST /oauth2/token: application/x-www-form-urlencoded, read strictly. */

#include "gateway/base/err.h"
#include "gateway/base/slice.h"

/* OK when grant_type is exactly client_credentials. client_id and scope may be there once each; the certificate says who
 * asks, so their values are not read. Every other name, a repeated name, an escape in a name: GRANT. */
ERR nz_token_form_parse(struct slice body);

#endif
